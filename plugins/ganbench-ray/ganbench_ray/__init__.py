"""Runs the trials of ganbench as tasks of a Ray cluster: the executor `ray`."""

from __future__ import annotations

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_executors() -> Iterator[ganbench.Component]:
    """Offer the executor `ray`."""
    yield ganbench.Component("ray", "ganbench_ray.executor:Ray")
