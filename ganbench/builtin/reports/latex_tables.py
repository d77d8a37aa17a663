r"""Write the comparison as LaTeX tables for a paper: `\usepackage{booktabs}`, then `\input{tables}`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import ganbench

from .numbers import format_number
from .rankings import DatasetTables, MetricRow, MetricTable, tables_by_dataset

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
    "[": "{[}",  # after a row's \\ a bare bracket would be its optional argument
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
ACCENTED = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ"  # that pdfLaTeX sets without T1 fonts
GREEK = ["ALPHA", "BETA", "GAMMA", "DELTA", "ETA", "THETA", "MU", "PI", "RHO", "SIGMA", "TAU", "PHI", "PSI", "OMEGA"]
VERDICT_MARKS = {"equivalent": r"\rlap{$^{=}$}", "tied": r"\rlap{$^{=}$}", "inconclusive": r"\rlap{$^{?}$}"}


class LatexReport(ganbench.Report):
    """One LaTeX file: a booktabs table per data set."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `tables.tex`."""
        lines = [r"% Needs \usepackage{booktabs}."]
        for index, table in enumerate(tables_by_dataset(comparison), 1):
            lines += _table(table, index, comparison.suite)
        return [ganbench.write_atomically(folder / "tables.tex", "\n".join(lines) + "\n")]


def escape(text: str) -> str:
    """Escape text for any LaTeX engine; characters that pdfLaTeX lacks are written as their code points."""
    return "".join(_escape_character(character) for character in " ".join(text.split()))


def _escape_character(character: str) -> str:
    if character in COMMANDS:
        return COMMANDS[character]
    if " " <= character <= "~" or character in ACCENTED:
        return character
    name = unicodedata.name(character, "")
    if name.startswith("GREEK SMALL LETTER ") and name.split()[-1] in GREEK:
        return rf"\ensuremath{{\{name.split()[-1].lower()}}}"
    return f"U+{ord(character):04X}"


def _table(table: DatasetTables, index: int, suite: str) -> Iterator[str]:
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
        yield from _method_lines(table, method)
    if table.metrics:
        yield r"    \midrule"
        floors = [escape(metric.floor) for metric in table.metrics]
        yield "    " + " & ".join(["Real data (floor)", *floors, ""]) + r" \\"
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    yield r"\end{table}"


def _caption(table: DatasetTables, suite: str) -> str:
    return (
        f"{escape(table.dataset)} (suite {escape(suite)}). Interquartile mean of the final scores over seeds, "
        r"95\,\% interval below it. Bold: best; $^{=}$: equivalent to the best; $^{?}$: inconclusive with "
        r"these seeds. Failed: trials, with a 95\,\% Wilson interval of their rate. The floor is the same "
        r"metric of real data against real data."
    )


def _heading(metric: MetricTable) -> str:
    arrow = {"higher": r" $\uparrow$", "lower": r" $\downarrow$"}.get(metric.better, "")
    return escape(metric.metric) + arrow


def _method_lines(table: DatasetTables, method: str) -> Iterator[str]:
    """Yield two lines of the table: the scores, and their intervals below them, so that many metrics fit a page."""
    rows = [metric.row_of(method) for metric in table.metrics]
    failures = table.failures[method]
    intervals = [row.interval if row else "" for row in rows] + [failures.interval]
    yield "    " + " & ".join([escape(method), *map(_score, rows), escape(failures.count)]) + r" \\"
    yield "    " + " & ".join(["", *map(_small, intervals)]) + r" \\"


def _score(row: MetricRow | None) -> str:
    if row is None:
        return "--"
    text = escape(format_number(row.iqm))
    return rf"\textbf{{{text}}}" if row.verdict == "best" else text + VERDICT_MARKS.get(row.verdict, "")


def _small(text: str) -> str:
    return rf"{{\scriptsize {escape(text)}}}" if text else ""
