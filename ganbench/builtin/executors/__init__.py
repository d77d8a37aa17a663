"""Built-in executors."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_executors() -> Iterator[ganbench.Component]:
    yield ganbench.Component("inline", "ganbench.builtin.executors.inline:Inline")
    yield ganbench.Component("processes", "ganbench.builtin.executors.processes:Processes")
