"""Write the comparison as a Markdown page, for a README, an issue or a review."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import ganbench

from .failures import FindingGroup, MethodFailures, collect_failures
from .numbers import format_number
from .prose import HOW_TO_READ, environment_lines, list_damaged, list_left_out, summarize_scope, summarize_trials
from .rankings import DatasetTables, MetricTable, tables_by_dataset


class MarkdownReport(ganbench.Report):
    """One Markdown page: tables per data set, what went wrong, the environment."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `report.md`."""
        return [ganbench.write_atomically(folder / "report.md", "\n".join(_page(comparison)) + "\n")]


def escape(text: str) -> str:
    """Escape text for a line or a table cell: no markup, no HTML, no line end."""
    text = " ".join(text.split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]{}|~#])", r"\\\1", text)
    # An underscore inside a word (`auc_d`) is not markup, and reads better without a backslash.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def _page(comparison: ganbench.Comparison) -> Iterator[str]:
    yield f"# {escape(comparison.suite)}\n"
    if comparison.summary:
        yield f"{escape(comparison.summary)}\n"
    yield f"{summarize_trials(comparison)} — {summarize_scope(comparison)}.\n"
    yield f"{HOW_TO_READ}\n"
    for table in tables_by_dataset(comparison):
        yield from _dataset_section(table)
    yield from _failures_section(collect_failures(comparison), list_damaged(comparison))
    if left_out := list_left_out(comparison):
        yield "## What was left out\n"
        yield "\n".join(f"- {escape(line)}" for line in left_out) + "\n"
    yield "## Environment\n"
    yield from _table(("what", "value"), environment_lines(comparison.environment))


def _dataset_section(table: DatasetTables) -> Iterator[str]:
    yield f"## {escape(table.dataset)}\n"
    if not table.metrics:
        yield "No trial was scored.\n"
        yield from _table(("method", "failed"), [(name, table.failures[name].text) for name in table.methods])
    for metric in table.metrics:
        direction = f" ({metric.better} is better)" if metric.better else ""
        yield f"### {escape(metric.metric)}{direction}\n"
        head = ["rank", "method", "final IQM [95 %]", "floor", "best", "failed", "P(top beats)", "verdict"]
        if metric.has("delta"):
            head.insert(5, "difference [95 %]")
        yield from _table(head, list(_metric_rows(metric)))


def _metric_rows(table: MetricTable) -> Iterator[tuple[str, ...]]:
    for row in table.rows:
        yield (
            row.rank_text,
            row.method,
            f"{format_number(row.iqm)} {row.interval}".rstrip(),
            format_number(row.floor),
            format_number(row.best),
            *((row.delta_text,) if table.has("delta") else ()),
            row.failures.text,
            row.p_text,
            f"{row.verdict} ({row.needs})" if row.needs else row.verdict,
        )


def _failures_section(failures: list[MethodFailures], damaged: list[str]) -> Iterator[str]:
    yield "## What went wrong\n"
    for line in damaged:
        yield f"- A stored trial could not be read and is in none of the numbers: {escape(line)}\n"
    if not failures:
        yield "Nothing: every trial ran to its end, and no diagnosis found anything.\n"
    for of_method in failures:
        yield f"### {escape(of_method.dataset)}: {escape(of_method.method)}\n"
        for record in of_method.records:
            reason = f": {escape(record.reason)}" if record.reason else ""
            yield f"- seed {record.seed} **{escape(record.status)}** after step {record.steps:,}{reason}"
        for group in of_method.groups:
            yield from _finding_lines(group)
        yield ""


def _finding_lines(group: FindingGroup) -> Iterator[str]:
    forecast = ", forecast for the end" if group.is_forecast else ""
    yield f"- **{escape(group.diagnosis)}** ({escape(group.severity)}{forecast}): {group.extent}."
    for finding in group.findings:
        evidence = "; ".join(finding.evidence)
        yield (
            f"  - seed {finding.seed}, confidence {finding.confidence}: {escape(finding.summary)}"
            + (f" ({escape(evidence)})" if evidence else "")
        )
    for remedy in group.remedies:
        yield f"  - What to change: {escape(remedy)}"


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in body:
        yield f"| {' | '.join(escape(cell) for cell in row)} |"
    yield ""
