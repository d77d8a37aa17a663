"""Every tracker stores each trial completely and separately, as its library's own reader shows."""

import math
import shutil

import pytest
from tracked_trials import KNOWN, READERS, make_result, make_trial, progress

import ganbench


@pytest.fixture(params=sorted(READERS))
def tracker(request, monkeypatch, listener, output, empty_mlflow_store):
    monkeypatch.setenv("GANBENCH_TRACKERS", request.param)
    if request.param == "mlflow":
        (output / "tracking/mlflow").mkdir(parents=True)
        shutil.copy(empty_mlflow_store, output / "tracking/mlflow/mlflow.db")
    return request.param


@pytest.fixture
def read(tracker, output):
    return lambda: READERS[tracker](output / "tracking")


def start(listener, output):
    listener.handle(ganbench.RunStarted("tiny", 2, 0, str(output)))


def test_trials_side_by_side_are_kept_apart(listener, output, read):
    first, second = make_trial(0), make_trial(1)
    start(listener, output)
    listener.handle(ganbench.TrialStarted(first))
    listener.handle(ganbench.TrialStarted(second))
    for step in (10, 20):
        listener.handle(progress(first, step, loss_d=0.5 * step))
        listener.handle(progress(second, step, loss_d=0.25 * step))
    listener.handle(ganbench.TrialEnded(make_result(second)))
    listener.handle(ganbench.TrialEnded(make_result(first)))
    listener.handle(ganbench.RunEnded("tiny", ()))

    kept = read()
    assert set(kept) == {first.id, second.id}
    assert kept[first.id].metrics["history/loss_d"] == [(10, 5.0), (20, 10.0)]
    assert kept[second.id].metrics["history/loss_d"] == [(10, 2.5), (20, 5.0)]
    assert "history/step" not in kept[first.id].metrics
    whole = kept[first.id]
    # MLflow keeps parameters as text, TensorBoard every number as a float.
    assert {name: type(value)(whole.parameters[name]) for name, value in KNOWN.items()} == KNOWN
    assert whole.metrics["scores/energy-distance"] == [(10, 0.5), (20, 0.25)]
    assert whole.metrics["floors/energy-distance"] == [(10, pytest.approx(0.01)), (20, pytest.approx(0.01))]
    assert "done" in whole.outcome and "mode-collapse" in whole.outcome
    assert whole.failed is False


def test_values_that_are_not_finite_are_kept_and_harm_nothing(listener, output, read):
    trial = make_trial(0)
    start(listener, output)
    listener.handle(ganbench.TrialStarted(trial))
    listener.handle(progress(trial, 10, loss_d=math.nan, loss_g=-math.inf, logit_max=math.inf, d_real=0.5))
    listener.handle(ganbench.TrialEnded(make_result(trial, "diverged", "not finite since step 9")))
    listener.handle(ganbench.RunEnded("tiny", ()))

    kept = read()[trial.id]
    ((_, loss_d),) = kept.metrics["history/loss_d"]
    ((_, loss_g),) = kept.metrics["history/loss_g"]
    ((_, logit_max),) = kept.metrics["history/logit_max"]
    assert math.isnan(loss_d)
    assert loss_g <= -1e308 and logit_max >= 1e308
    assert kept.metrics["history/d_real"] == [(10, 0.5)]
    assert "not finite since step 9" in kept.outcome
    assert kept.failed is False, "a trial that diverged is a result"


def test_a_lost_trial_is_marked_as_failed_even_if_no_worker_started_it(listener, output, read):
    lost, never_started = make_trial(0), make_trial(1)
    start(listener, output)
    listener.handle(ganbench.TrialStarted(lost))
    listener.handle(progress(lost, 10, loss_d=1.0))
    listener.handle(ganbench.TrialEnded(make_result(lost, "timeout", "not done after 5 s")))
    listener.handle(ganbench.TrialEnded(make_result(never_started, "error", "no worker was left to start it")))
    listener.handle(ganbench.RunEnded("tiny", ()))

    kept = read()
    assert kept[lost.id].failed and kept[never_started.id].failed
    assert kept[lost.id].metrics["history/loss_d"] == [(10, 1.0)]
    assert "not done after 5 s" in kept[lost.id].outcome
    assert "no worker was left to start it" in kept[never_started.id].outcome
    assert kept[never_started.id].parameters["method"] == "hinge"


def test_make_trial_that_never_came_back_is_closed_with_the_run(listener, output, read):
    trial = make_trial(0)
    start(listener, output)
    listener.handle(ganbench.TrialStarted(trial))
    listener.handle(ganbench.RunEnded("tiny", ()))
    assert read()[trial.id].failed


def test_make_trial_made_again_shows_its_new_rows_alone(listener, output, read):
    trial = make_trial(0)
    for loss, status in ((1.0, "error"), (2.0, "done")):
        start(listener, output)
        listener.handle(ganbench.TrialStarted(trial))
        listener.handle(progress(trial, 10, loss_d=loss))
        listener.handle(ganbench.TrialEnded(make_result(trial, status)))
        listener.handle(ganbench.RunEnded("tiny", ()))
    kept = read()[trial.id]
    assert kept.metrics["history/loss_d"] == [(10, 2.0)]
    assert kept.failed is False
