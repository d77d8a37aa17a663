"""Runs made to fail, labelled by ground truth, and how good diagnoses and remedies are on them.

`faults` are components that make a run fail in a known way, `ground_truth` says what is true of a run by code that
no diagnosis shares, `suites` holds the runs (`networks` what only they are trained with), `score` scores diagnoses on them, `treat` tries remedies, and `fit`
fits the weights of the built-in diagnoses.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import ganbench


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("codebook", "ganbench.zoo.faults.networks:Codebook", listed=False)
    yield ganbench.Component("displaced", "ganbench.zoo.faults.networks:Displaced", listed=False)
    yield ganbench.Component("small-residual", "ganbench.zoo.networks:SmallResidualGenerator", listed=False)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("frozen", "ganbench.zoo.faults.networks:frozen", listed=False)
    yield ganbench.Component("rounding", "ganbench.zoo.faults.networks:Rounding", listed=False)
    yield ganbench.Component("small-residual", "ganbench.zoo.networks:SmallResidualDiscriminator", listed=False)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("blind", "ganbench.zoo.faults.losses:Blind", listed=False)
    yield ganbench.Component("flipped", "ganbench.zoo.faults.losses:Flipped", listed=False)
    yield ganbench.Component("with-class-term", "ganbench.zoo.faults.losses:WithClassTerm", listed=False)


@ganbench.hookimpl
def ganbench_regularizers() -> Iterator[ganbench.Component]:
    yield ganbench.Component("variance", "ganbench.zoo.faults.losses:Variance", listed=False)


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("few", "ganbench.zoo.faults.datasets:Few", listed=False)
    yield ganbench.Component("half", "ganbench.zoo.faults.datasets:Half", listed=False)
    yield ganbench.Component("unbalanced", "ganbench.zoo.faults.datasets:Unbalanced", listed=False)
    yield ganbench.Component("without", "ganbench.zoo.faults.datasets:Without", listed=False)


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ground-truth", "ganbench.zoo.ground_truth.metric:GroundTruth")


@ganbench.hookimpl
def ganbench_suites() -> Iterator[ganbench.Component]:
    for file in sorted((Path(__file__).parent / "suites").glob("*.toml")):
        yield ganbench.Component(file.stem, partial(Path, file))
