"""A batch: one array of jobs, and the folder through which its jobs and the run that submitted them know of each other.

<results>/slurm/<batch>/batch.json       what it is, and the id of its job
                        stop             asks its jobs to pause
                        taken            trials whose end the run has been told of
                        staging/         results that are being written
                        tasks/N.json     the trials of task N of the array
                        tasks/N.events   what happened to them
                        tasks/N.beat     a number that changes as long as the job lives
                        tasks/N.unstored why a result could not be stored
                        tasks/N.log      what the job printed
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

import ganbench

FOLDER = "slurm"  # in the results folder
SCHEMA = 1
MAX_LOG_BYTES = 4000
MAX_LINE_CHARS = 200


@dataclass(frozen=True)
class Losses:
    """How often a trial was running when its job ended, without getting further in between.

    Attributes:
        times: How often.
        checkpoint: The number of its newest checkpoint the last time.
    """

    times: int = 0
    checkpoint: int = 0


@dataclass(frozen=True)
class BatchFacts:
    """What batch.json says.

    Attributes:
        results: The results folder.
        threads: CPU threads of a trial; None for as many as the job has CPUs.
        heartbeat: Seconds between two heartbeats.
        grace: Seconds that trials have to save a checkpoint before the job's time is over.
        tasks: The ids of each task's trials.
        losses: How often a trial's job was lost before, by id.
        job: The array's id; empty as long as it has not been submitted.
        schema: The version of this form.
    """

    results: str
    threads: int | None
    heartbeat: float
    grace: float
    tasks: Sequence[Sequence[str]]
    losses: Mapping[str, Losses] = field(default_factory=dict)
    job: str = ""
    schema: int = SCHEMA


class _Schema(msgspec.Struct):
    """The version of a batch.json."""

    schema: int = SCHEMA


class Batch:
    """The folder of one array of jobs.

    Attributes:
        folder: The folder.
        facts: What its batch.json says.
    """

    def __init__(self, folder: Path, facts: BatchFacts) -> None:
        self.folder, self.facts = folder, facts

    @classmethod
    def create(cls, root: Path, facts: BatchFacts, tasks: Sequence[Sequence[ganbench.Trial]]) -> Batch:
        """Write the folder of a batch that is not submitted yet. Raises OSError if it cannot be written."""
        batch = cls(root / uuid.uuid4().hex[:10], facts)
        (batch.folder / "tasks").mkdir(parents=True)
        (batch.folder / "staging").mkdir()
        for index, trials in enumerate(tasks):
            (batch.folder / "tasks" / f"{index}.json").write_bytes(msgspec.json.encode(trials))
        batch.write_facts(facts)
        return batch

    @classmethod
    def read(cls, folder: Path) -> Batch:
        """Return the batch of a folder.

        Raises:
            OSError, ValueError: If it is none, or damaged.
            RequestError: If a newer version wrote it.
        """
        content = (folder / "batch.json").read_bytes()
        if (schema := msgspec.json.decode(content, type=_Schema).schema) > SCHEMA:
            raise ganbench.RequestError(
                f"executor 'slurm': {folder}: written by a newer ganbench-slurm (schema {schema}; this one reads up to "
                f"{SCHEMA}), and its jobs may be running; upgrade it, or end them with 'scancel --name ganbench-"
                f"{folder.name}' and remove that folder"
            )
        facts = msgspec.json.decode(content, type=BatchFacts)
        return cls(folder, facts)

    @property
    def name(self) -> str:
        """The name of its job."""
        return f"ganbench-{self.folder.name}"

    def write_facts(self, facts: BatchFacts) -> None:
        """Replace what batch.json says."""
        ganbench.write_atomically(self.folder / "batch.json", msgspec.json.encode(facts))
        self.facts = facts

    def set_job(self, job: str) -> None:
        """Note the array's id."""
        self.write_facts(replace(self.facts, job=job))

    # --- a task, by its index ------------------------------------------------------------------------

    def trials(self, index: int) -> list[ganbench.Trial]:
        """Return a task's trials."""
        content = (self.folder / "tasks" / f"{index}.json").read_bytes()
        return msgspec.json.decode(content, type=list[ganbench.Trial])

    def events(self, index: int) -> ganbench.EventLog:
        """Return the log of a task's events, to be appended to or followed from its beginning."""
        return ganbench.EventLog(self.folder / "tasks" / f"{index}.events")

    def beat(self, index: int, count: int) -> None:
        """Say that a task's job lives, in place: on a disk that has filled since, that still succeeds."""
        path = self.folder / "tasks" / f"{index}.beat"
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(b"%012d" % count)

    def last_beat(self, index: int) -> str:
        """Return a task's last heartbeat, which differs from the one before; empty if there was none."""
        try:
            return (self.folder / "tasks" / f"{index}.beat").read_text(encoding="ascii")
        except (OSError, ValueError):
            return ""

    def say_unstored(self, index: int, why: str) -> None:
        """Say that a task's job ended since a result could not be stored. Raises OSError if that cannot be written either."""
        ganbench.write_atomically(self.folder / "tasks" / f"{index}.unstored", why)

    def take_unstored(self, index: int) -> str:
        """Return what a task's job said so, once; empty if it said nothing."""
        path = self.folder / "tasks" / f"{index}.unstored"
        try:
            why = path.read_text(encoding="utf-8")
            path.unlink()
        except (OSError, ValueError):
            return ""
        return why

    def log_pattern(self) -> str:
        """Return where Slurm is to write what jobs print."""
        return f"{str(self.folder / 'tasks').replace('%', '%%')}/%a.log"

    def last_line(self, index: int) -> str:
        """Return the last line that a task's job printed; empty if it printed none."""
        try:
            content = (self.folder / "tasks" / f"{index}.log").read_bytes()[-MAX_LOG_BYTES:]
        except OSError:
            return ""
        lines = content.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:MAX_LINE_CHARS] if lines else ""

    # --- all of it -----------------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """Ask its jobs to save checkpoints and end."""
        (self.folder / "stop").touch()

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether its jobs have been asked to end."""
        return (self.folder / "stop").exists()

    def take(self, trial_id: str) -> None:
        """Note that the run has been told how a trial ended."""
        with (self.folder / "taken").open("a", encoding="utf-8") as file:
            file.write(trial_id + "\n")

    def taken(self) -> set[str]:
        """Return the trials whose end the run has been told of."""
        path = self.folder / "taken"
        return set(path.read_text(encoding="utf-8").splitlines()) if path.exists() else set()

    def remove(self) -> None:
        """Remove the folder, and that of all batches when it was the last."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.parent.is_dir() and not any(self.folder.parent.iterdir()):
            shutil.rmtree(self.folder.parent, ignore_errors=True)


def read_batches(root: Path) -> Iterator[Batch]:
    """Yield the batches that earlier runs have left in a folder; what is damaged is passed over.

    Raises:
        RequestError: If a newer version wrote one: its jobs cannot be joined, and would run trials that this run submits again.
    """
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            yield Batch.read(folder)
        except (OSError, ValueError, RecursionError):  # msgspec's errors are ValueErrors
            continue
