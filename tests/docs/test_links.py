"""Every page is in the index, and every relative link of README and docs lands on a file and a heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "index.md"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "plugins").glob("*.md")),
    *sorted((ROOT / "plugins").glob("*/*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
    *sorted((ROOT / "results").glob("**/README.md")),
]


def prose(page: Path) -> str:
    """Return a page without its blocks of code, in which brackets are no links and hashes no headings."""
    text = re.sub(r"^ *(```+).*?^ *\1`*\s*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def links(page: Path) -> list[str]:
    """Return where a page links or shows pictures, other than to the web."""
    text = re.sub(r"`[^`\n]*`(?!\])", "", prose(page))
    found = re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    return [target for target in found if not re.match(r"https?:|mailto:", target)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_links_land(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} is not there"
        assert file.is_relative_to(ROOT), f"{target} is outside the repository"
        if anchor:
            assert anchor in anchors(file), f"{target}: no such heading; there are {sorted(anchors(file))}"


def test_every_page_of_the_docs_is_in_the_index_with_a_line():
    rows = re.findall(r"^\| \[[^\]]+\]\(([^)#]+)\) \| (.+?) \|$", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    listed = [target for target, line in rows if line]
    assert len(listed) == len(set(listed))
    assert {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"} <= set(listed)


def test_the_readme_leads_to_the_index_and_the_first_steps():
    assert {"docs/index.md", "docs/getting-started.md", "docs/troubleshooting.md"} <= set(links(ROOT / "README.md"))


def test_every_picture_of_the_docs_is_shown_and_none_is_large():
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    for picture in [*(ROOT / "docs").rglob("*.png"), *(ROOT / "docs").rglob("*.svg")]:
        assert picture in shown, f"{picture.name} is shown nowhere"
        assert picture.stat().st_size < 150_000, f"{picture.name} takes {picture.stat().st_size} bytes"
