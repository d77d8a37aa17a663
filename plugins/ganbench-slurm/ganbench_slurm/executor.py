"""The executor `slurm`: its options, and the jobs that they ask for."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

import ganbench

from .batch import FOLDER, read_batches
from .jobs import Jobs, JobSettings, Resources
from .scheduler import missing_commands

# What this package decides itself.
OWN_OPTIONS = frozenset("array job-name output parsable wait wrap test-only signal open-mode".split())  # noqa: SIM905
OPTION_NAME = re.compile(r"[a-z][a-z0-9-]*")


class Slurm(ganbench.Executor):
    """Trials as jobs of a Slurm cluster, in arrays, their results handed over through the results folder.

    The folder must be on a file system that the compute nodes share. A run that is left by Ctrl-C leaves its jobs
    running, and the same command joins them; one that is paused has them save checkpoints and end.

    Args:
        workers: The most jobs at once; as many as the cluster starts by default.
        trials_per_job: Trials that a job runs one after the other: starting a job costs seconds.
        sbatch: Options of sbatch for every job, by long name, as `{ partition = "gpu", time = "02:00:00", mem = "8G" }`.
        methods: Further ones for some methods, by name or pattern, as `{ "big*" = { gpus = 2 } }`; the last that matches
            decides.
        setup: Lines of shell that each job begins with, as `["module load cuda"]`.
        python: The interpreter on the compute nodes; this one by default.
        threads: CPU threads of a trial; by default the CPUs that the job has for a task.
        heartbeat: Seconds between two signs of life of a job.
        silence: Seconds without one after which a job that Slurm calls running is given up and its trials go to another.
        poll: Seconds between two looks at the results folder; Slurm is asked after every tenth.
        grace: Seconds before the end of a job's time when its trials save checkpoints, to go on in another job.
    """

    elsewhere = True

    def __init__(
        self,
        *,
        workers: int | None = None,
        trials_per_job: int = 1,
        sbatch: Resources | None = None,
        methods: dict[str, Resources] | None = None,
        setup: tuple[str, ...] = (),
        python: str = "",
        threads: int | None = None,
        heartbeat: float = 10.0,
        silence: float = 300.0,
        poll: float = 1.0,
        grace: float = 60.0,
    ) -> None:
        positive = {"trials_per_job": trials_per_job, "heartbeat": heartbeat, "silence": silence, "poll": poll}
        for name, value in {"workers": workers, "threads": threads, "grace": grace, **positive}.items():
            if value is not None and not value > 0:
                raise ganbench.RequestError(f"executor 'slurm': {name} = {value}: give a number above 0")
        if silence < 3 * heartbeat:
            raise ganbench.RequestError(
                f"executor 'slurm': silence = {silence:g}: give at least three times the heartbeat of {heartbeat:g} s"
            )
        self.workers = workers
        self.trials_per_job = trials_per_job
        self.sbatch = dict(sbatch or {})
        self.methods = {pattern: dict(resources) for pattern, resources in (methods or {}).items()}
        for resources in (self.sbatch, *self.methods.values()):
            _check_resources(resources)
        command = [python or sys.executable, "-m", "ganbench_slurm.worker"]
        self._settings = JobSettings(
            setup=tuple(setup),
            command=shlex.join(command),
            workers=workers,
            trials_per_job=trials_per_job,
            threads=threads,
            heartbeat=heartbeat,
            silence=silence,
            poll=poll,
            grace=grace,
        )
        self._results: Path | None = None
        self._fresh = False
        self._pause_seconds: float | None = None

    def prepare(self, results: Path, fresh: bool) -> None:
        """Use the run's results folder.

        Raises:
            RequestError: If Slurm's commands are not installed, or a newer version has left jobs in the folder.
        """
        if missing := missing_commands():
            raise ganbench.RequestError(
                f"executor 'slurm': there is no {missing[0]!r} on this machine; run ganbench on a login node of the "
                "cluster, or install Slurm's client commands (Debian: slurm-client)"
            )
        for _ in read_batches(results / FOLDER):  # one that cannot be joined is an error before anything is written
            pass
        self._results, self._fresh = results, fresh

    def pause(self, seconds: float) -> None:
        """Ask jobs to save checkpoints and end, cancel those that wait, and after so many seconds all."""
        self._pause_seconds = seconds

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Yield each result when it is in the results folder. Closed early, the jobs go on and can be joined."""
        self._pause_seconds = None
        if not trials:
            return
        with self._folder() as (results, is_kept):
            jobs = Jobs(self._settings, results, trials, self.resources, emit, is_kept)
            yield from jobs.run(self._fresh, lambda: self._pause_seconds)

    def resources(self, method: str) -> Resources:
        """Return the options of sbatch for the jobs of a method."""
        merged = dict(self.sbatch)
        for pattern, resources in self.methods.items():
            if fnmatchcase(method, pattern):
                merged |= resources
        return merged

    @contextmanager
    def _folder(self) -> Iterator[tuple[Path, bool]]:
        """The results folder, and whether it is a run's; where there is no run, one for this call."""
        if self._results is not None:
            yield self._results, True
            return
        self.prepare(Path.cwd() / f"ganbench-slurm-{uuid.uuid4().hex[:8]}", False)
        scratch, self._results = self._results, None
        assert scratch is not None
        try:
            yield scratch, False
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _check_resources(resources: Mapping[str, str | int | bool]) -> None:
    for name in resources:
        if not OPTION_NAME.fullmatch(name):
            raise ganbench.RequestError(
                f"executor 'slurm': sbatch: {name!r} is no long option of sbatch; give it without dashes in front, as "
                "partition or cpus-per-task"
            )
        if name in OWN_OPTIONS:
            raise ganbench.RequestError(f"executor 'slurm': sbatch: {name!r} is set by ganbench itself; leave it out")
