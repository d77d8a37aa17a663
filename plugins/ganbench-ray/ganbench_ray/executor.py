"""The executor `ray`: its options, and its connection to a cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import ganbench

FOLDER = "ray"  # in the results folder
OBJECT_STORE_BYTES = 100 * 2**20  # of a cluster of our own: nothing but the trials' JSON goes through it
CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Resources:
    """What a trial takes of a node.

    Attributes:
        cpus: CPUs.
        gpus: GPUs; fractions share one.
        memory: GiB that the node must have free; not enforced.
        custom: Resources that the cluster names itself, as `{ a100 = 1 }`.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory: float = 0.0
    custom: dict[str, float] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """Return them as Ray's options of a task."""
        named = {"num_cpus": self.cpus, "num_gpus": self.gpus, "resources": dict(self.custom)}
        return named | ({"memory": int(self.memory * 2**30)} if self.memory else {})

    def needs(self) -> dict[str, float]:
        """Return them as Ray names what nodes have."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory * 2**30, **self.custom}
        return {name: amount for name, amount in wanted.items() if amount}


class Ray(ganbench.Executor):
    """Trials as tasks of a Ray cluster, their results handed over through the results folder, which its nodes share.

    A trial that raises, dies or hangs costs itself alone; those of a node that goes continue on another, from their
    checkpoints. When the run ends, in whatever way, its tasks end too.

    Attributes:
        is_alone: Whether the cluster is this machine alone, for as long as the run.

    Args:
        address: The cluster, as `"10.0.0.1:6379"`, or `"auto"` for the one started on this machine; by default what
            RAY_ADDRESS says, and else one of this machine alone, for as long as the run.
        workers: The most trials at once; as many as the cluster has room for by default.
        cpus: CPUs of a trial.
        gpus: GPUs of a trial; 0.25 puts four trials on one.
        memory: GiB of memory that a node must have free for a trial; 0 for any.
        custom: Resources that the cluster names itself, as `{ a100 = 1 }`.
        methods: Other resources for some methods, by name or pattern, as `{ "big*" = { gpus = 1, cpus = 4 } }`; the last
            that matches decides.
        threads: CPU threads of a trial; as many as CPUs by default.
        poll: Seconds between two looks at the results folder.
    """

    elsewhere = True

    def __init__(
        self,
        *,
        address: str = "",
        workers: int | None = None,
        cpus: float = 1.0,
        gpus: float = 0.0,
        memory: float = 0.0,
        custom: dict[str, float] | None = None,
        methods: dict[str, dict[str, float | dict[str, float]]] | None = None,
        threads: int | None = None,
        poll: float = 0.5,
    ) -> None:
        for name, value in (("workers", workers), ("threads", threads), ("poll", poll)):
            if value is not None and not value > 0:
                raise ganbench.RequestError(f"executor 'ray': {name} = {value}: give a number above 0")
        self.workers = workers
        self.address = address
        self.threads = threads
        self.poll = poll
        self.methods = dict(methods or {})
        self._common = _check(Resources(cpus, gpus, memory, dict(custom or {})))
        for pattern in self.methods:
            self._merge(self._common, pattern)
        self._results: Path | None = None
        self._pause_seconds: float | None = None
        self._is_ours = False  # whether this object connected to the cluster, and is to disconnect
        self.is_alone = False

    def prepare(self, results: Path, fresh: bool) -> None:
        """Use the run's results folder, and connect to the cluster. Raise RequestError if there is none."""
        self._results = results
        self._connect()

    def pause(self, seconds: float) -> None:
        """Ask running trials to save checkpoints and end, and after so many seconds end them."""
        self._pause_seconds = seconds

    def run(
        self, trials: Sequence[ganbench.Trial], emit: Callable[[ganbench.Event], None]
    ) -> Iterator[ganbench.TrialResult]:
        """Yield each result when it is in the results folder; tasks end with the iterator, also if it is closed early."""
        from .tasks import Tasks

        self._pause_seconds = None
        if not trials:
            return
        with self._folder() as (results, is_run):
            self._connect()
            try:
                tasks = Tasks(self, results, emit, returns_arrays=not is_run)
                yield from tasks.run(trials, lambda: self._pause_seconds)
            finally:
                self._disconnect()

    def resources(self, method: str) -> Resources:
        """Return what a trial of a method takes."""
        merged = self._common
        for pattern in self.methods:
            if fnmatchcase(method, pattern):
                merged = self._merge(merged, pattern)
        return merged

    def _merge(self, common: Resources, pattern: str) -> Resources:
        given = self.methods[pattern]
        for name, value in given.items():
            if name not in Resources.__dataclass_fields__ or isinstance(value, dict) != (name == "custom"):
                raise ganbench.RequestError(
                    f"executor 'ray': methods: {pattern!r}: {name} = {value!r}: give cpus, gpus or memory as a number, or "
                    "custom as a table of numbers"
                )
        changed: Any = given
        return _check(replace(common, **changed))

    @contextmanager
    def _folder(self) -> Iterator[tuple[Path, bool]]:
        """The results folder, and whether it is a run's; where there is no run, one for this call."""
        if self._results is not None:
            yield self._results, True
            return
        scratch = Path.cwd() / f"ganbench-ray-{uuid.uuid4().hex[:8]}"
        try:
            yield scratch, False
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _connect(self) -> None:
        """Connect to the cluster, unless this process is already. Raise RequestError if there is none, or no Ray."""
        try:
            import ray
        except ImportError as error:
            raise ganbench.RequestError(
                f"executor 'ray': Ray is not installed here ({error}); 'pip install ray' does that, on the nodes too"
            ) from error

        if ray.is_initialized():
            return
        address = self.address or os.environ.get("RAY_ADDRESS", "")
        if address:
            address = _check_address(address)
        settings: dict[str, Any] = {"address": address or "local", "logging_level": "ERROR", "log_to_driver": False}
        if not address:
            settings["num_cpus"] = _available_cores()
            settings |= {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES}
        with _signals_kept():
            try:
                ray.init(**settings)
            except Exception as error:  # Ray raises what it finds: of connections, of versions, of its own
                said = " ".join(str(error).split())[:300] or type(error).__name__
                raise ganbench.RequestError(_explain(address or "this machine", said)) from error
        self._is_ours, self.is_alone = True, not address

    def _disconnect(self) -> None:
        import ray

        if self._is_ours:
            self._is_ours = False
            with contextlib.suppress(Exception), _signals_kept():
                ray.shutdown()


def _check_address(address: str) -> str:
    """Return an address as host and port, where nothing else is meant. Raise RequestError if nothing answers there.

    Ray itself would try for minutes.
    """
    if address == "auto":
        file = Path(os.environ.get("RAY_TMPDIR") or "/tmp") / "ray" / "ray_current_cluster"  # as `ray start` writes it
        try:
            address = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise ganbench.RequestError(_explain("this machine", "none was started here")) from None
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        if "://" in address:
            return address
        raise ganbench.RequestError(f"executor 'ray': address = {address!r}: give \"auto\" or HOST:PORT")
    try:
        if "://" not in address:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ganbench.RequestError(_explain(address, str(error))) from error
    return address


def _explain(where: str, said: str) -> str:
    return (
        f"executor 'ray': no Ray cluster answers at {where} ({said}); start one with 'ray start --head', or leave out "
        "'address' for one of this machine alone"
    )


def _available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which pauses a run, where Ray sets one of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check(resources: Resources) -> Resources:
    for name, amount in {**vars(resources), "custom": 0, **resources.custom}.items():
        if amount < 0:
            raise ganbench.RequestError(f"executor 'ray': {name} = {amount}: give 0 or more")
    if resources.gpus > 1 and resources.gpus != int(resources.gpus):
        raise ganbench.RequestError(f"executor 'ray': gpus = {resources.gpus}: above 1, give a whole number")
    return resources
