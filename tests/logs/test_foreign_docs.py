"""What docs/foreign-logs.md shows is what one gets."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganbench.logs.downsample import CAPACITY
from ganbench.logs.names import KNOWN, our_name
from ganbench.logs.rules import divergence, quality

PAGE = (Path(__file__).parents[2] / "docs" / "foreign-logs.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```(?:csv|text) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```console\n\$ ganbench diagnose (.+?)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("arguments, shown", COMMANDS)
def test_commands_say_what_is_shown(diagnose, tmp_path, monkeypatch, arguments, shown):
    monkeypatch.chdir(tmp_path)
    for name, content in FILES:
        (tmp_path / name).write_text(content)
    said = diagnose(*shlex.split(arguments), as_json=False)
    assert (said.code, said.err + said.out) == (0, shown)


def test_names_that_are_listed_are_known():
    section = PAGE.partition("## Names")[2].partition("## What")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("| `")]
    listed = {name for ours, _, _ in rows for name in re.findall(r"`([^`]+)`", ours)}
    assert listed == set(KNOWN)
    for ours, _, names in rows:
        known = {our_name(raw) for raw in re.findall(r"`([^`]+)`", names)}
        # Whether D's outputs are probabilities their values tell, not their names.
        assert known <= set(re.findall(r"`([^`]+)`", ours)) and known


def test_thresholds_on_the_page_are_those_of_the_code():
    for number in (f"{CAPACITY:,}", f"{divergence.EXPLODED:,.0f}", str(quality.LOST), f"({quality.BAD['fid']:.0f}, "):
        assert number in PAGE
