"""The interface of a tracker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import ganbench


class Record(Protocol):
    """A trial in a tracker, open until `end` or `interrupt`. Several are open at a time."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add values at a step. Steps may go back, and values need not be finite."""
        ...

    def end(self, result: ganbench.TrialResult) -> None:
        """Write how the trial ended, and close."""
        ...

    def interrupt(self) -> None:
        """Close, and mark the trial as interrupted."""
        ...


class Tracker(Protocol):
    """Built for a run; `folder` is for this tracker alone and need not exist."""

    def __init__(self, folder: Path, started: ganbench.RunStarted) -> None: ...

    def open(self, trial: ganbench.Trial) -> Record: ...
