"""docs/components.md lists the components that ship, with every option and what it means."""

from __future__ import annotations

import re

import make_component_tables as tables


def test_the_page_is_that_of_the_code():
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.fill(page) == page, "run python scripts/make_component_tables.py"


def test_every_component_has_a_summary_and_every_option_a_meaning():
    rows = re.findall(r"^\| (`.+) \|$", tables.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 100
    for row in rows:
        assert all(cell.strip() for cell in re.split(r"(?<!\\)\|", row)), f"a cell is empty: {row}"
