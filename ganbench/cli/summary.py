"""Prints the comparison in the terminal at the end of a run: what failed, then scores with their verdicts.

Tables are cut into pieces that fit the width, so that neither what failed nor a verdict is ever cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import pandas as pd

from ..contract.components import Comparison
from ..contract.errors import printable
from ..contract.failures import NAMES_NO_FAILURE, NO_FAILURE_FOUND, Status
from .console import MAX_WIDTH, console_width, format_times

FINISHED = [status.value for status in Status if status.finished]
STYLES = {"best": "bold green", "better": "green", "equivalent": "green", "worse": "red", "inconclusive": "dim"}
MAX_NAME = 24  # characters of a method's name; a longer one is cut
GAP = "  "

Cell = tuple[str, str]  # a text and its style


def show_comparison(comparison: Comparison) -> None:
    """Print for each data set what failed and how methods score, and at the end how much is decided."""
    from rich.console import Console

    console = Console(width=console_width(), highlight=False, soft_wrap=True)
    for note in comparison.damaged:
        console.print(printable(f"left out: {note}"), markup=False)
    skipped = comparison.trials[comparison.trials.status == "skipped"]
    for row in skipped.drop_duplicates(["dataset", "method", "reason"]).itertuples():
        console.print(printable(f"skipped: {row.method} on {row.dataset}: {row.reason}"), markup=False)
    width = min(console.width, MAX_WIDTH)
    for dataset in comparison.trials.dataset.unique():
        for line in _dataset_lines(comparison, dataset, width):
            console.print(_styled(line))
    for text in _legend(comparison.comparison):
        console.print(_styled([(text, "dim")]))


def _dataset_lines(comparison: Comparison, dataset: str, width: int) -> Iterator[list[Cell]]:
    trials = comparison.trials[comparison.trials.dataset == dataset]
    rows = comparison.comparison[comparison.comparison.dataset == dataset].dropna(subset="metric")
    methods = _by_rank(trials, rows)
    names = [_cut(str(method)) for method in methods]
    first = max(map(len, [*names, "method", "real data"]))
    yield [("", "")]
    yield [(printable(dataset), "bold")]
    yield [(f"{'method':<{first}}{GAP}failed{GAP}verdicts", "dim")]
    for method, name in zip(methods, names, strict=True):
        yield from _failure_lines(trials[trials.method == method], f"{name:<{first}}{GAP}", width)
    columns = [_score_column(rows[rows.metric == metric], methods) for metric in dict.fromkeys(rows.metric)]
    for piece in _pieces(columns, width - first):
        yield [("", "")]
        heads = ["method", *names, "real data"]
        for number, head in enumerate(heads):
            label: Cell = (f"{head:<{first}}", "dim" if number in (0, len(heads) - 1) else "")
            yield [label, *(cell for column in piece for cell in ((GAP, ""), column[number]))]


def _by_rank(trials: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Methods by their mean rank over the metrics, those without any score last."""
    ranks = rows.groupby("method")["rank"].mean()
    return sorted(trials.method.unique(), key=lambda method: (ranks.get(method, math.inf), method))


def _cut(name: str) -> str:
    name = printable(name)
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"


def _failure_lines(trials: pd.DataFrame, name: str, width: int) -> Iterator[list[Cell]]:
    """How many trials of a method failed, and what was found, over as many lines as that takes."""
    counts = trials.verdicts[trials.status.isin(FINISHED)].str.split(";").explode().value_counts()
    words = [
        f"{verdict} {count}{_times(trials, str(verdict))}"
        for verdict, count in counts.items()
        if verdict and verdict != NO_FAILURE_FOUND
    ]
    others = trials.status[~trials.status.isin(FINISHED)].value_counts()
    words = [f"{status} {count}" for status, count in others.items()] + words
    ran = trials[trials.status != "skipped"]
    style = "red" if ran.failed.any() else "green"
    count = f"{ran.failed.sum()}/{len(ran)}"
    head = f"{name}{count:<6}{GAP}"
    texts = _wrap(words or [f"{NO_FAILURE_FOUND}{_times(trials, NO_FAILURE_FOUND)}"], max(12, width - len(head)))
    for text, start in zip_longest(texts, [head], fillvalue=" " * len(head)):
        yield [(start, ""), (printable(text), style)]


def _times(trials: pd.DataFrame, verdict: str) -> str:
    """How many times their floor the distances of trials of a verdict are that names no failure, in parentheses."""
    times = trials.times_floor[trials.verdicts == verdict].dropna()
    return f" ({format_times(times.min(), times.max())})" if verdict in NAMES_NO_FAILURE and len(times) else ""


def _wrap(words: Sequence[str], width: int) -> list[str]:
    """Words with commas between, in lines that are not wider than that unless a single word is."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 <= width:
            lines[-1] += f", {word}"
        else:
            lines[-1] += ","
            lines.append(word)
    return lines


def _score_column(rows: pd.DataFrame, methods: Sequence[str]) -> list[Cell]:
    """The cells of a metric, all as wide: its name, each method's IQM with the verdict, and the floor."""
    arrow = "↑" if rows.better.iloc[0] == "higher" else "↓"
    of_method = {row.method: row for row in rows.itertuples()}
    numbers = {method: _number(of_method[method]) if method in of_method else "" for method in methods}
    floor = _format(rows.floor.mean())
    digits = max(map(len, [*numbers.values(), floor]))
    cells = [(printable(f"{rows.metric.iloc[0]} {arrow}"), "dim")]
    for method in methods:
        verdict = str(of_method[method].verdict) if method in of_method else ""
        cells.append((f"{numbers[method]:>{digits}} {verdict}", STYLES.get(verdict, "")))
    cells.append((f"{floor:>{digits}} floor", "dim"))
    width = max(len(text) for text, _ in cells)
    return [(f"{text:<{width}}", style) for text, style in cells]


def _number(row: Any) -> str:
    """The IQM; with a star where seeds were lost, which the IQM leaves out and the rank does not."""
    return _format(row.iqm) + ("*" if row.n_scored < row.n_seeds else "")


def _format(value: float) -> str:
    return "–" if not math.isfinite(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _pieces(columns: Sequence[list[Cell]], width: int) -> Iterator[list[list[Cell]]]:
    """Yield as many columns at a time as fit the width; at least one."""
    piece: list[list[Cell]] = []
    used = 0
    for column in columns:
        wide = len(GAP) + len(column[0][0])
        if piece and used + wide > width:
            yield piece
            piece, used = [], 0
        piece.append(column)
        used += wide
    if piece:
        yield piece


def _legend(rows: pd.DataFrame) -> Iterator[str]:
    rows = rows.dropna(subset="metric")
    if rows.empty:
        return
    yield ""
    yield "Scores: interquartile mean over seeds, with the verdict against the top-ranked."
    if (rows.n_scored < rows.n_seeds).any():
        yield "*: seeds were lost; they count as worst in ranks and verdicts, not in the mean."
    if rows.method.nunique() == 1:
        return
    decided = int((rows.verdict != "inconclusive").sum())
    yield f"{decided} of {len(rows)} comparisons decided, {len(rows) - decided} inconclusive."
    needed = rows.seeds_needed[rows.verdict == "inconclusive"].dropna()
    if len(needed):
        enough = math.ceil(needed.median())
        n = int((needed <= enough).sum())
        yield f"{n} of these would be decided with {enough} seeds, by what was seen: --seeds {enough}"


def _styled(cells: Sequence[Cell]) -> Any:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ignore")
    for part, style in cells:
        text.append(part, style=style)
    text.rstrip()
    return text
