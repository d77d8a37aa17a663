"""The comparison as a Markdown page, for a README, an issue or a review."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import ganbench

from .failures import FindingGroup, MethodFailures, collect_failures
from .files import write_atomically
from .numbers import number
from .prose import HOW_TO_READ, counts, environment_lines, scope, unreadable
from .rankings import DatasetTable, MetricTable, dataset_tables


class MarkdownReport(ganbench.Report):
    """One Markdown page: tables per data set, what went wrong, the environment."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `report.md`."""
        return [write_atomically(folder / "report.md", "\n".join(_page(comparison)) + "\n")]


def escape(text: str) -> str:
    """Foreign text as it can stand in a line or a table cell: no markup, no HTML, no line end."""
    text = " ".join(text.split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]{}|~#])", r"\\\1", text)
    # An underscore inside a word (`auc_d`) is no markup and reads better without a backslash.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def _page(comparison: ganbench.Comparison) -> Iterator[str]:
    yield f"# {escape(comparison.suite)}\n"
    if comparison.summary:
        yield f"{escape(comparison.summary)}\n"
    yield f"{counts(comparison)} — {scope(comparison)}.\n"
    yield f"{HOW_TO_READ}\n"
    for table in dataset_tables(comparison):
        yield from _dataset(table)
    yield from _what_went_wrong(collect_failures(comparison), unreadable(comparison))
    yield "## Environment\n"
    yield from _table(("what", "value"), environment_lines(comparison.environment))


def _dataset(table: DatasetTable) -> Iterator[str]:
    yield f"## {escape(table.dataset)}\n"
    if not table.metrics:
        yield "No trial was scored.\n"
        yield from _table(("method", "failed"), [(name, table.failures[name].text) for name in table.methods])
    for metric in table.metrics:
        direction = f" ({metric.better} is better)" if metric.better else ""
        yield f"### {escape(metric.metric)}{direction}\n"
        yield from _table(
            ("rank", "method", "final IQM [95 %]", "floor", "best", "failed", "P(top beats)", "verdict"),
            list(_standings(metric)),
        )


def _standings(metric: MetricTable) -> Iterator[tuple[str, ...]]:
    for standing in metric.standings:
        yield (
            standing.rank_text,
            standing.method,
            f"{number(standing.iqm)} {standing.interval}".rstrip(),
            number(standing.floor),
            number(standing.best),
            standing.failures.text,
            standing.p_text,
            standing.verdict,
        )


def _what_went_wrong(found: list[MethodFailures], unread: list[str]) -> Iterator[str]:
    yield "## What went wrong\n"
    for line in unread:
        yield f"- A stored trial could not be read and is in none of the numbers: {escape(line)}\n"
    if not found:
        yield "Nothing: every trial ran to its end, and no diagnosis found anything.\n"
    for trouble in found:
        yield f"### {escape(trouble.dataset)}: {escape(trouble.method)}\n"
        for ending in trouble.endings:
            reason = f": {escape(ending.reason)}" if ending.reason else ""
            yield f"- seed {ending.seed} **{escape(ending.status)}** after step {ending.steps:,}{reason}"
        for complaint in trouble.complaints:
            yield from _complaint(complaint)
        yield ""


def _complaint(complaint: FindingGroup) -> Iterator[str]:
    forecast = ", forecast for the end" if complaint.horizon == "end" else ""
    yield f"- **{escape(complaint.diagnosis)}** ({escape(complaint.severity)}{forecast}): {complaint.extent}."
    for seen in complaint.sightings:
        evidence = "; ".join(seen.evidence)
        yield (
            f"  - seed {seen.seed}, confidence {seen.confidence}: {escape(seen.summary)}"
            + (f" ({escape(evidence)})" if evidence else "")
        )
    for remedy in complaint.remedies:
        yield f"  - What to change: {escape(remedy)}"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in body:
        yield f"| {' | '.join(escape(cell) for cell in row)} |"
    yield ""
