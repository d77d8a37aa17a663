"""Commands, names and thresholds in docs/logs.md match the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganbench.logs.downsample import MAX_VALUES
from ganbench.logs.names import CANONICAL_NAMES, canonical_name
from ganbench.logs.rules import divergence, quality

PAGE = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```(?:csv|text) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```console\n\$ ganbench diagnose (.+?)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("arguments, shown", COMMANDS)
def test_commands_print_what_the_page_shows(diagnose, tmp_path, monkeypatch, arguments, shown):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES:
        (tmp_path / name).write_text(content)
    result = diagnose(*shlex.split(arguments), as_json=False)
    assert (result.code, result.err + result.out) == (0, shown)


def test_listed_names_are_recognised():
    section = PAGE.partition("## Names")[2].partition("## Which")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    listed = {name for canonical, _, _ in rows for name in re.findall(r"`([^`]+)`", canonical)}
    assert listed == set(CANONICAL_NAMES)
    for canonical, _, names in rows:
        known = {canonical_name(raw) for raw in re.findall(r"`([^`]+)`", names)}
        # Values, not names, decide whether D's outputs are probabilities.
        assert known <= set(re.findall(r"`([^`]+)`", canonical)) and known


def test_thresholds_on_the_page_match_the_code():
    for number in (
        f"{MAX_VALUES:,}",
        f"{divergence.EXPLOSION_FACTOR:,.0f}",
        str(quality.WORSE_FACTOR),
        f"({quality.BAD_SCORES['fid']:.0f}, ",
    ):
        assert number in PAGE
