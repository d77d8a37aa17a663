"""The reports that ganbench brings along: an ordinary plugin, which imports nothing before a report is asked for."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_reports() -> Iterator[ganbench.Component]:
    """Tables for programs, a page for people, tables for a README and for a paper."""
    yield ganbench.Component("csv", "ganbench.builtin.reports.csv_tables:CsvReport")
    yield ganbench.Component("html", "ganbench.builtin.reports.html_page:HtmlReport")
    yield ganbench.Component("latex", "ganbench.builtin.reports.latex_tables:LatexReport")
    yield ganbench.Component("markdown", "ganbench.builtin.reports.markdown_page:MarkdownReport")
