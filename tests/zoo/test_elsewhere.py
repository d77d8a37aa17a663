"""The example of runs that the zoo never saw trains, and all of it is scored as held-out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch.nn.functional as F

import ganbench
from ganbench import catalog as catalogs
from ganbench.records import ComponentRef
from ganbench.zoo.truth.kinds import sort

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


def test_the_truth_knows_its_shapes_from_what_is_none():
    plugin = str(SUITE.with_name("ganbench_plugins.py"))
    shapes = catalogs.load((plugin,)).build("dataset", ComponentRef("shapes", {}))
    real, seen = shapes.held_out(), shapes.training()
    given = ganbench.Samples(seen.x, real.x[:2000], shapes.spec, labels=real.labels[:2000])
    new, other = sort(seen.x[:2000], given), seen.labels[:2000] != seen.labels[2000:4000]
    assert (new.kind == seen.labels[:2000]).all() and new.good.double().mean() > 0.97
    one, another = seen.x[:2000][other], seen.x[2000:4000][other]
    for spoiled in ((one + another) / 2, F.avg_pool2d(one, 5, 1, 2), one * another, -one):
        assert sort(spoiled, given).good.double().mean() < 0.2
