"""One trial after the other, in the calling process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import ganbench


class Inline(ganbench.Executor):
    """One trial after the other in this process, for debugging: a trial that hangs or kills its process ends the run."""

    expected_failures = {"survives-a-trial-that-dies": "runs trials in the calling process"}

    def __init__(self, *, threads: int | None = None) -> None:
        self.threads = threads

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Results in the order of `trials`; timeouts are not kept."""
        for trial in trials:
            yield ganbench.run_trial(trial, emit, self.threads)
