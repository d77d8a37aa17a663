"""Slurm's commands, as far as this package calls them: sbatch, squeue and scancel. Accounting is not asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMANDS = ("sbatch", "squeue", "scancel")
ANSWER_SECONDS = 60.0  # a busy controller may take half a minute
ENDED = frozenset(
    "FORGOTTEN BOOT_FAIL CANCELLED COMPLETED DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PREEMPTED REVOKED TIMEOUT".split()  # noqa: SIM905
)
USUAL_WAITS = frozenset("None Priority Resources Dependency BeginTime JobArrayTaskLimit Cleaning".split())  # noqa: SIM905


class SlurmError(Exception):
    """A command of Slurm failed; the message is what it said, in one line."""


@dataclass(frozen=True)
class TaskState:
    """What squeue says of a task of an array.

    Attributes:
        state: As `PENDING`, `RUNNING`, `NODE_FAIL`.
        reason: Why it waits, or ended.
    """

    state: str
    reason: str

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more, and will not."""
        return self.state in ENDED


FORGOTTEN = TaskState("FORGOTTEN", "Slurm knows nothing of it any more")


def missing_commands() -> list[str]:
    """Return the commands that are not on the PATH."""
    return [command for command in COMMANDS if shutil.which(command) is None]


def submit(script: Path, options: Sequence[str]) -> str:
    """Submit a script; return the job's id. Raises SlurmError."""
    answer = _call(["sbatch", "--parsable", *options, str(script)])
    job = answer.strip().splitlines()[-1].partition(";")[0] if answer.strip() else ""
    if not job.isdecimal():
        raise SlurmError(f"sbatch answered {answer.strip()[:200]!r} instead of the id of a job")
    return job


def read_states(jobs: Iterable[str]) -> dict[str, dict[int, TaskState]]:
    """Return the states of arrays' tasks, by job and index, as far as Slurm still knows them. Raises SlurmError."""
    states: dict[str, dict[int, TaskState]] = {job: {} for job in jobs}
    if not states:
        return states
    command = ["squeue", "--noheader", "--array", "--states=all", f"--jobs={','.join(states)}", "--format=%i|%T|%r"]
    try:
        answer = _call(command)
    except SlurmError as error:
        if "invalid job id" in str(error).lower():  # it has forgotten all of them
            return states
        raise
    for line in answer.splitlines():
        name, _, rest = line.strip().partition("|")
        job, _, index = name.partition("_")
        state, _, reason = rest.partition("|")
        if job in states and index.isdecimal():
            states[job][int(index)] = TaskState(state, reason)
    return states


def find_job(name: str) -> str | None:
    """Return the id of the array of that name; None if Slurm knows none. Raises SlurmError."""
    answer = _call(["squeue", "--noheader", "--states=all", f"--name={name}", "--format=%F"])
    return next(iter(answer.split()), None)


def cancel(targets: Iterable[str], only_pending: bool = False) -> None:
    """Cancel jobs, as `12`, or tasks, as `12_3`; those that have ended are passed over. Raises SlurmError."""
    names = list(targets)
    if names:
        _call(["scancel", "--quiet", *(["--state=PENDING"] if only_pending else []), *names])


def _environment() -> dict[str, str]:
    """This process's environment, without what a job says of itself, in case that this is one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name == "SLURM_CONF"}


def _call(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
            check=False,
            env=_environment(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SlurmError(f"{command[0]}: {error}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise SlurmError(f"{command[0]}: {said.removeprefix(command[0] + ': ')}")
    return done.stdout
