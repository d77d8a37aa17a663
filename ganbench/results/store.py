"""The folder of a run: whose it is, which trials it holds, and who may write."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import msgspec

from ..contract.errors import RequestError
from ..contract.records import TrialResult
from ..suite.trial_id import SCHEMA
from .trial_files import (
    Unreadable,
    newer_schema,
    read_result,
    read_trial,
    rewrite_trial,
    to_json,
    write_atomically,
    write_trial,
)

LOCK_FILE = ".lock"


class Store:
    """The results of one suite in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials = folder / "trials"
        self.report = folder / "report"
        self._old_folders: dict[str, str] | None = None  # of an older schema: trial id -> name of its folder

    @property
    def begun(self) -> bool:
        """Whether there is a run in it, whatever came of it."""
        return (self.folder / "suite.json").exists()

    def check(self, suite: str) -> None:
        """Raises RequestError if the folder is no place for a run of `suite`. Writes nothing."""
        try:
            there = sorted(self.folder.iterdir()) if self.folder.exists() else []
        except NotADirectoryError:
            raise RequestError(f"output {self.folder} is a file; give a folder with --output") from None
        except OSError as error:
            raise RequestError(f"output {self.folder} cannot be read: {error.strerror}") from None
        owner = self.facts().get("suite") if self.begun else None
        if owner is not None and owner != suite:
            raise RequestError(f"output {self.folder} belongs to suite {owner!r}, not {suite!r}; give another --output")
        # Hidden files are what a run killed at its very beginning leaves.
        if owner is None and any(not file.name.startswith(".") for file in there):
            raise RequestError(f"output {self.folder} is not empty and holds no run; give another --output")

    @contextmanager
    def claimed(self, facts: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[None]:
        """Make the folder this run's until the end of the block; leftovers of a killed run are swept away.

        Raises RequestError if it cannot be written, or another run is at work in it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.folder / LOCK_FILE, timeout=0)
            lock.acquire()
        except filelock.Timeout:
            raise RequestError(
                f"another run is at work in {self.folder}; wait for it or give another --output"
            ) from None
        except OSError as error:
            raise RequestError(f"output {self.folder} cannot be written: {error.strerror or error}") from None
        try:
            self._sweep()
            self._migrate()
            # First: from now on the folder has an owner.
            write_atomically(self.folder / "suite.json", to_json({"schema": SCHEMA, **facts}))
            write_atomically(self.folder / "environment.json", to_json(environment))
            self.trials.mkdir(exist_ok=True)
            yield
        finally:
            lock.release()

    def _sweep(self) -> None:
        """Remove what writers that were killed have left half-written."""
        for folder in (self.folder, self.trials, self.report):
            for leftover in folder.glob(".*"):
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                elif leftover.name != LOCK_FILE:
                    leftover.unlink(missing_ok=True)

    def _migrate(self) -> None:
        """Give trials of an older schema their present ids. Killed in between, the next run does the rest."""
        if not self.begun:
            return
        for trial_id, name in self._folders_of_older_schema().items():
            if name != trial_id and not (self.trials / trial_id).exists():
                rewrite_trial(self.trials / name)
                (self.trials / name).replace(self.trials / trial_id)
        self._old_folders = {}

    def _folders_of_older_schema(self) -> dict[str, str]:
        """Trial ids of today, each with the name of its folder, where the folder was written by an older schema."""
        if self._old_folders is None:
            facts = self.facts() if self.begun else {}
            self._old_folders = {}
            if facts.get("schema", 1) < SCHEMA and self.trials.is_dir():
                listed = [*facts.get("trials", [])]
                names = sorted(folder.name for folder in self.trials.iterdir() if not folder.name.startswith("."))
                for name in sorted(names, key=lambda name: name in listed):  # of two with one id, the listed one
                    with contextlib.suppress(Unreadable):  # a damaged trial keeps its name, and is reported under it
                        self._old_folders[read_trial(self.trials / name).id] = name
        return self._old_folders

    def facts(self) -> dict[str, Any]:
        """Return what suite.json says. Raises RequestError if there is none, it is damaged, or of a newer schema."""
        facts = self._read_json("suite.json")
        path, schema = self.folder / "suite.json", facts.get("schema", 1)
        if not isinstance(schema, int):
            raise RequestError(f"{path}: schema = {schema!r} is not a whole number")
        if schema > SCHEMA:
            raise RequestError(f"{path}: {newer_schema(schema)}")
        return facts

    def environment(self) -> dict[str, Any]:
        """What environment.json says. Raises RequestError if there is none, or it is damaged."""
        return self._read_json("environment.json")

    def folder_of(self, trial_id: str) -> Path:
        """Return the folder of a trial, whether it is there or not."""
        folder = self.trials / trial_id
        if folder.is_dir() or not self.begun:
            return folder
        return self.trials / self._folders_of_older_schema().get(trial_id, trial_id)

    def has(self, trial_id: str) -> bool:
        """Return whether a trial is stored."""
        return self.folder_of(trial_id).is_dir()

    def has_history(self, trial_id: str) -> bool:
        """Return whether a trial is stored with its history."""
        return (self.folder_of(trial_id) / "history.parquet").is_file()

    def read(self, trial_id: str) -> TrialResult:
        """A stored result without its arrays. Raises Unreadable."""
        return read_result(self.folder_of(trial_id))

    def write(self, result: TrialResult) -> None:
        """Store a result, in place of an older one."""
        write_trial(self.trials / result.trial.id, result)

    def results(self, ids: Sequence[str] | None = None) -> tuple[list[TrialResult], list[str]]:
        """The stored results among `ids` (those that suite.json lists), in that order, and what cannot be read."""
        wanted = self._listed() if ids is None else ids
        read, damaged = [], []
        for trial_id in wanted:
            if self.has(trial_id):
                try:
                    read.append(self.read(trial_id))
                except Unreadable as error:
                    damaged.append(str(error))
        return read, damaged

    def _listed(self) -> list[str]:
        """The trials that suite.json lists. Raises RequestError where it holds no list of names."""
        try:
            listed = msgspec.convert(self.facts().get("trials", []), list[str])
        except msgspec.ValidationError as error:
            raise RequestError(f"{self.folder / 'suite.json'}: 'trials' is not a list of trial ids: {error}") from None
        present = {name: trial_id for trial_id, name in self._folders_of_older_schema().items()}
        return list(dict.fromkeys(present.get(name, name) for name in listed))

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            raise RequestError(f"{self.folder} holds no run: there is no {name} in it") from None
        except (OSError, msgspec.MsgspecError, RecursionError) as error:
            raise RequestError(f"{path} cannot be read: {error}") from None
