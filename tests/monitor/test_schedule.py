"""Observations, probes and diagnoses come at the planned steps, and in between there are no hooks."""

from __future__ import annotations

import numpy as np
import pytest

import ganbench


def column(monitor, name):
    return monitor.history().columns[name]


def test_there_are_no_hooks_between_observations_after_the_first_steps(gan):
    """The first twenty steps are watched for what is wrong with the program."""
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=200)
    hooked = []
    for step in range(1, 201):
        if gan.g._forward_hooks or gan.d._forward_pre_hooks:
            hooked.append(step)
        gan.step()
        monitor.step()
    steps = [int(step) for step in column(monitor, "step")]
    assert hooked == [*range(1, 21), *steps[2:]] and len(steps) <= 20


def test_probes_are_taken_at_fixed_fractions_of_the_budget(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=200)
    gan.train(monitor, 200)
    probed = column(monitor, "step")[np.isfinite(column(monitor, "coverage"))]
    assert {20, 50, 100, 150, 200} <= set(probed.tolist())


def test_diagnoses_are_made_at_probes(gan, monkeypatch):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=400)
    diagnosed = []
    monkeypatch.setattr("ganbench.monitor.monitor.apply_diagnoses", lambda *_: diagnosed.append(monitor._steps) or ())
    gan.train(monitor, 400)
    assert diagnosed == [20, 40, 100, 200, 300, 400]
    assert len(monitor.history().columns["step"]) == 20


def test_a_budget_may_be_exceeded_or_never_reached(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    gan.train(monitor, 60)
    assert list(monitor.history().columns["step"]) == [10, 20] and monitor.muted is None
    with ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=1000) as monitor:
        gan.train(monitor, 49)
    assert monitor.muted is None and not gan.g._forward_hooks
    gan.train(monitor, 60)
    assert list(monitor.history().columns["step"]) == []


@pytest.mark.parametrize("budget", [1, 2, 7])
def test_a_short_budget_is_observed_at_its_end(gan, budget):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=budget)
    gan.train(monitor, budget)
    assert monitor.history().columns["step"][-1] == budget and monitor.muted is None


def test_the_history_is_empty_before_the_first_observation(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    (step,) = monitor.history().columns.values()
    assert step.dtype.kind == "i" and len(step) == len(monitor.history().columns["step"]) == 0
    assert monitor.findings == () and monitor.should_stop is False


def test_a_monitor_without_diagnoses_observes_to_the_end(gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20, diagnoses=[])
    gan.train(monitor, 20)
    assert monitor.muted is None and list(monitor.history().columns["step"]) == [10, 20] and issued_warnings() == []
