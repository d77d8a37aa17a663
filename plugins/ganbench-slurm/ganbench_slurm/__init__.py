"""Runs the trials of ganbench as jobs of a Slurm cluster: the executor `slurm`."""

from __future__ import annotations

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_executors() -> Iterator[ganbench.Component]:
    """Offer the executor `slurm`."""
    yield ganbench.Component("slurm", "ganbench_slurm.executor:Slurm")
