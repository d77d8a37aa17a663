"""docs/results.md describes every column of every CSV file, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from stored_runs import results_of, store_run

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def described(file: str) -> list[str]:
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"\n## {file}\n")
    section = after.partition("\n## ")[0]
    cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("table", ["comparison", "pairwise", "aggregate", "trials", "scores", "findings"])
def test_every_column_is_described_once(table, say_here, tmp_path):
    store = store_run(tmp_path / "run", results_of({"a": [1, 2], "b": [3, 4]}))
    assert say_here("report", "run", "--format", "csv").code == 0
    columns = list(pd.read_csv(store.report / f"{table}.csv").columns)
    assert sorted(described(f"{table}.csv")) == sorted(columns)


def test_every_file_is_described(say_here, tmp_path):
    store = store_run(tmp_path / "run", results_of({"a": [1, 2]}))
    say_here("report", "run", "--format", "csv")
    assert set(re.findall(r"^## (\w+\.csv)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == {
        path.name for path in store.report.iterdir()
    }
