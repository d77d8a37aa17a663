"""A ganbench plugin: a loss."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("example", f"{__name__}.loss:SoftplusMargin")
