"""Built-in data sets."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ring", "ganbench.builtin.datasets.mixtures:Ring")
    yield ganbench.Component("grid", "ganbench.builtin.datasets.mixtures:Grid")
    yield ganbench.Component("digits", "ganbench.builtin.datasets.digits:Digits")
    yield ganbench.Component("stacked-digits", "ganbench.builtin.datasets.digits:StackedDigits")
