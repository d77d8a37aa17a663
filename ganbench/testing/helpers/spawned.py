"""Build components again in another process from their names and options, as the workers of a run do."""

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

TIMEOUT_SECONDS = 120.0


def behaviour_in_other_process(candidate: Candidate) -> str:
    """Return how a component behaves when it is built in another process, as text.

    Raises RuntimeError with what the component raised there.
    """
    pipe = _started()
    entry, files = candidate.entry, candidate.registry.plugins.files
    pipe.send((entry.kind, entry.name, candidate.check_options, files, dict(os.environ)))
    if not pipe.poll(TIMEOUT_SECONDS):
        _started.cache_clear()
        raise RuntimeError(f"no answer after {TIMEOUT_SECONDS:g} s")
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
    """Return the pipe to the process, which is started once for all components: a start takes seconds."""
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
    """Answer requests in that process, one component at a time, until the pipe closes."""
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
