"""docs/getting-started.md can be followed from its first block to its last."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganbench.results.tables import SCORES, TRIALS

PAGE = (Path(__file__).parents[2] / "docs" / "getting-started.md").read_text(encoding="utf-8")
SHORT = [
    "--steps",
    "6",
    "--seeds",
    "1",
    "--executor",
    "inline",
    "--only",
    "method=baseline",
    "--only",
    "method=my-loss",
]
PAPER_SCORES = ("features", "n_real", "n_fake")
PAPER_TRIALS = ("images", "train_seconds", "parameters_g", "parameters_d")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def commands() -> list[list[str]]:
    return [shlex.split(line)[1:] for block in blocks("sh") for line in block.splitlines()]


def test_every_block_runs_in_its_order(commands, say_here, tmp_path):
    draw, plugin, read = blocks("python")
    (suite,) = blocks("toml")
    exec(compile(draw, "draw.py", "exec"), {})
    (tmp_path / "ganbench_plugins.py").write_text(plugin, encoding="utf-8")
    (tmp_path / "mine.toml").write_text(suite, encoding="utf-8")
    check, plan, run, compare, report = commands
    said = say_here(*check)
    assert said.code == 0 and "3 components" in said.out and "failed" not in said.out
    said = say_here(*plan)
    assert said.code == 0 and "20 trials to do" in said.out and "left out" not in said.out
    assert say_here(*run, *SHORT).code == 0
    said = say_here(*compare)
    assert said.code == 0 and said.out.startswith("results/mine:my-loss against results/mine:baseline")
    exec(compile(read, "read.py", "exec"), {})
    assert say_here(*report).code == 0
    for name in re.findall(r"`(results/mine/[^`]+)`", PAGE):
        assert (tmp_path / name).exists(), f"{name} is named and not there"
    assert [file.suffix for file in sorted((tmp_path / "results/mine/report/figures").iterdir())]


def test_columns_that_a_paper_needs_are_written():
    advice = PAGE.partition("## 9.")[2]
    for table, names in ((SCORES, PAPER_SCORES), (TRIALS, PAPER_TRIALS)):
        for name in names:
            assert name in table and f"`{name}`" in advice
