"""How trials that run on other machines come back: through a run's results folder alone, and never as code.

The machine that runs a trial stores its result there, whole or not at all, and appends what happens to a log, a line of
JSON for each event. The machine that started the run follows the logs and reads results. Nothing is locked, and no clock
is compared with another's.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..contract.errors import StorageError
from ..contract.events import Event, TrialEnded, TrialNote, TrialProgress, TrialResumed, TrialStarted
from ..contract.failures import Status
from ..contract.records import Artifacts, Trial, TrialResult
from .store import explain_failed_write
from .trial_files import UnreadableTrial, read_history, read_result, write_trial

MAX_UNWRITTEN = 1000  # events that wait for a file that cannot be written; of more, the oldest are left out
MAX_RIVALS = 20  # others that store the same trial at the same moment


def store_result(results: Path, result: TrialResult, staging: Path) -> TrialResult:
    """Store a result in a run's results folder; return it without its arrays, as stored. Others may do so as well.

    Args:
        results: The results folder.
        result: The result; one that a plugin put something odd into becomes an error.
        staging: A folder on the same file system, where it is written before it is moved into place. What is found there
            afterwards was left by writers that were killed.

    Raises:
        StorageError: If it cannot be written, as on a full disk. Nothing half-written is left.
    """
    trial_id = result.trial.id
    staged = staging / f"{trial_id}.{uuid.uuid4().hex[:8]}"
    try:
        try:
            write_trial(staged, result)
        except (TypeError, ValueError) as error:
            result = TrialResult(
                result.trial, Status.ERROR, f"the result cannot be stored: {error}", steps=result.steps
            )
            write_trial(staged, result)
        _move(staged, results / "trials" / trial_id)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise StorageError(explain_failed_write(f"the result of {trial_id}", results, error)) from error
    return replace(result, artifacts=None, stored=True)


def read_stored(results: Path, trial: Trial, arrays: bool = False) -> TrialResult | None:
    """Return the result of a trial from a run's results folder; None if it is not there, or not readable yet.

    Args:
        results: The results folder.
        trial: The trial.
        arrays: Whether its history and its weights are read too, for whom the folder is no place to look.
    """
    folder = results / "trials" / trial.id
    try:
        result = replace(read_result(folder), trial=trial, stored=not arrays)
        if output := _read_text(folder / "output.txt"):
            result = replace(result, output=output)
        return replace(result, artifacts=_read_arrays(folder)) if arrays else result
    except (UnreadableTrial, OSError):
        return None


class EventLog:
    """Events of trials that run on another machine: there they are appended to a file, and here they are followed.

    One process appends at a time. Lines that were cut short or are not an event are passed over. While the file cannot be
    written, as on a full disk, events wait for the next that can, so that training goes on; the end of a trial does not.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0  # bytes
        self._unwritten: deque[bytes] = deque(maxlen=MAX_UNWRITTEN)

    def append(self, event: Event) -> None:
        """Append an event of a trial; others are left out. Of a result only status, reason, steps are kept.

        Raises OSError if the file cannot be written and the event is a trial's end: who follows would wait for it.
        """
        line = _encode(event)
        if line is None:
            return
        self._unwritten.append(json.dumps(line, default=float).encode() + b"\n")
        try:
            self._write_waiting()
        except OSError:
            if isinstance(event, TrialEnded):
                raise

    def _write_waiting(self) -> None:
        # Opened anew each time: on a network file system others see what was written when the file is closed.
        with self.path.open("ab+", buffering=0) as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":  # a writer was killed in the middle of a line
                    file.write(b"\n")
            while self._unwritten:
                end = file.seek(0, 2)
                if file.write(self._unwritten[0]) < len(self._unwritten[0]):
                    file.truncate(end)  # nobody has read a part of a line
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                self._unwritten.popleft()

    def read(self, trials: Mapping[str, Trial]) -> list[Event]:
        """Return the events that were appended since the last call, of those trials.

        Args:
            trials: The trials by id.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                content = file.read()
        except OSError:  # it has not begun, or its machine is out of reach for now
            return []
        whole = content.rfind(b"\n") + 1
        self._read += whole
        return [event for line in content[:whole].splitlines() if (event := _decode(line, trials)) is not None]


def _move(staged: Path, folder: Path) -> None:
    """Move a stored trial into place, and what is there out of the way."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(MAX_RIVALS):
        try:
            staged.replace(folder)
            return
        except OSError:
            if attempt == MAX_RIVALS - 1 or not folder.exists():
                raise
        older = staged.with_name(f"{staged.name}.{attempt}.old")
        try:
            folder.replace(older)
        except FileNotFoundError:
            continue
        shutil.rmtree(older, ignore_errors=True)


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _read_arrays(folder: Path) -> Artifacts | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not (folder / "history.parquet").exists():
        return None
    weights = folder / "weights.safetensors"
    try:
        return Artifacts(read_history(folder), weights=load_file(weights) if weights.exists() else {})
    except SafetensorError as error:
        raise UnreadableTrial(f"{weights}: {error}") from error


def _encode(event: Event) -> list[Any] | None:
    match event:
        case TrialStarted(trial):
            return ["started", trial.id]
        case TrialResumed(trial_id, step):
            return ["resumed", trial_id, step]
        case TrialNote(trial_id, text):
            return ["note", trial_id, text]
        case TrialProgress(trial_id, step, steps, row):
            return ["progress", trial_id, step, steps, dict(row)]
        case TrialEnded(result):
            return ["ended", result.trial.id, str(result.status), result.reason, result.steps]
    return None


def _decode(line: bytes, trials: Mapping[str, Trial]) -> Event | None:
    try:
        match json.loads(line):
            case ["started", str(trial_id)]:
                return TrialStarted(trials[trial_id])
            case ["resumed", str(trial_id), int(step)]:
                return TrialResumed(trials[trial_id].id, step)
            case ["note", str(trial_id), str(text)]:
                return TrialNote(trials[trial_id].id, text)
            case ["progress", str(trial_id), int(step), int(steps), dict(row)]:
                return TrialProgress(trials[trial_id].id, step, steps, {str(k): float(v) for k, v in row.items()})
            case ["ended", str(trial_id), str(status), str(reason), int(steps)]:
                return TrialEnded(TrialResult(trials[trial_id], Status(status), reason, steps=steps))
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None
