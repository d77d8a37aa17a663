"""Executors, each with one defect that its name states. All run trials in their own process, to be quick."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import ganbench


class InProcess:
    """One trial after the other: keeps the contract as far as one process can."""

    expected_failures = {"survives-a-trial-that-dies": "runs trials in the calling process"}

    def run(self, trials, emit):
        for trial in trials:
            yield ganbench.run_trial(trial, emit, threads=1)


class Undeclared(InProcess):
    """Does not declare that a trial may take it along."""

    expected_failures = {}


class LosesErrors(InProcess):
    """Gives back what went well alone."""

    def run(self, trials, emit):
        return (result for result in super().run(trials, emit) if result.status == "done")


class Silent(InProcess):
    """Says nothing while it works."""

    def run(self, trials, emit):
        return super().run(trials, lambda event: None)


class DropsWeights(InProcess):
    """Sends results without their arrays."""

    def run(self, trials, emit):
        for result in super().run(trials, emit):
            yield ganbench.TrialResult(**{**vars(result), "artifacts": None})


class WantsTrials(InProcess):
    """Takes a first trial for granted."""

    def run(self, trials, emit):
        return super().run([trials[0], *trials[1:]], emit)


class LeavesAProcess(InProcess):
    """Starts a helper that nobody ends."""

    def run(self, trials, emit):
        if trials:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return super().run(trials, emit)


class Hangs(InProcess):
    """Waits for a message that never comes."""

    def run(self, trials, emit):
        yield from super().run(trials, emit)
        while trials:
            time.sleep(1)


class LastFirst(InProcess):
    """Begins with the last trial, as it may."""

    def run(self, trials, emit):
        return super().run(trials[::-1], emit)


class MiddleFirst(InProcess):
    """Begins in the middle, as it may."""

    def run(self, trials, emit):
        return super().run([*trials[1:], *trials[:1]], emit)


class WaitsWhenClosed(InProcess):
    """Hands all trials to a thread, which is waited for."""

    def run(self, trials, emit):
        with ThreadPoolExecutor(1) as pool:
            for running in [pool.submit(ganbench.run_trial, trial, emit, threads=1) for trial in trials]:
                yield running.result()


class Collects(InProcess):
    """Gives all results back together."""

    def run(self, trials, emit):
        return iter(list(super().run(trials, emit)))


@ganbench.hookimpl
def ganbench_executors():
    for build in [InProcess, *InProcess.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
