"""The example of runs that are not in the zoo trains, and all of it is scored as held-out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

SUITE = Path(__file__).parents[2] / "examples" / "elsewhere" / "elsewhere.toml"


def test_its_runs_are_trained_labelled_and_scored(say_here, tmp_path):
    chosen = ["--only", "dataset=polytope", "--only", "method=weak/two-wide"]
    run = ["run", "--suite", str(SUITE), "--output", "out", "--executor", "inline", "--steps", "20", "--seeds", "1"]
    assert say_here(*run, *chosen).code == 0
    said = say_here("score", "out")
    assert said.code == 0, said.err
    assert set(pd.read_csv(tmp_path / "out/score/score.csv")["part"]) == {"held-out"}
    runs = pd.read_parquet(tmp_path / "out/recordings/runs.parquet")
    assert sorted(runs["recipe"]) == ["weak/two-wide"]
    assert set(runs["kinds"]) == {12}
