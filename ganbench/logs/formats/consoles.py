"""What well-known training programs print on the console, and any other text of `name: value` pairs.

Each format is described from what the program prints; nothing of the programs is needed or executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from ..columns import ColumnReader, RowBuffer
from ..log import Log
from ..names import canonical_name
from ..parts import loss_part
from ..steps import step_unit
from .text import blocks_of_lines, parse_number

MAX_SCANNED_LINES = 100_000  # for a line that is known: programs print their settings and networks first
MAX_SCANNED_CHARS = 16_000_000
ENOUGH_LINES = 100  # of one program: no need to look on
MAX_SEARCHED_CHARS = 2048  # of a line
MIN_PAIR_LINES = 3  # of an unknown program's text, before it is taken for a log
OTHER_SAMPLES = frozenset({"val", "valid", "validation", "test", "eval", "best", "lowest", "min", "max"})
SCORES = frozenset({"fid", "inception_score", "kid"})

# 0.5, .5, 1e-05; 0,5 and 12,345, but the first one alone of 0.5,0.6; 1.#QNAN
NUMBER = r"[-+\u2212]?(?:(?:\d{1,20}(?:,\d{1,20})+(?:\.\d{1,40})?|\d{1,20}[\d.]{0,40}|\.\d{1,40})(?:e[-+]?\d{1,5}|\#\w{1,9})?|nan|inf(?:inity)?)"
PAIR = re.compile(
    r"(?<![A-Za-z])(?<![A-Za-z]\d)(?P<key>[A-Za-z][\w/.]{0,79}+(?:\(\w(?:\(\w\))?\))?(?: [A-Za-z][\w/.]{0,79}+){0,3}?)"
    rf"\s?[:=]\s{{0,20}}+(?:tensor\(\[?)?(?P<value>{NUMBER}%?)"
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
        marks: What a line contains, in one of these spellings, if a pattern is to be tried on it: most lines are quick
            to pass over so.
        lines: Patterns for its lines; named groups are columns, `pairs` is text that holds `name: value` pairs.
        names: What the names in pairs stand for, where they do not say so themselves.
        row_ends: Where a row ends: with each line; with the line that states its step, if the values precede that; or
            where the step changes, if a progress bar prints the same step again and again.
    """

    program: str
    marks: tuple[str, ...]
    lines: tuple[re.Pattern[str], ...]
    names: Mapping[str, str] = field(default_factory=dict)
    row_ends: Literal["line", "step", "change"] = "line"

    def parse(self, line: str) -> Iterator[dict[str, str]]:
        """Yield what each pattern finds in a line: name -> text of the value."""
        if not any(mark in line for mark in self.marks):
            return
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
        if not any(mark in line for mark in self.marks):
            return
        pairs = [(_without_prefix(key), value) for key, value in PAIR.findall(line) if not step_unit(key)]
        if any(is_signal(key) for key, _ in pairs):
            counters = {key.lower().removesuffix("s"): value for key, value in reversed(COUNTER.findall(line))}
            yield counters | dict(reversed(pairs))


@lru_cache(maxsize=4096)
def _without_prefix(key: str) -> str:
    """Return the end of a name that is a known signal, the name itself if none is: "INFO D loss" is "D loss".

    What is said of other samples than those that are trained on, or of the best so far, is left as it is.
    """
    words = key.split()
    if OTHER_SAMPLES & set(key.lower().split()):
        return key
    ends = [" ".join(words[first:]) for first in range(len(words))]
    return next((end for end in ends if is_signal(end)), key)


def is_signal(name: str) -> bool:
    """Return whether a column is a known signal, or a part of a loss."""
    return canonical_name(name) is not None or loss_part(name) is not None


def _lines(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern.replace("NUMBER", NUMBER), re.IGNORECASE) for pattern in patterns)


CONSOLES = (
    Console(
        "PyTorch's DCGAN example",  # https://github.com/pytorch/examples
        ("Loss_D", "Loss D", "loss_D"),
        _lines(
            r"\[(?P<epoch>\d+)/\d+\]\s*\[(?P<batch>\d+)/\d+\]\s+Loss[_ ]D:\s*(?P<loss_d>NUMBER)\s+Loss[_ ]G:\s*(?P<loss_g>NUMBER)"
            r"(?:\s+D\(x\):\s*(?P<d_real>NUMBER)\s+D\(G\(z\)\):\s*(?P<d_fake>NUMBER))?"
        ),
    ),
    Console(
        "pix2pix and CycleGAN",  # https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix, and pix2pixHD, SPADE, CUT
        ("(epoch:",),
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
        ("Progress:", " score (Step:"),
        _lines(
            r"Step:\s*(?P<step>\d+)\s+Progress:.{0,400}?Gen_loss:\s*(?P<loss_g>\S+)\s+Dis_loss:\s*(?P<loss_d>\S+)",
            r"Step:\s*(?P<step>\d+)\s+Progress:.{0,400}?Discriminator_loss:\s*(?P<loss_d>\S+)\s+Generator_loss:\s*(?P<loss_g>\S+)",
            r"(?<!Best )(?<!Intra )\bFID score \(Step: (?P<step>\d+),[^)]*\):\s*(?P<fid>NUMBER)",
            r"(?<!Best )\bInception score \(Step: (?P<step>\d+),[^)]*\):\s*(?P<inception_score>NUMBER)",
        ),
    ),
    Console(
        "LlamaGen's tokenizer",  # https://github.com/FoundationVision/LlamaGen
        ("(Generator)", "(Discriminator)", "(step="),
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
        ("[epoch:",),
        _lines(
            r"\[epoch:\s*(?P<epoch>\d+), iter:\s*(?P<iter>[\d,]+), lr:\([^)]{0,200}\)\](?:\s*\[eta:[^]]{0,200}\])?"
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
        ("Gen Loss Total",),
        _lines(r"\bSteps ?: (?P<step>\d+),? .{0,200}?Gen Loss Total ?:\s*(?P<loss_g>NUMBER)(?P<pairs>.*)"),
        {"Disc Loss Total": "loss_d"},
    ),
    Console(
        "CTGAN",  # https://github.com/sdv-dev/CTGAN
        ("| Discrim.", ", Loss G"),
        _lines(
            r"Gen\. \((?P<loss_g>NUMBER)\) \| Discrim\. \((?P<loss_d>NUMBER)\):.{0,200}?(?<!\d)(?P<epoch>\d{1,12})/\d{1,12} \[",
            r"\bEpoch (?P<epoch>\d+), Loss G:\s*(?P<loss_g>NUMBER), ?Loss D:\s*(?P<loss_d>NUMBER)",
        ),
        row_ends="change",
    ),
    Console(
        "Keras-GAN and PyTorch-GAN",  # https://github.com/eriklindernoren
        ("[D loss:", "[D Loss:"),
        _lines(
            r"(?:\[Epoch (?P<epoch>\d+)/\d+\] \[Batch (?P<batch>\d+)/\d+\]|(?<![\d.])(?P<iteration>\d+)(?:/\d+)?:?) "
            r"\[D loss:\s*(?P<loss_d>NUMBER)(?:, acc\.?:\s*(?P<accuracy_d>NUMBER)%)?[^]]{0,200}\].{0,200}?\[G loss:\s*(?P<loss_g>NUMBER)"
        ),
    ),
)
PAIRS_CONSOLE = PairsConsole("text of 'name: value' pairs", (":", "="), ())


def find_console(path: Path) -> Console | None:
    """Return the console that most lines of a text are of, None if they are of none. Raise UnreadableLog if not text.

    A text of pairs counts only if at least `MIN_PAIR_LINES` lines hold a known signal and none is of a known program.
    """
    counts = dict.fromkeys(CONSOLES, 0)
    n_pairs = 0
    for line in _lines_to_scan(path):
        for console in CONSOLES:
            if any(is_signal(name) for texts in console.parse(line) for name in texts):
                counts[console] += 1
                if counts[console] == ENOUGH_LINES:
                    return console
        if n_pairs < MIN_PAIR_LINES:
            n_pairs += any(True for _ in PAIRS_CONSOLE.parse(line))
    best = max(counts, key=lambda console: counts[console])
    if counts[best]:
        return best
    return PAIRS_CONSOLE if n_pairs >= MIN_PAIR_LINES else None


def _lines_to_scan(path: Path) -> Iterator[str]:
    n_lines = n_chars = 0
    for lines in blocks_of_lines(path):
        for line in lines:
            part = line[:MAX_SEARCHED_CHARS]
            n_lines, n_chars = n_lines + 1, n_chars + len(part)
            if n_lines > MAX_SCANNED_LINES or n_chars > MAX_SCANNED_CHARS:
                return
            yield part


def read_console(path: Path, name: str, console: Console) -> Log:
    """Read the log of a run from what its program printed. Raise UnreadableLog if it holds no known signal."""
    reader = ColumnReader(name, path)
    reader.notes.append(f"read as the console of {console.program}")
    rows = RowBuffer(reader)
    for row in _join_rows(console, _parse_rows(path, console)):
        rows.add(row)
    rows.flush()
    return reader.to_log()


def _parse_rows(path: Path, console: Console) -> Iterator[dict[str, float]]:
    """Yield what each line states, without scores of earlier snapshots that are evaluated again at the end."""
    trained_to = -1.0  # the step of the last line of training
    for lines in blocks_of_lines(path):
        for line in lines:
            for texts in console.parse(line[:MAX_SEARCHED_CHARS]):
                row = {column: value for column, text in texts.items() if (value := _number(column, text)) is not None}
                step = _step_of(row)
                if step is not None and not SCORES & row.keys():
                    trained_to = step
                if step is None or step >= trained_to:
                    yield row


def _join_rows(console: Console, parsed: Iterable[dict[str, float]]) -> Iterator[dict[str, float]]:
    """Yield rows as they end, see `Console.row_ends`; of values that precede a step that never comes nothing is known."""
    if console.row_ends == "line":
        yield from parsed
        return
    pending: dict[str, float] = {}
    for row in parsed:
        if console.row_ends == "change" and pending and _step_of(pending) != _step_of(row):
            yield pending
            pending = {}
        pending |= row
        if console.row_ends == "step" and _step_of(row) is not None:
            yield pending
            pending = {}
    if pending and console.row_ends == "change":
        yield pending


def _step_of(row: Mapping[str, float]) -> float | None:
    return next((value for column, value in row.items() if step_unit(column)), None)


def _number(column: str, text: str) -> float | None:
    """Return a value; a counter may have commas between its thousands."""
    return parse_number(text, "," if step_unit(column) else "")
