"""A run without a failure that is far from the data: what is said of it, by its scores and its probes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import ganbench
from ganbench.diagnosis.distance import judge_distance
from ganbench.diagnosis.findings import verdicts

STEPS = np.array([25, 50, 75, 100])


def history(distance=(0.5, 0.2, 0.1, 0.11), critic=0.95, steps=100):
    columns = {"energy_distance": distance, "fresh_critic_auc": [1.0, 1.0, critic, critic]}
    columns["fresh_critic_auc_floor"] = [0.5] * 4
    return ganbench.History({"step": STEPS, **{name: np.array(values) for name, values in columns.items()}}, steps)


def course(metric, values, floor, better="lower"):
    """Scores at the last of the steps, one for each value."""
    at = STEPS[-len(values) :]
    return [ganbench.Score(int(step), metric, v, better, floor, 9, 9, 0.1) for step, v in zip(at, values, strict=True)]


FAR, NEAR = course("frechet", [700.0], 10.0), course("frechet", [30.0], 10.0)
NO_RECALL = course("prdc.recall", [0.001], 0.8, "higher")
RECALL = course("prdc.recall", [0.5], 0.8, "higher")
AT_REST = (0.5, 0.2, 0.02, 0.03)  # and near, by its probes


def said(scores, **probes):
    found = judge_distance((), history(**probes), scores)
    return verdicts(found, history(**probes))[0], found


@pytest.mark.parametrize(
    ("scores", "probes", "verdict"),
    [
        ([*FAR, *NO_RECALL], {}, "inconclusive"),  # grey blobs
        (NO_RECALL, {"distance": AT_REST, "critic": 0.6}, "inconclusive"),  # nothing of the data is reached
        ([*FAR, *RECALL], {"distance": AT_REST}, "inconclusive"),  # far by its score, and easily told
        ([], {}, "inconclusive"),  # far by its probes alone
        ([*FAR, *RECALL], {"distance": AT_REST, "critic": 0.6}, "no-failure-found"),  # a floor of many samples is low
        ([*FAR, *NEAR, *RECALL], {"distance": AT_REST}, "no-failure-found"),  # one distance is near
        ([*NEAR, *RECALL], {"distance": AT_REST}, "no-failure-found"),
        ([], {"distance": AT_REST}, "no-failure-found"),
        ([*FAR, *NO_RECALL], {"distance": (0.5, 0.3, 0.2, 0.1)}, "undertrained"),  # still getting nearer
        (course("frechet", [900.0, 800.0, 600.0], 10.0), {"distance": AT_REST}, "undertrained"),  # by its score
        (course("ground-truth.good", [0.0], 0.9, "higher"), {"distance": AT_REST}, "no-failure-found"),
    ],
)
def test_a_run_far_from_the_data_is_told_so(scores, probes, verdict):
    word, found = said(scores, **probes)
    assert word == verdict
    assert [finding.diagnosis for finding in found] == ([] if verdict == "no-failure-found" else [verdict])
    assert all(finding.severity == "warning" and "steps" in finding.remedy.advice for finding in found)


def test_it_says_which_scores_and_by_how_much():
    _, (found,) = said([*FAR, *NO_RECALL])
    assert "prdc.recall is 0.001, and 0.8 of real samples; frechet is 70 times its floor" in found.summary
    assert found.evidence["frechet"] == ganbench.Evidence(700.0, 10.0, 100)


def test_a_failure_needs_no_such_words_and_a_run_that_goes_on_is_not_judged():
    _, (warning,) = said(FAR)
    assert not judge_distance((replace(warning, severity="failure"),), history(), FAR)
    assert not judge_distance((), history(steps=200), FAR)
    assert not judge_distance((), ganbench.History({}, 100), FAR)
