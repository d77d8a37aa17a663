"""What README and docs show works as they show it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from small_suites import trials_of

import ganbench
from ganbench.cli import COMMANDS, main
from ganbench.contract.renamed import EVIDENCE
from ganbench.registry.registry import load_registry
from ganbench.results.ranking import Verdict
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
    suite, _ = blocks((ROOT / "docs" / "suites.md").read_text(encoding="utf-8"), "toml")
    trials = trials_of(tomllib.loads(suite))
    assert {trial.method for trial in trials} >= {"mine", "mlp+mlp+minimax"}


def test_the_methods_of_basic_are_named():
    (basic,) = (entry.build() for entry in load_registry().entries("suite") if entry.name == "basic")
    methods = tomllib.loads(basic.read_text(encoding="utf-8"))["methods"]
    assert re.findall(r"^\| `([\w-]+)` \| .+ \| .*\|$", README.partition("## Install")[0], re.MULTILINE) == list(
        methods
    )


def test_pictures_are_on_the_first_screen_with_alternative_texts():
    before = README.partition("```sh")[0]
    pictures = re.findall(r'<img src="docs/pictures/(\w+).png" alt="([^"]{60,})"', before)
    assert [path for path, _ in pictures] == ["ranking", "curves", "cured"]


def test_every_command_and_verdict_is_in_the_readme():
    for command in COMMANDS:
        assert f"ganbench {command}" in README
    for entry in load_registry().entries("diagnosis"):
        assert f"`{entry.name}`" in README


def test_the_component_of_contributing_keeps_the_contract(tmp_path, monkeypatch):
    (plugin,) = blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    (tmp_path / "ganbench_plugins.py").write_text(plugin)
    monkeypatch.chdir(tmp_path)
    (candidate,) = select_candidates(["ganbench_plugins.py"])
    outcomes = list(run_checks(candidate))
    assert outcomes and not [outcome for outcome in outcomes if outcome.status == "failed"]


def test_the_glossary_has_every_old_name_of_evidence():
    assert dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", GLOSSARY, re.MULTILINE)) == EVIDENCE


def test_the_glossary_has_each_term_once_and_those_of_comparisons():
    terms = re.findall(r"^\*\*([\w -]+)\*\*: ", GLOSSARY, re.MULTILINE)
    assert len(terms) == len(set(terms))
    assert {"floor", "features", "margin", "seeds needed", "lost", "left out", "overall score"} <= set(terms)
    for word in {*get_args(Verdict)} - {"best", "better", "worse"}:  # which mean what they mean
        assert f"**{word}**" in GLOSSARY or f"*{word}*" in GLOSSARY


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ganbench.__version__}\n" in citation and "\nlicense: MIT\n" in citation
