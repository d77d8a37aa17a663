"""Runs the trials of one task of an array, inside its job: `python -m ganbench_slurm.worker FOLDER`.

Each trial has a process of its own below this one, so that one that hangs, dies or wants too much memory costs itself
alone. A job that Slurm starts again does what is left of its task.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import ganbench

from .batch import Batch

LOOK_SECONDS = 1.0  # between two looks at whether to stop
TERMINATION_SECONDS = 12.0  # between SIGTERM and SIGKILL Slurm leaves 30 s by default, and clusters less


class Watch:
    """Beats as long as the job lives, and pauses its trials when asked by a signal or by the run.

    Args:
        batch: The batch of the job.
        index: Its task.
        executor: What runs its trials.
    """

    def __init__(self, batch: Batch, index: int, executor: ganbench.Executor) -> None:
        self._batch, self._index, self._executor = batch, index, executor
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._grace: float | None = None

    def start(self) -> None:
        """Begin. Raises OSError if the folder cannot be written."""
        self._batch.beat(self._index, 0)
        signal.signal(signal.SIGTERM, self._handle)
        signal.signal(signal.SIGUSR1, self._handle)  # which Slurm is asked to send before the job's time is over
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    @property
    def is_asked(self) -> bool:
        """Whether the job has been asked to end."""
        return self._grace is not None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._grace is None:
            self._grace = TERMINATION_SECONDS if number == signal.SIGTERM else self._batch.facts.grace
            self._executor.pause(self._grace)

    def _watch(self) -> None:
        beats, since_beat = 0, 0.0
        while not self._over.wait(LOOK_SECONDS):
            since_beat += LOOK_SECONDS
            if since_beat >= self._batch.facts.heartbeat:
                beats, since_beat = beats + 1, 0.0
                with contextlib.suppress(OSError):  # out of reach for now
                    self._batch.beat(self._index, beats)
            if self._grace is None and self._batch.is_asked_to_stop:
                self._grace = TERMINATION_SECONDS
            if self._grace is not None:
                self._executor.pause(self._grace)  # again: a signal may come before its trials begin


def run_task(folder: Path, index: int) -> None:
    """Run what is left of a task. Raises OSError or StorageError if its folder cannot be read or written."""
    batch = Batch.read(folder)
    log, trials = batch.events(index), {trial.id: trial for trial in batch.trials(index)}
    for event in batch.events(index).read(trials):
        if isinstance(event, ganbench.TrialEnded) and event.result.status is not ganbench.Status.PAUSED:
            trials.pop(event.result.trial.id, None)
    threads = batch.facts.threads or int(os.environ.get("SLURM_CPUS_PER_TASK") or 1)
    executor = ganbench.build_executor("processes", workers=1, threads=threads)
    watch = Watch(batch, index, executor)
    watch.start()
    try:
        for result in executor.run(list(trials.values()), log.append):
            if result.status is not ganbench.Status.PAUSED:
                result = ganbench.store_result(Path(batch.facts.results), result, folder / "staging")
            log.append(ganbench.TrialEnded(result))
    except ganbench.StorageError as error:
        with contextlib.suppress(OSError):  # not even room for this: the run finds that out as it submits the job again
            batch.say_unstored(index, str(error))
        raise
    finally:
        watch.stop()


def main() -> None:
    """Run the task that Slurm names in the environment; of what goes wrong say one line."""
    folder = Path(sys.argv[1])
    try:
        run_task(folder, int(os.environ["SLURM_ARRAY_TASK_ID"]))
    except OSError as error:  # a full disk names no file
        sys.exit(f"ganbench: {error.filename or folder} cannot be read or written: {error.strerror or error}")
    except (ValueError, ganbench.StorageError, ganbench.RequestError) as error:
        sys.exit(f"ganbench: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
