"""Whatever a trial does to its worker, every trial gets exactly one result, and the others are not affected."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections import Counter

import numpy as np
import psutil
import pytest

import ganbench
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry

FAULTY = '''
import os, sys, time

def make(name, fail):
    class Faulty:
        """Non-saturating until its 5th call."""
        def __init__(self):
            self.calls = 0
            if name == "build":
                raise ValueError("no such thing")
        def discriminator(self, d, real, fake):
            self.calls += 1
            if self.calls == 5:
                fail()
            return nn.functional.softplus(-d(real)).mean() + nn.functional.softplus(d(fake)).mean()
        def generator(self, d, real, fake):
            return nn.functional.softplus(-d(fake)).mean()
    return ganbench.Component(name, Faulty)

def raises():
    raise RuntimeError("failed at its fifth call\\nwith a second line")

@ganbench.hookimpl
def ganbench_losses():
    yield make("raises", raises)
    yield make("build", lambda: None)
    yield make("exits", lambda: sys.exit(3))
    yield make("dies", lambda: os._exit(7))
    yield make("hangs", lambda: time.sleep(60))

class Wide(nn.Module):
    """G of the wrong shape."""
    latent_dim = 3
    def __init__(self, data):
        super().__init__()
        self.net = nn.Linear(3, 5)
    def forward(self, z, labels=None):
        return self.net(z)

class Total(nn.Module):
    """D with one logit for the whole batch, which would broadcast."""
    def __init__(self, data):
        super().__init__()
        self.net = nn.Linear(2, 1)
    def forward(self, x, labels=None):
        return self.net(x).mean(0)

class Doubled(Wide):
    """G in float64."""
    def __init__(self, data):
        super().__init__(data)
        self.net = nn.Linear(3, 2)
    def forward(self, z, labels=None):
        return self.net(z).double()

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("wide", Wide)
    yield ganbench.Component("doubled", Doubled)

@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("total", Total)
'''


def weights_of(result: ganbench.TrialResult) -> np.ndarray:
    return np.concatenate([array.ravel() for array in result.artifacts.weights.values()])


def test_each_fault_becomes_a_result_and_the_other_trials_are_as_if_alone(make_trial, plugin_file):
    files = plugin_file(FAULTY)
    methods = {name: {"loss": name} for name in ("raises", "build", "exits", "dies", "hangs")}
    methods |= {name: {"generator": name} for name in ("wide", "doubled")} | {"total": {"discriminator": "total"}}
    faulty = {name: make_trial(m, files=files, timeout=8.0 if name == "hangs" else 60.0) for name, m in methods.items()}
    healthy = [make_trial(files=files, seed=seed) for seed in (1, 2)]
    alone = [ganbench.run_trial(trial, threads=1) for trial in healthy]

    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 2, "threads": 1}))
    trials = [healthy[0], *faulty.values(), healthy[1]]
    results = {r.trial.id: r for r in executor.run(trials, lambda event: None)}
    assert sorted(results) == sorted(trial.id for trial in trials)

    reason = {name: (results[trial.id].status, results[trial.id].reason) for name, trial in faulty.items()}
    assert reason["raises"] == (
        "error",
        "RuntimeError: failed at its fifth call with a second line (ganbench_plugins.py, line 24, in raises), "
        "after 4 steps",
    )
    assert reason["build"][0] == "error" and "ValueError: no such thing" in reason["build"][1]
    assert reason["exits"][0] == "error" and "SystemExit: 3" in reason["exits"][1]
    assert reason["dies"] == ("error", "the worker died: exit code 7")
    assert reason["hangs"] == ("timeout", "not done after 8 s")
    assert "generator 'wide' returns (8, 5) of float32, and (8, 2) of float32 is expected" in reason["wide"][1]
    assert "generator 'doubled' returns (8, 2) of float64" in reason["doubled"][1]
    assert "discriminator 'total' returns (1,) of float32, and (8,) or a map (8, ...)" in reason["total"][1]
    for trial, reference in zip(healthy, alone, strict=True):
        assert results[trial.id].status == "done"
        np.testing.assert_array_equal(weights_of(results[trial.id]), weights_of(reference))


def test_killing_a_worker_loses_only_its_trial(make_trial):
    trials = [make_trial(seed=seed, steps=2000, batch_size=16) for seed in range(3)]
    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 1, "threads": 1}))
    killed, seen = [], {}

    def kill_once(event: ganbench.Event) -> None:
        if isinstance(event, ganbench.TrialProgress):
            seen[event.trial_id] = event.step
        if isinstance(event, ganbench.TrialProgress) and not killed:
            (worker,) = [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
            killed.append(event.trial_id)
            os.kill(worker.pid, signal.SIGKILL)

    results = list(executor.run(trials, kill_once))
    assert Counter(r.trial.id for r in results) == {trial.id: 1 for trial in trials}
    assert {r.trial.id: (r.status, r.reason) for r in results if r.status != "done"} == {
        killed[0]: ("error", "the worker died: killed by SIGKILL")
    }
    (lost,) = [r for r in results if r.trial.id == killed[0]]
    assert lost.steps == seen[killed[0]] > 0 and lost.seconds > 0  # as far as it was heard of


def test_a_result_that_cannot_be_sent_becomes_an_error(make_trial, plugin_file):
    files = plugin_file('''
class Odd:
    """A diagnosis whose finding cannot be pickled."""
    def diagnose(self, history):
        yield ganbench.Finding("odd", "now", "warning", 0.5, 1, (lambda: "text"), {}, "")

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("odd", Odd)
''')
    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 1, "threads": 1}))
    trials = [make_trial(diagnoses=["odd"], files=files), make_trial(files=files, diagnoses=[])]
    odd, healthy = executor.run(trials, lambda event: None)
    assert odd.status == "error" and odd.reason.startswith("the result cannot be sent: ")
    assert healthy.status == "done"


def test_a_worker_that_dies_idle_loses_no_trial(make_trial):
    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 1, "threads": 1}))
    trials = [make_trial(seed=seed) for seed in range(2)]
    running = executor.run(trials, lambda event: None)
    first = next(running)
    for worker in [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]:
        worker.kill()
    (second,) = running
    assert (first.status, second.status) == ("done", "done")


def test_every_trial_starts_in_the_folder_and_environment_of_the_run(make_trial, plugin_file):
    files = plugin_file("""
import os
class Changes:
    '''A loss that changes the working directory and the environment.'''
    changed = False
    def discriminator(self, d, real, fake):
        if not self.changed and (os.environ.get("GB_SEEN") or os.getcwd() == "/"):
            raise RuntimeError("the trial before has changed it")
        return d(fake).mean() - d(real).mean()
    def generator(self, d, real, fake):
        os.chdir("/")
        os.environ["GB_SEEN"] = "1"
        self.changed = True
        return -d(fake).mean()

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("changes", Changes)
""")
    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 1, "threads": 1}))
    trials = [make_trial({"loss": "changes"}, files=files, seed=seed) for seed in (1, 2)]
    assert [(r.status, r.reason) for r in executor.run(trials, lambda event: None)] == [("done", "")] * 2


def test_an_infinite_timeout_is_no_timeout(make_trial):
    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 1, "threads": 1}))
    (result,) = executor.run([make_trial(timeout=math.inf)], lambda event: None)
    assert result.status == "done"


def test_closing_the_executor_early_ends_its_workers(make_trial):
    executor = load_registry().build("executor", ComponentRef("processes", {"workers": 2, "threads": 1}))
    started = threading.Event()
    running = executor.run(
        [make_trial(seed=s, steps=50 if s == 0 else 200_000) for s in range(3)], lambda e: started.set()
    )
    assert next(running).status == "done"
    running.close()
    assert started.is_set()
    time.sleep(0.2)
    assert not [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]


def test_inline_gives_the_same_results_as_processes(make_trial):
    trial = make_trial()
    inline = load_registry().build("executor", ComponentRef("inline", {"threads": 1}))
    processes = load_registry().build("executor", ComponentRef("processes", {"workers": 1, "threads": 1}))
    (one,) = inline.run([trial], lambda event: None)
    (other,) = processes.run([trial], lambda event: None)
    np.testing.assert_array_equal(weights_of(one), weights_of(other))
    assert one.scores and [s.value for s in one.scores] == [s.value for s in other.scores]


def test_zero_workers_are_refused():
    with pytest.raises(ganbench.RequestError, match="workers = 0"):
        load_registry().build("executor", ComponentRef("processes", {"workers": 0}))
