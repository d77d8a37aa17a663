"""What a Ray worker does with one trial: it runs it, stores its result and appends to its log."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

import ganbench

STOP = "stop"  # the file that asks all trials to pause
LOOK_SECONDS = 1.0  # between two looks at whether it is there
MAX_OUTPUT_BYTES = 4000  # of a trial's output that are kept


def run_task(content: bytes, folder: str, results: str, working_folder: str, threads: int, node: str) -> None:
    """Run a trial in this process. How it ended is in its log, not in what is returned.

    Where the trial may have left the process in any state, the process exits.

    Args:
        content: The trial, as JSON.
        folder: Where its log and its output go.
        results: The results folder.
        working_folder: Where relative paths of the trial begin.
        threads: CPU threads.
        node: Of the cluster, on which this process is.

    Raises:
        StorageError: If a folder cannot be written.
    """
    trial = msgspec.json.decode(content, type=ganbench.Trial)
    try:
        _run_and_store(trial, Path(folder), Path(results), working_folder, threads, node)
    except OSError as error:
        raise ganbench.StorageError(
            f"what happens to {trial.id} cannot be written to {folder}: {error.strerror or error}; what was stored before is "
            "kept. Make room there, and the same command does the rest"
        ) from error


def _run_and_store(
    trial: ganbench.Trial, place: Path, results: Path, working_folder: str, threads: int, node: str
) -> None:
    ganbench.write_atomically(place / f"{trial.id}.node", node)
    log, environment, before = ganbench.EventLog(place / f"{trial.id}.events"), dict(os.environ), Path.cwd()
    with contextlib.suppress(OSError):  # a node may not have it; then no relative path is of use
        os.chdir(working_folder)
    threads_before = set(threading.enumerate())
    with _watch(place / STOP) as is_asked, _print_into(place / f"{trial.id}.output"):
        result = ganbench.run_trial(trial, log.append, threads)
    if result.status is not ganbench.Status.PAUSED:
        result = replace(result, output=read_output(place, trial.id))
        result = ganbench.store_result(results, result, place / "staging")
    log.append(ganbench.TrialEnded(result))
    if is_asked.is_set() or result.status is ganbench.Status.ERROR or set(threading.enumerate()) - threads_before:
        os._exit(0)
    os.chdir(before)
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)


def read_output(folder: Path, trial_id: str) -> str:
    """Return the end of what a trial has printed."""
    try:
        content = (folder / f"{trial_id}.output").read_bytes()[-MAX_OUTPUT_BYTES:]
    except OSError:
        return ""
    return content.decode("utf-8", "replace")


@contextmanager
def _watch(file: Path) -> Iterator[threading.Event]:
    """Pause the trials of this process when a file appears; give an event that is set then."""
    is_over, is_asked = threading.Event(), threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_SECONDS):
            if file.exists():
                is_asked.set()
                ganbench.pause_trials()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield is_asked
    finally:
        is_over.set()
        thread.join()


@contextmanager
def _print_into(path: Path) -> Iterator[None]:
    """Write what this process prints into a file."""
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("wb") as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError, AttributeError):  # the trial has closed or replaced it
                stream.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
