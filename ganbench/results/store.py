"""The results folder of a run: which suite it belongs to, which trials it holds, and who may write to it.

suite.json         the suite's name and summary, and the trials of the last run
environment.json   where, with what and by which command the last run was made
checkpoints/       of trials that have not ended (checkpoints.py)
trials/<id>/       a trial's files (trial_files.py)
report/            what the reports wrote
results.cache      of many trials, what was read of them last (result_cache.py); may be deleted
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ..contract.errors import RequestError, StorageError, printable
from ..contract.files import DISK_IS_FULL, describe_os_error, write_atomically
from ..contract.records import TrialResult
from ..registry.plugins import Origin, own_version
from ..suite.trial_id import SCHEMA
from .lease import LEASE_FILE, LOCK_FILE, TAKER_FILE, FolderLock
from .result_cache import ResultCache
from .trial_files import (
    UnreadableTrial,
    encode_json,
    explain_newer_schema,
    read_result,
    read_trial,
    rewrite_trial,
    write_trial,
)

MAX_NAME_BYTES = 255  # of a file, on the file systems in use


class Store:
    """The results of one suite in one folder.

    Attributes:
        folder: The results folder.
        trials: Its folder of trials.
        report: Its folder of reports.
        checkpoints: Its folder of checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trials = folder / "trials"
        self.report = folder / "report"
        self.checkpoints = folder / "checkpoints"
        self._lock: FolderLock | None = None  # of a run that has begun
        self._old_folders: dict[str, str] | None = None  # of an older schema: trial id -> name of its folder

    # --- the run -------------------------------------------------------------------------------------

    @property
    def has_run(self) -> bool:
        """Whether the folder belongs to a run, finished or not."""
        return (self.folder / "suite.json").exists()

    def check(self, suite: str) -> None:
        """Raise RequestError if a run of `suite` cannot use the folder. Write nothing."""
        try:
            files = sorted(self.folder.iterdir()) if self.folder.exists() else []
        except NotADirectoryError:
            raise RequestError(f"output {self.folder} is a file; give a folder with --output") from None
        except OSError as error:
            raise RequestError(f"output {self.folder} cannot be read: {error.strerror}") from None
        owner = self.facts().get("suite") if self.has_run else None
        if owner is not None and owner != suite:
            raise RequestError(f"output {self.folder} belongs to suite {owner!r}, not {suite!r}; give another --output")
        # A run that is killed right at its start leaves hidden files only.
        if owner is None and any(not file.name.startswith(".") for file in files):
            raise RequestError(f"output {self.folder} is not empty and holds no run; give another --output")

    @contextmanager
    def begin_run(self, facts: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[None]:
        """Lock the folder for a run until the end of the block, and write its suite.json and environment.json.

        What a killed run left half-written is removed, and trials of an older schema get their present ids.

        Args:
            facts: What suite.json says of the run.
            environment: What environment.json says.

        Raises:
            RequestError: If the folder cannot be written to, or another run is writing to it.
            StorageError: If the disk is full.
        """
        with ExitStack() as held:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock = FolderLock(self.folder)
                held.enter_context(self._lock.hold())
            except OSError as error:
                if error.errno in DISK_IS_FULL:
                    raise StorageError(explain_failed_write("the run", self.folder, error)) from error
                raise RequestError(f"output {self.folder} cannot be written: {error.strerror or error}") from None
            try:
                self._remove_leftovers()
                self._migrate()
                # First of all files: from now on the folder belongs to this suite.
                write_atomically(self.folder / "suite.json", encode_json({"schema": SCHEMA, **facts}))
                write_atomically(self.folder / "environment.json", encode_json(environment))
                self.trials.mkdir(exist_ok=True)
            except OSError as error:
                raise StorageError(explain_failed_write("the run", self.folder, error)) from error
            yield

    def facts(self) -> dict[str, Any]:
        """Return what suite.json says. Raise RequestError if there is none, it is damaged, or of a newer schema."""
        facts = self._read_json("suite.json")
        path, schema = self.folder / "suite.json", facts.get("schema", 1)
        if not isinstance(schema, int):
            raise RequestError(f"{path}: schema = {schema!r} is not a whole number")
        if schema > SCHEMA:
            raise RequestError(f"{path}: {explain_newer_schema(schema)}")
        return facts

    def environment(self) -> dict[str, Any]:
        """Return what environment.json says. Raise RequestError if there is none, or it is damaged."""
        return self._read_json("environment.json")

    # --- its trials ----------------------------------------------------------------------------------

    def folder_of(self, trial_id: str) -> Path:
        """Return the folder of a trial, whether it exists or not."""
        folder = self.trials / trial_id
        if folder.is_dir() or not self.has_run:
            return folder
        return self.trials / self._folders_of_older_schema().get(trial_id, trial_id)

    def has(self, trial_id: str) -> bool:
        """Return whether a trial is stored."""
        return self.folder_of(trial_id).is_dir()

    def has_history(self, trial_id: str) -> bool:
        """Return whether a trial is stored with its history."""
        return (self.folder_of(trial_id) / "history.parquet").is_file()

    def read(self, trial_id: str) -> TrialResult:
        """Return a stored result without its arrays. Raise UnreadableTrial if it is damaged."""
        return read_result(self.folder_of(trial_id))

    def write(self, result: TrialResult) -> None:
        """Store a result, replacing an older one. Raise OSError if it cannot be, or the folder is another run's by now."""
        if self._lock is not None:
            self._lock.check()
        write_trial(self.trials / result.trial.id, result)

    def results(self, ids: Sequence[str] | None = None) -> tuple[list[TrialResult], list[str]]:
        """Return the stored results, in the order of `ids`, and a line for each one that cannot be read.

        Args:
            ids: The trials to read; those that suite.json lists by default. What is not stored is left out.

        Raises:
            RequestError: If `ids` is not given and suite.json does not list trials.
        """
        results, damaged = [], []
        wanted = self._listed_ids() if ids is None else ids
        cache = ResultCache(self.folder, len(wanted))
        for trial_id in wanted:
            if not _is_folder_name(trial_id):
                damaged.append(printable(f"{self.folder / 'suite.json'}: {trial_id[:80]!r} is not the id of a trial"))
            elif self.has(trial_id):
                try:
                    result = cache.read(trial_id, self.folder_of(trial_id))
                except UnreadableTrial as error:
                    damaged.append(printable(str(error)))
                    continue
                if result.trial.id == trial_id:
                    results.append(result)
                else:
                    place = self.folder_of(trial_id) / "trial.json"
                    damaged.append(printable(f"{place}: it is of another trial, {result.trial.id!r}"))
        cache.save()
        return results, damaged

    def missing(self) -> list[str]:
        """Return the trials that suite.json lists and that are not stored: not run yet, or deleted since."""
        return [trial_id for trial_id in self._listed_ids() if _is_folder_name(trial_id) and not self.has(trial_id)]

    # -------------------------------------------------------------------------------------------------

    def _listed_ids(self) -> list[str]:
        """Return the trials that suite.json lists. Raise RequestError if its list is not one of names."""
        try:
            listed = msgspec.convert(self.facts().get("trials", []), list[str])
        except msgspec.ValidationError as error:
            raise RequestError(f"{self.folder / 'suite.json'}: 'trials' is not a list of trial ids: {error}") from None
        present_ids = {name: trial_id for trial_id, name in self._folders_of_older_schema().items()}
        return list(dict.fromkeys(present_ids.get(name, name) for name in listed))

    def _folders_of_older_schema(self) -> dict[str, str]:
        """Return the present trial ids, each with the name of its folder, if an older schema wrote the folder."""
        if self._old_folders is None:
            facts = self.facts() if self.has_run else {}
            self._old_folders = {}
            if facts.get("schema", 1) < SCHEMA and self.trials.is_dir():
                listed = [*facts.get("trials", [])]
                names = sorted(folder.name for folder in self.trials.iterdir() if not folder.name.startswith("."))
                for name in sorted(names, key=lambda name: name in listed):  # of two with one id, the listed one
                    with contextlib.suppress(
                        UnreadableTrial
                    ):  # a damaged trial keeps its name, and is reported under it
                        self._old_folders[read_trial(self.trials / name).id] = name
        return self._old_folders

    def _migrate(self) -> None:
        """Give trials of an older schema their present ids. If it is interrupted, the next run does the rest."""
        if not self.has_run:
            return
        for trial_id, name in self._folders_of_older_schema().items():
            if name != trial_id and not (self.trials / trial_id).exists():
                rewrite_trial(self.trials / name)
                (self.trials / name).replace(self.trials / trial_id)
        self._old_folders = {}

    def _remove_leftovers(self) -> None:
        """Remove the hidden files and folders that killed writers have left."""
        for folder in (self.folder, self.trials, self.report, *self.checkpoints.glob("*")):
            for leftover in folder.glob(".*"):
                if leftover.is_dir():
                    shutil.rmtree(leftover, ignore_errors=True)
                elif leftover.name not in (LOCK_FILE, LEASE_FILE, TAKER_FILE):
                    leftover.unlink(missing_ok=True)

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            raise RequestError(f"{self.folder} holds no run: there is no {name} in it") from None
        except NotADirectoryError:
            raise RequestError(f"{self.folder} is a file, not the folder of a run") from None
        except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, not UTF-8, or no table
            raise RequestError(f"{path} cannot be read: {error}") from None


def _is_folder_name(trial_id: str) -> bool:
    """Whether an id, which suite.json may hold in any form, is the name of a folder directly below another."""
    is_short = len(trial_id.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES
    return is_short and trial_id.isprintable() and trial_id not in ("", ".", "..") and not set(trial_id) & {"/", "\\"}


def explain_failed_write(what: str, folder: Path, error: OSError) -> str:
    """Return the line of a StorageError: what cannot be stored where and why, what is kept, and what to do."""
    return printable(
        f"{what} cannot be stored in {folder}: {describe_os_error(error)}; what was stored before is kept. "
        "Make room there, and the same command does the rest"
    )


def describe_environment(command: str, device: str, origins: Iterable[Origin]) -> dict[str, Any]:
    """Return what environment.json says of a run made here: the command, versions, the machine and its plugins."""
    import numpy
    import torch

    return {
        "command": command,
        "ganbench": own_version(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": numpy.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "device": device,
        "commit": commit_here(),
        "plugins": sorted({str(origin) for origin in origins}),
    }


def commit_here() -> str:
    """Return the commit that is checked out in the working directory, `-dirty` if files differ; empty if it has none."""
    line = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
