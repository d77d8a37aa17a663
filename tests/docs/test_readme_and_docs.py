"""What README and docs show works as they show it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from small_suites import trials_of

import ganbench
from ganbench.cli import COMMANDS, main
from ganbench.contract.renamed import EVIDENCE
from ganbench.registry.registry import load_registry
from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_first_two_shell_blocks_are_one_line_each():
    run, test, *_ = blocks(README, "sh")
    assert run.count("\n") == test.count("\n") == 1
    assert run.rstrip().endswith("ganbench run --suite basic") and test.rstrip().endswith("pytest")


def test_the_readmes_loss_and_suite_run_as_they_stand(tmp_path, monkeypatch):
    (plugin,), (suite,) = blocks(README, "python"), blocks(README, "toml")
    (tmp_path / "ganbench_plugins.py").write_text(plugin)
    (tmp_path / "mine.toml").write_text(suite)
    monkeypatch.chdir(tmp_path)
    short = ["--steps", "10", "--seeds", "1", "--executor", "inline", "--only", "dataset=ring"]
    monkeypatch.setattr(sys, "argv", ["ganbench", "run", "--suite", "mine.toml", *short])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    trials = pd.read_csv("results/mine/report/trials.csv")
    assert set(trials.method) == {"mine", "hinge"} and set(trials.status) == {"done"}


def test_the_suite_of_the_docs_is_one():
    (suite,) = blocks((ROOT / "docs" / "suites.md").read_text(encoding="utf-8"), "toml")
    trials = trials_of(tomllib.loads(suite))
    assert {trial.method for trial in trials} >= {"mine", "mlp+mlp+minimax"}


def test_every_command_and_verdict_is_in_the_readme():
    for command in COMMANDS:
        assert f"ganbench {command}" in README
    for entry in load_registry().entries("diagnosis"):
        assert f"`{entry.name}`" in README


def test_what_docs_point_to_is_there():
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if not target.startswith("https:"):
                assert (path.parent / target).exists(), f"{path.name} points to {target}"


def test_the_component_of_contributing_keeps_the_contract(tmp_path, monkeypatch):
    (plugin,) = blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    (tmp_path / "ganbench_plugins.py").write_text(plugin)
    monkeypatch.chdir(tmp_path)
    (candidate,) = select_candidates(["ganbench_plugins.py"])
    outcomes = list(run_checks(candidate))
    assert outcomes and not [outcome for outcome in outcomes if outcome.status == "failed"]


def test_the_glossary_has_every_old_name_of_evidence():
    assert dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", GLOSSARY, re.MULTILINE)) == EVIDENCE


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ganbench.__version__}\n" in citation and "\nlicense: MIT\n" in citation
