"""Built-in generators."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mlp", "ganbench.builtin.generators.mlp:MLPGenerator")
    yield ganbench.Component("conv", "ganbench.builtin.generators.conv:ConvGenerator")
