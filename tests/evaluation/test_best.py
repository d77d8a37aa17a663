"""The weights at the best score are kept, whichever way is better, and stored beside those at the end."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors import safe_open
from small_suites import suite_table, trials_of

from ganbench.contract.errors import RequestError
from ganbench.contract.records import Score
from ganbench.evaluation.best import BestSnapshot
from ganbench.results.trial_files import write_trial


def score(step: int, value: float, better: str, metric: str = "m") -> Score:
    return Score(step, metric, value, better, 0.0, 1, 1, 0.0)


@pytest.mark.parametrize("better, best", [("higher", 3), ("lower", 2)])
def test_the_best_is_the_first_of_equal_ones_and_finite(better, best):
    snapshot = BestSnapshot("m")
    for step, value in enumerate([math.nan, 2.0, 1.0, 5.0, 5.0, 1.0, math.inf]):
        scores = [score(step, value, better), score(step, 1e9, better, "other")]
        snapshot.consider(scores, lambda step=step: {"w": torch.full((1,), float(step))})
    assert snapshot.step == best and snapshot.weights["w"].item() == best
    record = snapshot.record()
    assert (record.metric, record.step, record.weights["w"].tolist()) == ("m", best, [best])


def test_nothing_is_kept_where_nothing_is_asked_for():
    snapshot = BestSnapshot("")
    snapshot.consider([score(1, 1.0, "higher")], lambda: pytest.fail("weights are copied"))
    assert snapshot.record() is None


def test_it_is_stored_with_its_score(tmp_path, run_here):
    evaluation = {"at": [0.5, 1.0], "samples": 200, "keep_best": "modes.covered"}
    (trial,) = trials_of(suite_table(evaluation=evaluation))
    write_trial(tmp_path / "trial", run_here(trial))
    with safe_open(tmp_path / "trial" / "best.safetensors", "pt") as file:
        about = json.loads(file.metadata()["ganbench"])
        assert about["metric"] == "modes.covered" and about["step"] in (30, 60)
        assert len(file.keys())


def test_a_score_that_is_not_measured_is_refused():
    with pytest.raises(RequestError, match=r"\[evaluation\]: keep_best: 'mode' is not among .*did you mean 'modes'"):
        trials_of(suite_table(evaluation={"keep_best": "mode.covered"}))


def test_ids_state_it_where_it_is_asked_for():
    plain, same, other = (
        trials_of(suite_table(evaluation={"samples": 200, **more}))[0].id
        for more in ({}, {"keep_best": ""}, {"keep_best": "modes"})
    )
    assert plain == same != other
