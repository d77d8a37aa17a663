"""A trial is saved when it is due, at a cost that is bounded, and what prevents that costs no training."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from ganbench.contract.records import Checkpoints
from ganbench.training import checkpoint as module
from ganbench.training.checkpoint import INTERVAL_SECONDS, Checkpointer
from ganbench.training.pause import TrialPaused, allow_trials, pause_trials


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def saved_at(settings, clock, steps, seconds_a_step=1.0, cost=0.0, warn=lambda text: None):
    """The steps before which a game is saved, in a run of so many."""
    game, saved = SimpleNamespace(steps_done=0, d_updates=0), []

    def save():
        saved.append(game.steps_done)
        clock.now += cost

    checkpointer = Checkpointer(game, settings, save, warn)
    for _ in range(steps):
        checkpointer.before_step()
        clock.now += seconds_a_step
        game.steps_done += 1
        game.d_updates += 1
    return saved


def test_nothing_is_saved_without_a_folder(clock):
    assert saved_at(None, clock, 1000) == []


def test_steps_and_minutes_each_make_one_due(clock):
    assert saved_at(Checkpoints("", steps=4), clock, 10) == [4, 8]
    assert saved_at(Checkpoints("", minutes=0.05), clock, 10) == [3, 6, 9]
    assert saved_at(Checkpoints("", steps=4, minutes=0.05), clock, 10) == [3, 4, 7, 8]


def test_by_default_one_is_due_each_half_minute_and_costs_at_most_a_hundredth(clock):
    assert saved_at(Checkpoints(""), clock, 100) == [30, 60, 90]
    began, cost = clock.now, 2.0
    saved = saved_at(Checkpoints(""), clock, 2000, cost=cost)
    assert saved[0] == INTERVAL_SECONDS and len(saved) * cost <= 0.011 * (clock.now - began)


def test_a_trial_that_cannot_be_saved_says_so_once_and_trains_on(clock):
    game, lines = SimpleNamespace(steps_done=0, d_updates=0), []

    def save():
        raise OSError("no space left")

    checkpointer = Checkpointer(game, Checkpoints("", steps=1), save, lines.append)
    for game.steps_done in range(5):
        checkpointer.before_step()
    assert lines == ["no checkpoint is saved after 1 steps, and training goes on: no space left"]


def test_a_trial_that_is_asked_to_pause_is_saved_first_but_not_twice():
    game, saved = SimpleNamespace(steps_done=7, d_updates=7), []
    checkpointer = Checkpointer(game, Checkpoints("", steps=8), lambda: saved.append(game.steps_done), print)
    checkpointer.before_step()
    pause_trials()
    try:
        with pytest.raises(TrialPaused):  # it is as it was loaded: there is nothing to save
            checkpointer.before_step()
        game.steps_done = 8
        for _ in range(2):
            with pytest.raises(TrialPaused):
                checkpointer.before_step()
    finally:
        allow_trials()
    assert saved == [8]


def test_asking_whether_one_is_due_costs_next_to_nothing():
    game = SimpleNamespace(steps_done=1, d_updates=1)
    checkpointer = Checkpointer(game, Checkpoints(""), lambda: None, print)
    began = time.perf_counter()
    for _ in range(10_000):
        checkpointer.before_step()
    assert time.perf_counter() - began < 1.0  # 100 us each, where it takes less than 1
