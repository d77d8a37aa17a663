"""A process of its own in which components are built again from names and options, as the workers of a run do."""

from __future__ import annotations

import atexit
import contextlib
import functools
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection

import torch

from ...registry.registry import load_registry
from ...training.seeding import deterministic
from ..candidate import Candidate
from ..check import BEHAVIOURS

PATIENCE = 120.0  # seconds to wait for an answer


def behaviour_there(candidate: Candidate) -> str:
    """How the component behaves when built in another process, in words. Raises RuntimeError with what it raised there."""
    pipe = _started()
    entry, files = candidate.entry, candidate.registry.plugins.files
    pipe.send((entry.kind, entry.name, candidate.check_options, files, dict(os.environ)))
    if not pipe.poll(PATIENCE):
        _started.cache_clear()
        raise RuntimeError(f"no answer after {PATIENCE:g} s")
    try:
        worked, answer = pipe.recv()
    except EOFError:
        _started.cache_clear()
        raise RuntimeError("the process died") from None
    if not worked:
        raise RuntimeError(answer)
    return str(answer)


@functools.cache
def _started() -> Connection:
    """The pipe to the process, which is started when it is first needed and serves all: a start takes seconds."""
    ours, theirs = multiprocessing.Pipe()
    # Not multiprocessing's own way of spawning, which imports the caller's main module again.
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import serve; serve({theirs.fileno()})"],
        pass_fds=[theirs.fileno()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    atexit.register(_end, process)
    return ours


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def serve(descriptor: int) -> None:
    """The life of that process: a component at a time, until the pipe closes."""
    pipe = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        while True:
            kind, name, options, files, environment = pipe.recv()
            os.environ.clear()
            os.environ.update(environment)
            try:
                registry = load_registry(files)
                candidate = Candidate(registry.find(kind, name), registry, options)
                with deterministic(torch.device("cpu"), threads=1):
                    answer = (True, repr(BEHAVIOURS[kind](candidate)))
            except (Exception, SystemExit) as error:
                answer = (False, f"{type(error).__name__}: {error}")
            pipe.send(answer)
