"""What well-known training programs print on the console, and any other text of `name: value` pairs.

Each format is described from what the program prints; nothing of the programs is needed or executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..columns import ColumnReader, RowBuffer
from ..log import Log
from ..names import canonical_name
from ..parts import loss_part
from ..steps import step_unit
from .text import blocks_of_lines, parse_number

MAX_SCANNED_LINES = 100_000  # for a line that is known: programs print their settings and networks first
MAX_SEARCHED_CHARS = 4096  # of a line
MIN_PAIR_LINES = 3  # of an unknown program's text, before it is taken for a log
SCORES = frozenset({"fid", "inception_score", "kid"})

NUMBER = r"[-+]?(?:\d[\d.]*(?:e[-+]?\d+)?|nan|inf(?:inity)?)"
PAIR = re.compile(
    rf"(?P<key>[A-Za-z][\w/.]*(?:\(\w(?:\(\w\))?\))?(?: [A-Za-z][\w/.]*)*?)\s?[:=]\s*(?:tensor\(\[?)?(?P<value>{NUMBER})"
    r"(?![\w/:])",
    re.IGNORECASE,
)
COUNTER = re.compile(
    r"(?<![A-Za-z_.])(?P<key>global_step|steps?|iterations?|iters?|itr|epoch|batch|kimg)\s?[:=#]?\s*[\[(]?\s*(?P<value>\d[\d,]*)"
    r"(?![.\d])",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Console:
    """How a program prints its losses.

    Attributes:
        program: Whose console this is.
        lines: Patterns for its lines; named groups are columns, `pairs` is text that holds `name: value` pairs.
        names: What the names in pairs stand for, where they do not say so themselves.
        row_ends: Where a row ends: with each line; with the line that states its step, if the values precede that; or
            where the step changes, if a progress bar prints the same step again and again.
    """

    program: str
    lines: tuple[re.Pattern[str], ...]
    names: Mapping[str, str] = field(default_factory=dict)
    row_ends: Literal["line", "step", "change"] = "line"

    def parse(self, line: str) -> Iterator[dict[str, str]]:
        """Yield what each pattern finds in a line: name -> text of the value."""
        for pattern in self.lines:
            if match := pattern.search(line):
                texts = {name: text for name, text in match.groupdict().items() if text is not None}
                pairs = texts.pop("pairs", "")
                yield texts | {self.names.get(key, key): value for key, value in PAIR.findall(pairs)}


@dataclass(frozen=True, eq=False)
class PairsConsole(Console):
    """The console of any program that prints its losses as `name: value`, with names that are known elsewhere too."""

    def parse(self, line: str) -> Iterator[dict[str, str]]:
        """Yield the counters and pairs of a line that holds a known signal."""
        pairs = [(key, value) for key, value in PAIR.findall(line) if not step_unit(key)]
        if any(is_signal(key) for key, _ in pairs):
            counters = {key.lower().removesuffix("s"): value for key, value in reversed(COUNTER.findall(line))}
            yield counters | dict(reversed(pairs))


def is_signal(name: str) -> bool:
    """Return whether a column is a known signal, or a part of a loss."""
    return canonical_name(name) is not None or loss_part(name) is not None


def _lines(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern.replace("NUMBER", NUMBER), re.IGNORECASE) for pattern in patterns)


CONSOLES = (
    Console(
        "PyTorch's DCGAN example",  # https://github.com/pytorch/examples
        _lines(
            r"\[(?P<epoch>\d+)/\d+\]\s*\[(?P<batch>\d+)/\d+\]\s+Loss[_ ]D:\s*(?P<loss_d>NUMBER)\s+Loss[_ ]G:\s*(?P<loss_g>NUMBER)"
            r"(?:\s+D\(x\):\s*(?P<d_real>NUMBER)\s+D\(G\(z\)\):\s*(?P<d_fake>NUMBER))?"
        ),
    ),
    Console(
        "pix2pix and CycleGAN",  # https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, and pix2pixHD, SPADE, CUT
        _lines(r"\(epoch: (?P<epoch>\d+), iters: (?P<iter>\d+),[^)]*\)(?P<pairs>.*)"),
        {
            "G_GAN": "loss_g",
            "GAN": "loss_g",
            "D_real": "loss_d_real",
            "D_fake": "loss_d_fake",
            "D_Real": "loss_d_real",
            "D_Fake": "loss_d_fake",
            "D_A": "loss_d_a",
            "D_B": "loss_d_b",
            "G_A": "loss_g_a",
            "G_B": "loss_g_b",
        },
    ),
    Console(
        "StudioGAN",  # https://github.com/POSTECH-CVLab/PyTorch-StudioGAN
        _lines(
            r"Step:\s*(?P<step>\d+)\s+Progress:.*?Gen_loss:\s*(?P<loss_g>\S+)\s+Dis_loss:\s*(?P<loss_d>\S+)",
            r"Step:\s*(?P<step>\d+)\s+Progress:.*?Discriminator_loss:\s*(?P<loss_d>\S+)\s+Generator_loss:\s*(?P<loss_g>\S+)",
            r"(?<!Best )(?<!Intra )\bFID score \(Step: (?P<step>\d+),[^)]*\):\s*(?P<fid>NUMBER)",
            r"(?<!Best )\bInception score \(Step: (?P<step>\d+),[^)]*\):\s*(?P<inception_score>NUMBER)",
        ),
    ),
    Console(
        "LlamaGen's tokenizer",  # https://github.com/FoundationVision/LlamaGen
        _lines(
            r"\((?:Generator|Discriminator)\) (?P<pairs>\w+: .*)",
            r"\(step=(?P<step>\d+)\) Train Loss: ",
        ),
        {
            "generator_adv_loss": "loss_g",
            "discriminator_adv_loss": "loss_d",
            "logits_real": "score_real",
            "logits_fake": "score_fake",
        },
        row_ends="step",
    ),
    Console(
        "BasicSR",  # https://github.com/XPixelGroup/BasicSR, and Real-ESRGAN, GFPGAN
        _lines(
            r"\[epoch:\s*(?P<epoch>\d+), iter:\s*(?P<iter>[\d,]+), lr:\([^)]*\)\](?:\s*\[eta:[^]]*\])?"
            r"(?P<pairs>.*\bl_[gd].*)"
        ),
        {
            "l_g_gan": "loss_g",
            "l_d": "loss_d",
            "l_d_real": "loss_d_real",
            "l_d_fake": "loss_d_fake",
            "out_d_real": "score_real",
            "out_d_fake": "score_fake",
            "real_score": "score_real",
            "fake_score": "score_fake",
        },
    ),
    Console(
        "HiFi-GAN",  # https://github.com/jik876/hifi-gan, and BigVGAN
        _lines(r"\bSteps ?: (?P<step>\d+),? .*?Gen Loss Total ?:\s*(?P<loss_g>NUMBER)(?P<pairs>.*)"),
        {"Disc Loss Total": "loss_d"},
    ),
    Console(
        "CTGAN",  # https://github.com/sdv-dev/CTGAN
        _lines(
            r"Gen\. \((?P<loss_g>NUMBER)\) \| Discrim\. \((?P<loss_d>NUMBER)\):.*?(?P<epoch>\d+)/\d+ \[",
            r"\bEpoch (?P<epoch>\d+), Loss G:\s*(?P<loss_g>NUMBER), ?Loss D:\s*(?P<loss_d>NUMBER)",
        ),
        row_ends="change",
    ),
    Console(
        "Keras-GAN and PyTorch-GAN",  # https://github.com/eriklindernoren
        _lines(
            r"(?:\[Epoch (?P<epoch>\d+)/\d+\] \[Batch (?P<batch>\d+)/\d+\]|(?<![\d.])(?P<iteration>\d+)(?:/\d+)?:?) "
            r"\[D loss:\s*(?P<loss_d>NUMBER)(?:, acc\.?:\s*(?P<accuracy_d>NUMBER)%)?[^]]*\].*?\[G loss:\s*(?P<loss_g>NUMBER)"
        ),
    ),
)
PAIRS_CONSOLE = PairsConsole("text of 'name: value' pairs", ())


def find_console(path: Path) -> Console | None:
    """Return the console that most lines of a text are of, None if they are of none. Raise UnreadableLog if not text.

    A text of pairs counts only if at least `MIN_PAIR_LINES` lines hold a known signal and none is of a known program.
    """
    counts = dict.fromkeys(CONSOLES, 0)
    n_pairs = n_lines = 0
    for lines in blocks_of_lines(path):
        for line in lines[: MAX_SCANNED_LINES - n_lines]:
            part = line[:MAX_SEARCHED_CHARS]
            for console in CONSOLES:
                counts[console] += any(map(is_signal, _names_in(console, part)))
            if n_pairs < MIN_PAIR_LINES:
                n_pairs += any(True for _ in PAIRS_CONSOLE.parse(part))
        n_lines += len(lines)
        if n_lines >= MAX_SCANNED_LINES:
            break
    best = max(counts, key=lambda console: counts[console])
    if counts[best]:
        return best
    return PAIRS_CONSOLE if n_pairs >= MIN_PAIR_LINES else None


def read_console(path: Path, name: str, console: Console) -> Log:
    """Read the log of a run from what its program printed. Raise UnreadableLog if it holds no known signal."""
    reader = ColumnReader(name, path)
    reader.notes.append(f"read as the console of {console.program}")
    rows = RowBuffer(reader)
    trained_to = -1.0  # the step of the last line of training
    pending: dict[str, float] = {}
    for lines in blocks_of_lines(path):
        for line in lines:
            for texts in console.parse(line[:MAX_SEARCHED_CHARS]):
                row = {column: value for column, text in texts.items() if (value := _number(column, text)) is not None}
                step = next((row[column] for column in row if step_unit(column)), None)
                if SCORES & row.keys() and step is not None and step < trained_to:
                    continue  # an earlier snapshot, evaluated again at the end
                if step is not None and not SCORES & row.keys():
                    trained_to = step
                if console.row_ends == "line":
                    rows.add(row)
                    continue
                if console.row_ends == "change" and _step_of(pending) != _step_of(row):
                    rows.add(pending) if pending else None
                    pending = {}
                pending |= row
                if console.row_ends == "step" and step is not None:
                    rows.add(pending)
                    pending = {}
    if pending and console.row_ends == "change":
        rows.add(pending)
    rows.flush()
    return reader.to_log()


def _names_in(console: Console, line: str) -> Iterator[str]:
    for texts in console.parse(line):
        yield from texts


def _step_of(row: Mapping[str, float]) -> float | None:
    return next((value for column, value in row.items() if step_unit(column)), None)


def _number(column: str, text: str) -> float | None:
    """Return a value; a counter may have commas between its thousands."""
    return parse_number(text.replace(",", "") if step_unit(column) else text)
