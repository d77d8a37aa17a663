"""Built-in discriminators."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("mlp", "ganbench.builtin.discriminators.mlp:MLPDiscriminator")
    yield ganbench.Component("conv", "ganbench.builtin.discriminators.conv:ConvDiscriminator")
