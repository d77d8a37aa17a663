"""Trials side by side in one process end as one after another, whatever happens to one of them.

There is no GPU here: the turns are those of the executor, on the CPU, which it refuses to users.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from device.tape import Tape

import ganbench
from ganbench.builtin.executors import together
from ganbench.builtin.executors.together import MEASURED_STEPS, Together, _Room
from ganbench.training.capture import StepCapture
from ganbench.training.pause import allow_trials, pause_trials

COMPONENTS = '''
import random, time
import numpy

class Draws(ganbench.Loss):
    """Draws from every global stream, and sets a global setting of torch."""
    def discriminator(self, d, real, fake):
        torch.set_float32_matmul_precision("high")
        weight = 1 + 0.1 * random.random() + 0.1 * numpy.random.rand() + 0.1 * torch.rand(())
        return weight * nn.functional.softplus(-d(real)).mean() + nn.functional.softplus(d(fake)).mean()
    def generator(self, d, real, fake):
        return nn.functional.softplus(-d(fake)).mean()

class Raises(Draws):
    def __init__(self):
        self.calls = 0
    def generator(self, d, real, fake):
        self.calls += 1
        if self.calls == 37:
            raise ValueError("the 37th call")
        return super().generator(d, real, fake)

class NeedsRoom(Draws):
    """Finds no memory while another trial runs."""
    def generator(self, d, real, fake):
        import threading
        if sum(thread.name.startswith("ring") for thread in threading.enumerate()) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().generator(d, real, fake)

class Slow(Draws):
    def generator(self, d, real, fake):
        time.sleep(0.02)
        return super().generator(d, real, fake)

class Hangs(Draws):
    def __init__(self):
        self.seconds = 6
    def generator(self, d, real, fake):
        time.sleep(self.seconds)
        self.seconds = 0
        return super().generator(d, real, fake)

@ganbench.hookimpl
def ganbench_losses():
    for component in (Draws, Raises, NeedsRoom, Slow, Hangs):
        yield ganbench.Component(component.__name__, component)
'''
DIVERGING = {"optimizer": {"name": "sgd", "lr": 1e4}}


@pytest.fixture
def on_cpu(monkeypatch) -> None:
    """Let the executor run trials on the CPU."""
    monkeypatch.setattr(Together, "devices", ("cuda", "cpu"))


@pytest.fixture
def trial_of(make_trial, plugin_file):
    """A trial of a loss with global state."""
    files = plugin_file(COMPONENTS)

    def make(loss: str = "Draws", **more) -> ganbench.Trial:
        return make_trial({"loss": loss}, files=files, **{"steps": 60, "observations": 3, "diagnoses": (), **more})

    return make


def run(trials, **options) -> tuple[list[ganbench.TrialResult], list[ganbench.Event]]:
    events: list[ganbench.Event] = []
    return list(Together(**{"threads": 1, "workers": 4, **options}).run(trials, events.append)), events


def assert_as_alone(result: ganbench.TrialResult) -> None:
    alone = ganbench.run_trial(result.trial, threads=1)
    assert (result.status, result.reason, result.steps) == (alone.status, alone.reason, alone.steps)
    assert [(s.metric, s.step, s.value) for s in result.scores] == [(s.metric, s.step, s.value) for s in alone.scores]
    for name, column in alone.artifacts.history.columns.items():
        np.testing.assert_array_equal(result.artifacts.history.columns[name], column, name)
    assert result.artifacts.weights.keys() == alone.artifacts.weights.keys()
    for name, weight in alone.artifacts.weights.items():
        np.testing.assert_array_equal(result.artifacts.weights[name], weight, name)


def test_results_are_those_of_one_after_another_and_a_fault_costs_its_own_trial_alone(on_cpu, trial_of):
    trials = [trial_of(seed=seed, at=(0.5, 1.0)) for seed in (0, 1)]
    trials += [
        trial_of("Raises"),
        trial_of("wasserstein", **DIVERGING),
        trial_of("hinge", ema=0.9, seed=3, diagnoses="all"),
    ]
    results, events = run(trials)
    assert sorted(r.trial.id for r in results) == sorted(t.id for t in trials)
    by_id = {r.trial.id: r for r in results}
    assert [by_id[t.id].status.value for t in trials] == ["done", "done", "error", "diverged", "done"]
    for result in results:
        assert_as_alone(result)
    started = [event.trial.id for event in events if isinstance(event, ganbench.TrialStarted)]
    assert started == [t.id for t in trials]


def test_trials_take_turns(on_cpu, trial_of):
    _, events = run([trial_of(seed=seed) for seed in (0, 1)])
    order = [event.trial_id for event in events if isinstance(event, ganbench.TrialProgress)]
    assert len(set(order)) == 2 and len(set(order[: len(order) // 2])) == 2  # neither waited for the other's end


def test_captured_steps_of_several_trials_are_those_of_each_alone(on_cpu, make_trial, monkeypatch):
    made: list[StepCapture] = []

    def capture_on_tape(gan) -> StepCapture:
        made.append(StepCapture(gan, Tape()))
        return made[-1]

    monkeypatch.setattr("ganbench.trial._capture", capture_on_tape)
    penalties = {"regularizers": ["gradient-penalty"]}  # which draws from the global stream in a graph
    results, _ = run([make_trial(penalties, seed=seed, steps=90, observations=3) for seed in (0, 1)])
    assert all(captured.launched > 50 for captured in made) and len(made) == 2
    for result in results:
        assert result.captured == "yes"
        assert_as_alone(result)


def test_the_caller_finds_its_global_state_again(on_cpu, trial_of):
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    iterator = Together(threads=1, workers=3).run([trial_of(seed=seed) for seed in range(4)], lambda event: None)
    next(iterator)
    assert torch.get_float32_matmul_precision() == precision
    iterator.close()
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == (threads, precision)


def test_closed_early_it_leaves_no_thread_behind(on_cpu, trial_of):
    before = set(threading.enumerate())
    trials = [trial_of(steps=40), *(trial_of(seed=seed, steps=3000) for seed in (1, 2))]
    iterator = Together(threads=1, workers=3).run(trials, lambda event: None)
    assert next(iterator).status == "done"
    began = time.monotonic()
    iterator.close()
    assert time.monotonic() - began < 5 and set(threading.enumerate()) <= before


def test_a_trial_that_took_the_memory_of_others_is_run_again_alone(on_cpu, trial_of):
    trials = [trial_of(seed=1), trial_of("NeedsRoom"), trial_of(seed=2)]
    results, events = run(trials, workers=3)
    assert [r.status.value for r in results] == ["done"] * 3 and results[-1].trial is trials[1]
    notes = [event.text for event in events if isinstance(event, ganbench.TrialNote)]
    assert notes == ["out of memory beside others; it is run again alone"]


def test_a_timeout_counts_a_trials_own_turns(on_cpu, trial_of):
    trials = [replace(trial_of("Slow", steps=400), timeout=1.0), replace(trial_of(), timeout=60.0)]
    results = {r.trial.id: r for r in run(trials)[0]}
    slow = results[trials[0].id]
    assert (slow.status, slow.reason) == ("timeout", "not done after 1 s of its own")
    assert results[trials[1].id].status == "done"
    assert results[trials[1].id].train_seconds < 5


def test_trials_that_are_asked_to_pause_are_saved_and_no_more_begin(on_cpu, trial_of, tmp_path):
    trials = [
        replace(
            trial_of(seed=seed, steps=100, observations=10), checkpoints=ganbench.Checkpoints(str(tmp_path / str(seed)))
        )
        for seed in range(3)
    ]
    executor, seen = Together(threads=1, workers=2), []

    def emit(event: ganbench.Event) -> None:
        seen.append(event)
        if sum(isinstance(e, ganbench.TrialProgress) for e in seen) == 4:
            pause_trials()
            executor.pause(5.0)

    try:
        results = list(executor.run(trials, emit))
    finally:
        allow_trials()
    assert [r.status.value for r in results] == ["paused", "paused"]
    for result in run(trials)[0]:
        assert_as_alone(replace(result, trial=replace(result.trial, checkpoints=None)))
    assert sum(isinstance(e, ganbench.TrialStarted) for e in seen) == 2


def test_a_trial_that_hangs_does_not_keep_a_pause_from_ending(on_cpu, trial_of):
    executor, events = Together(threads=1, workers=2), []

    def emit(event: ganbench.Event) -> None:
        events.append(event)
        threading.Timer(1.0, lambda: (pause_trials(), executor.pause(0.5))).start()

    before = set(threading.enumerate())
    try:
        results = list(executor.run([trial_of("Hangs")], emit))
        left = [thread.name for thread in threading.enumerate() if thread not in before]
    finally:
        for thread in set(threading.enumerate()) - before:
            thread.join(20)
        allow_trials()
    assert not results and left == [events[0].trial.id]


@pytest.mark.parametrize("options", [{"workers": 0}, {"threads": 0}])
def test_numbers_below_one_are_refused(options):
    with pytest.raises(ganbench.RequestError, match="give at least 1"):
        Together(**options)


def test_a_cpu_is_refused_in_one_line_before_anything_is_written(say_here, tmp_path):
    said = say_here("run", "smoke", "--executor", "together", "--output", "results", "--device", "cpu")
    assert said.code == 2 and not (tmp_path / "results").exists()
    assert (
        said.err.strip()
        .splitlines()[-1]
        .endswith(
            "executor 'together': runs trials side by side on one GPU, and the device is cpu; give --executor processes"
        )
    )
    with pytest.raises(ganbench.RequestError, match="device is cpu"):
        ganbench.run("smoke", executor="together", output=tmp_path / "other", device="cpu")
    assert list(Together().run([], lambda event: None)) == []


def running(steps: int, peak: float, used: float) -> SimpleNamespace:
    turn = SimpleNamespace(peak=int(peak * 2**30), used=int(used * 2**30))
    return SimpleNamespace(steps=steps, turn=turn)


def test_memory_is_planned_from_what_the_first_trial_takes(monkeypatch):
    free = 70.0
    monkeypatch.setattr(together, "free_memory", lambda device: int(free * 2**30))
    room = _Room(None, "cuda", 100)
    assert room.has_one({})
    first = running(MEASURED_STEPS - 1, 1.0, 0.5)
    assert not room.has_one({"a": first})  # it is not known yet
    first.steps += 1
    assert room.has_one({"a": first})
    assert room.note == "up to 51 trials side by side: one takes 1024 MiB, 70.0 GiB are free"
    free = 10.0
    several = {str(i): running(5, 0.3, 0.25) for i in range(8)}
    assert room.has_one({"a": first, **dict(list(several.items())[:6])})  # 0.75 + 6 of 1.0 to come, 1.25 more, of 9
    assert not room.has_one({"a": first, **several})
    free = 0.0
    assert not room.has_one({"a": first}) and room.has_one({})  # alone, a trial is tried whatever there is


def test_as_many_as_are_asked_for_are_taken(monkeypatch):
    room = _Room(3, "cuda", 100)
    assert room.has_one({"a": 1, "b": 2}) and not room.has_one({"a": 1, "b": 2, "c": 3})
