"""Results and events of trials that ran elsewhere come back through files, whole or not at all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from small_disks import fill

import ganbench


@pytest.fixture
def result(make_trial):
    trial = make_trial(metrics=["modes"])
    history = ganbench.History({"step": np.array([1, 2]), "loss_d": np.array([0.5, math.nan])}, 2)
    artifacts = ganbench.Artifacts(history, weights={"w": np.arange(3, dtype=np.float32)})
    score = ganbench.Score(2, "modes.covered", 3.0, "higher", 8.0, 200, 200, 0.1)
    return ganbench.TrialResult(
        trial, ganbench.Status.DONE, steps=2, scores=(score,), output="hi\n", artifacts=artifacts
    )


def test_a_stored_result_is_read_as_it_was(result, tmp_path):
    kept = ganbench.store_result(tmp_path / "run", result, tmp_path / "staging")
    assert kept.stored and kept.artifacts is None and kept.scores == result.scores
    read = ganbench.read_stored(tmp_path / "run", result.trial)
    assert read is not None and read.stored and read.trial == result.trial and read.output == "hi\n"
    assert [(s.metric, s.value) for s in read.scores] == [("modes.covered", 3.0)] and math.isnan(read.scores[0].low)
    whole = ganbench.read_stored(tmp_path / "run", result.trial, arrays=True)
    assert not whole.stored
    np.testing.assert_array_equal(whole.artifacts.weights["w"], result.artifacts.weights["w"])
    np.testing.assert_array_equal(whole.artifacts.history.columns["loss_d"], [0.5, math.nan])
    assert list((tmp_path / "staging").iterdir()) == []


def test_a_result_replaces_an_older_one_whoever_wrote_that(result, tmp_path):
    first = replace(result, status=ganbench.Status.ERROR, reason="first", artifacts=None)
    ganbench.store_result(tmp_path / "run", first, tmp_path / "a")
    ganbench.store_result(tmp_path / "run", result, tmp_path / "b")
    assert ganbench.read_stored(tmp_path / "run", result.trial).status is ganbench.Status.DONE
    assert [f.name for f in (tmp_path / "run" / "trials").iterdir()] == [result.trial.id]
    assert not any((tmp_path / "b").iterdir())


def test_a_result_that_cannot_be_stored_is_an_error(result, tmp_path):
    odd = replace(result, left_out={"metric": object()})
    kept = ganbench.store_result(tmp_path / "run", odd, tmp_path / "staging")
    assert kept.status is ganbench.Status.ERROR and kept.reason.startswith("the result cannot be stored")
    assert ganbench.read_stored(tmp_path / "run", result.trial).reason == kept.reason


def test_a_folder_that_cannot_be_written_is_one_line(result, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(ganbench.StorageError, match=r"cannot be stored in .*run: ") as raised:
        ganbench.store_result(tmp_path / "run", result, tmp_path / "staging")
    assert "\n" not in str(raised.value)
    assert not any((tmp_path / "staging").iterdir())


def test_what_is_not_there_or_damaged_is_no_result(result, tmp_path):
    assert ganbench.read_stored(tmp_path, result.trial) is None
    ganbench.store_result(tmp_path, result, tmp_path / "staging")
    (tmp_path / "trials" / result.trial.id / "result.json").write_text("{")
    assert ganbench.read_stored(tmp_path, result.trial) is None


def test_events_are_followed_in_order(result, tmp_path):
    trial, path = result.trial, tmp_path / "events"
    log, follower = ganbench.EventLog(path), ganbench.EventLog(path)
    assert follower.read({trial.id: trial}) == []
    row = {"loss_d": np.float32(0.5), "loss_g": math.inf}
    log.append(ganbench.TrialStarted(trial))
    log.append(ganbench.TrialProgress(trial.id, 1, 2, row))
    started, progress = follower.read({trial.id: trial})
    assert started == ganbench.TrialStarted(trial)
    assert (progress.step, progress.steps, progress.row) == (1, 2, {"loss_d": 0.5, "loss_g": math.inf})
    log.append(ganbench.TrialResumed(trial.id, 1))
    log.append(ganbench.TrialNote(trial.id, "a note"))
    log.append(ganbench.RunEnded("suite", ()))  # of no trial
    log.append(ganbench.TrialEnded(replace(result, status=ganbench.Status.PAUSED, reason="asked")))
    resumed, note, ended = follower.read({trial.id: trial})
    assert resumed == ganbench.TrialResumed(trial.id, 1) and note == ganbench.TrialNote(trial.id, "a note")
    assert (ended.result.status, ended.result.reason, ended.result.steps) == (ganbench.Status.PAUSED, "asked", 2)
    assert follower.read({trial.id: trial}) == []


def test_lines_that_were_cut_short_or_are_no_events_are_passed_over(result, tmp_path):
    trial, path = result.trial, tmp_path / "events"
    path.write_bytes(b'["started", "another trial"]\n[1]\nnull\n["resumed", "%s", "x"]\n["note"' % trial.id.encode())
    follower = ganbench.EventLog(path)
    assert follower.read({trial.id: trial}) == [], "the last line may still be written"
    ganbench.EventLog(path).append(ganbench.TrialNote(trial.id, "after a kill"))
    assert follower.read({trial.id: trial}) == [ganbench.TrialNote(trial.id, "after a kill")]


def test_events_wait_while_the_disk_is_full_and_only_the_end_of_a_trial_does_not(result, tmp_path, small_disk):
    trial, log = result.trial, ganbench.EventLog(small_disk("64k") / "events")
    log.append(ganbench.TrialStarted(trial))
    filling = fill(log.path.parent)
    for step in range(1, 101):  # more than what is left of the page
        log.append(ganbench.TrialProgress(trial.id, step, 100, {"loss_g": 0.1 * step}))
    with pytest.raises(OSError, match="No space left on device"):
        log.append(ganbench.TrialEnded(result))
    filling.unlink()
    log.append(ganbench.TrialNote(trial.id, "again"))
    events = ganbench.EventLog(log.path).read({trial.id: trial})
    assert [type(event).__name__ for event in events] == [
        "TrialStarted", *100 * ["TrialProgress"], "TrialEnded", "TrialNote"
    ]  # fmt: skip
    assert [event.step for event in events[1:101]] == list(range(1, 101))


def test_an_executor_is_built_by_its_name():
    executor = ganbench.build_executor("processes", workers=1, threads=2)
    assert (executor.workers, executor.threads) == (1, 2)
    with pytest.raises(ganbench.RequestError, match="no executor is called 'proceses'"):
        ganbench.build_executor("proceses")
    with pytest.raises(ganbench.RequestError, match="unknown key 'wokers'"):
        ganbench.build_executor("processes", wokers=1)
