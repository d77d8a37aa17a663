"""Components that make a run fail in a known way. Ordinary components: any suite may use them, to see a failure happen."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("frozen", "ganbench.zoo.sabotage.discriminators:frozen")
    yield ganbench.Component("rounding", "ganbench.zoo.sabotage.discriminators:Rounding")


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("codebook", "ganbench.zoo.sabotage.generators:Codebook")
    yield ganbench.Component("displaced", "ganbench.zoo.sabotage.generators:Displaced")


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("flipped", "ganbench.zoo.sabotage.losses:Flipped")
    yield ganbench.Component("with-class-term", "ganbench.zoo.sabotage.losses:WithClassTerm")


@ganbench.hookimpl
def ganbench_regularizers() -> Iterator[ganbench.Component]:
    yield ganbench.Component("variance", "ganbench.zoo.sabotage.regularizers:Variance")


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("few", "ganbench.zoo.sabotage.datasets:Few")
    yield ganbench.Component("half", "ganbench.zoo.sabotage.datasets:Half")
    yield ganbench.Component("unbalanced", "ganbench.zoo.sabotage.datasets:Unbalanced")
