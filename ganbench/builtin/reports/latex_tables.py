r"""The comparison as LaTeX tables, for a paper: `\usepackage{booktabs}`, then `\input{tables}`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import ganbench

from .files import write_atomically
from .numbers import number
from .rankings import DatasetTable, MetricTable, Standing, dataset_tables

COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # after a line's \\ a bare bracket would be read as its option
    "]": "{]}",
    "–": "--",
    "—": "---",
    "−": r"\ensuremath{-}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "≈": r"\ensuremath{\approx}",
    "∞": r"\ensuremath{\infty}",
    "“": "``",
    "”": "''",
    "’": "'",
}
LETTERS = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ"  # need no T1
GREEK = ["ALPHA", "BETA", "GAMMA", "DELTA", "ETA", "THETA", "MU", "PI", "RHO", "SIGMA", "TAU", "PHI", "PSI", "OMEGA"]
MARKS = {"tied": r"\rlap{$^{=}$}", "inconclusive": r"\rlap{$^{?}$}"}


class LatexReport(ganbench.Report):
    """One LaTeX file: a booktabs table per data set."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `tables.tex`."""
        lines = [r"% Needs \usepackage{booktabs}."]
        for index, table in enumerate(dataset_tables(comparison), 1):
            lines += _float(table, index, comparison.suite)
        return [write_atomically(folder / "tables.tex", "\n".join(lines) + "\n")]


def escape(text: str) -> str:
    """Foreign text that any LaTeX engine sets as it reads; letters that pdfLaTeX lacks become their code point."""
    return "".join(_character(character) for character in " ".join(text.split()))


def _character(character: str) -> str:
    if character in COMMANDS:
        return COMMANDS[character]
    if " " <= character <= "~" or character in LETTERS:
        return character
    name = unicodedata.name(character, "")
    if name.startswith("GREEK SMALL LETTER ") and name.split()[-1] in GREEK:
        return rf"\ensuremath{{\{name.split()[-1].lower()}}}"
    return f"U+{ord(character):04X}"


def _float(table: DatasetTable, index: int, suite: str) -> Iterator[str]:
    columns = len(table.metrics) + 2
    yield ""
    yield r"\begin{table}"
    yield r"  \centering\small"
    yield rf"  \caption{{{_caption(table, suite)}}}"
    yield rf"  \label{{tab:ganbench-{index}}}"
    yield rf"  \begin{{tabular}}{{@{{}}l{'r' * (columns - 1)}@{{}}}}"
    yield r"    \toprule"
    yield "    " + " & ".join(["Method", *map(_heading, table.metrics), "Failed"]) + r" \\"
    yield r"    \midrule"
    for method in table.methods:
        yield from _method(table, method)
    if table.metrics:
        yield r"    \midrule"
        floors = [escape(metric.floor) for metric in table.metrics]
        yield "    " + " & ".join(["Real data (floor)", *floors, ""]) + r" \\"
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    yield r"\end{table}"


def _caption(table: DatasetTable, suite: str) -> str:
    return (
        f"{escape(table.dataset)} (suite {escape(suite)}). Interquartile mean of the final scores over seeds, "
        r"95\,\% bootstrap interval below it. Bold: best; $^{=}$: tied with the best; $^{?}$: these seeds cannot "
        r"tell. Failed: trials, with a 95\,\% Wilson interval of their rate. The floor is the same "
        r"metric of real data against real data."
    )


def _heading(metric: MetricTable) -> str:
    arrow = {"higher": r" $\uparrow$", "lower": r" $\downarrow$"}.get(metric.better, "")
    return escape(metric.metric) + arrow


def _method(table: DatasetTable, method: str) -> Iterator[str]:
    """Two lines of the table: the scores, and below them their intervals, so that many metrics fit a page."""
    standings = [metric.of(method) for metric in table.metrics]
    failures = table.failures[method]
    intervals = [standing.interval if standing else "" for standing in standings] + [failures.interval]
    yield "    " + " & ".join([escape(method), *map(_score, standings), escape(failures.count)]) + r" \\"
    yield "    " + " & ".join(["", *map(_small, intervals)]) + r" \\"


def _score(standing: Standing | None) -> str:
    if standing is None:
        return "--"
    text = escape(number(standing.iqm))
    return rf"\textbf{{{text}}}" if standing.verdict == "best" else text + MARKS.get(standing.verdict, "")


def _small(text: str) -> str:
    return rf"{{\scriptsize {escape(text)}}}" if text else ""
