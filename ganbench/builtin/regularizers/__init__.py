"""Built-in regularizers."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_regularizers() -> Iterator[ganbench.Component]:
    yield ganbench.Component("r1", "ganbench.builtin.regularizers.zero_centred:R1")
    yield ganbench.Component("r2", "ganbench.builtin.regularizers.zero_centred:R2")
    yield ganbench.Component("gradient-penalty", "ganbench.builtin.regularizers.gradient_penalty:GradientPenalty")
    yield ganbench.Component("dragan", "ganbench.builtin.regularizers.dragan:Dragan")
    yield ganbench.Component("weight-clipping", "ganbench.builtin.regularizers.weight_clipping:WeightClipping")
