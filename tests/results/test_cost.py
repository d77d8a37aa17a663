"""What a run takes is said from trials that have ended, and from stated costs where none has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from stored_runs import LOST, results_of

from ganbench.results.cost import Durations, forecast, stated_seconds


@pytest.fixture
def results():
    return results_of({"a": [1, 2], "b": [1, LOST], "c": [1, 2]})


def test_trials_of_the_same_method_and_data_are_taken_as_they_were(results):
    durations = Durations([replace(results[0], seconds=4.0), replace(results[2], seconds=8.0)])
    assert durations.predict(results[1].trial) == pytest.approx(4.0)
    assert durations.predict(results[3].trial) == pytest.approx(8.0)
    assert durations.predict(results[4].trial) == pytest.approx(6.0), "a method that none ended of"
    longer = replace(results[0].trial, training=replace(results[0].trial.training, steps=60_000))
    assert durations.predict(longer) > 50 * durations.predict(results[0].trial)


def test_lost_trials_say_nothing(results):
    assert Durations([results[3]]).measured == 0


def test_a_forecast_spreads_trials_over_workers_and_is_no_shorter_than_the_longest(results):
    trials = [result.trial for result in results]
    one, two, many = (forecast(trials, results[:1], workers) for workers in (1, 2, 100))
    assert one.measured == 1 and (one.workers, two.workers, many.workers) == (1, 2, 6)
    assert one.seconds > two.seconds > many.seconds >= 1.5
    assert one.bytes == two.bytes > 0
    assert forecast([], [], 2).seconds == 0


def test_a_timed_step_comes_before_what_is_stated(results):
    trials = [result.trial for result in results]
    steps = {(trial.dataset, trial.method): 2.0 for trial in trials}
    timed = forecast(trials, [], 1, steps=steps)
    assert timed.timed and not forecast(trials, [], 1).timed
    assert timed.seconds == pytest.approx(sum(2.0 * trial.training.steps for trial in trials), rel=0.1)
    assert forecast(trials, results[:1], 1, steps=steps).seconds < timed.seconds / 10, "trials that ended come first"


def test_stated_costs_grow_with_steps_updates_and_pixels(results):
    trial = results[0].trial
    images = replace(trial, data=replace(trial.data, kind="images", shape=(3, 32, 32)))
    more = replace(trial, training=replace(trial.training, d_steps=5, steps=6000))
    assert stated_seconds(trial) < stated_seconds(more)
    assert stated_seconds(trial) < stated_seconds(images)
