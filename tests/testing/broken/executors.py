"""Executors, each with one defect that its name states. All run trials in their own process, to be quick."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import ganbench


class InProcess:
    """Runs trials in the calling process, and keeps the contract as far as possible there."""

    expected_failures = {"survives-a-trial-that-dies": "runs trials in the calling process"}

    def run(self, trials, emit):
        for trial in trials:
            yield ganbench.run_trial(trial, emit, threads=1)


class Undeclared(InProcess):
    """Does not declare that a trial may end its process."""

    expected_failures = {}


class LosesErrors(InProcess):
    """Yields successful results alone."""

    def run(self, trials, emit):
        return (result for result in super().run(trials, emit) if result.status == "done")


class Silent(InProcess):
    """Emits no events."""

    def run(self, trials, emit):
        return super().run(trials, lambda event: None)


class DropsWeights(InProcess):
    """Yields results without their arrays."""

    def run(self, trials, emit):
        for result in super().run(trials, emit):
            yield ganbench.TrialResult(**{**vars(result), "artifacts": None})


class WantsTrials(InProcess):
    """Assumes that there is a first trial."""

    def run(self, trials, emit):
        return super().run([trials[0], *trials[1:]], emit)


class LeavesAProcess(InProcess):
    """Starts a process and does not end it."""

    def run(self, trials, emit):
        if trials:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return super().run(trials, emit)


class Hangs(InProcess):
    """Never returns."""

    def run(self, trials, emit):
        yield from super().run(trials, emit)
        while trials:
            time.sleep(1)


class LastFirst(InProcess):
    """Starts with the last trial, which is allowed."""

    def run(self, trials, emit):
        return super().run(trials[::-1], emit)


class MiddleFirst(InProcess):
    """Starts in the middle, which is allowed."""

    def run(self, trials, emit):
        return super().run([*trials[1:], *trials[:1]], emit)


class WaitsWhenClosed(InProcess):
    """Runs all trials in a thread and waits for it."""

    def run(self, trials, emit):
        with ThreadPoolExecutor(1) as pool:
            for running in [pool.submit(ganbench.run_trial, trial, emit, threads=1) for trial in trials]:
                yield running.result()


class Collects(InProcess):
    """Collects all results before it yields them."""

    def run(self, trials, emit):
        return iter(list(super().run(trials, emit)))


@ganbench.hookimpl
def ganbench_executors():
    for build in [InProcess, *InProcess.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
