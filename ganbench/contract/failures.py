"""How trials end and what is found of them: statuses, failures, verdicts. Named here, and nowhere else."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How a trial ended."""

    DONE = "done"  # trained to the end of its budget
    STOPPED = "stopped"  # ended early: a target was met, or a diagnosis was sure
    DIVERGED = "diverged"  # its numbers stopped being finite
    ERROR = "error"  # something raised
    TIMEOUT = "timeout"
    SKIPPED = "skipped"  # a component cannot serve the trial
    PAUSED = "paused"  # asked to end early, with a checkpoint to go on from: never stored, and no result

    @property
    def finished(self) -> bool:
        """Whether training ended as it was meant to, so that the trial has a final score."""
        return self in (Status.DONE, Status.STOPPED)

    @property
    def lost(self) -> bool:
        """Whether the trial has no final score though it was trained: the worst outcome there is."""
        return self in (Status.DIVERGED, Status.ERROR, Status.TIMEOUT)

    @property
    def is_fault(self) -> bool:
        """Whether the trial says nothing of its method: it is run again, and the run exits with 1."""
        return self in (Status.ERROR, Status.TIMEOUT)


class Failure(StrEnum):
    """A way in which GAN training fails, and that a built-in diagnosis looks for; plugins may name others."""

    OVERPOWERING_DISCRIMINATOR = "overpowering-discriminator"
    WEAK_DISCRIMINATOR = "weak-discriminator"
    MODE_COLLAPSE = "mode-collapse"
    OSCILLATION = "oscillation"
    DIVERGENCE = "divergence"
    MEMORIZATION = "memorization"


NO_FAILURE_FOUND = "no-failure-found"  # the verdict where nothing is found
UNDERTRAINED = "undertrained"  # the verdict where nothing is found of a run that is still improving, far from the data
QUALITY_REGRESSION = "quality-regression"  # samples were better before, whatever the cause
IGNORED_CONDITION = "ignored-condition"  # G makes the same of every condition, where the data has conditions
WIRING = "wiring"  # the verdict where the program is not what its author thinks: no failure of training itself
INCONCLUSIVE = "inconclusive"  # the verdict where there are signs of a failure, but not enough of them
NAMES_NO_FAILURE = frozenset(
    {NO_FAILURE_FOUND, UNDERTRAINED, INCONCLUSIVE}
)  # verdicts beside which a distance says more

RENAMED_VERDICTS = {"healthy": NO_FAILURE_FOUND}  # as results of earlier versions have them
