"""A spawned process in which components are built again, as the workers of a run do."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import torch

from .. import catalog as catalogs
from ..training import isolated
from .check import BEHAVIOURS
from .subject import Subject

PATIENCE = 120.0  # seconds to wait for an answer


def behaviour_there(subject: Subject) -> Any:
    """How the component behaves when built in a spawned process. Raises RuntimeError with what it raised there."""
    pipe = _started()
    pipe.send((subject.entry.kind, subject.entry.name, subject.check_options, subject.catalog.plugins.files))
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
    return answer


@functools.cache
def _started() -> Connection:
    """The process, started when it is first needed and used for all components: a start takes seconds."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    context.Process(target=_serve, args=(theirs,), daemon=True).start()
    theirs.close()
    return ours


def _serve(pipe: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            kind, name, options, files = pipe.recv()
            try:
                catalog = catalogs.load(files)
                subject = Subject(catalog.find(kind, name), catalog, options)
                with isolated(torch.device("cpu"), threads=1):
                    answer = (True, BEHAVIOURS[kind](subject))
            except (Exception, SystemExit) as error:
                answer = (False, f"{type(error).__name__}: {error}")
            pipe.send(answer)
