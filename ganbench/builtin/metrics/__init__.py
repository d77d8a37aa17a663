"""Metrics: scores of generated samples, beside held-out real ones."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("digit-modes", "ganbench.builtin.metrics.digit_modes:DigitModes")
    yield ganbench.Component("energy-distance", "ganbench.builtin.metrics.energy_distance:EnergyDistance")
    yield ganbench.Component("frechet-digits", "ganbench.builtin.metrics.frechet_digits:FrechetDigits")
    yield ganbench.Component("modes", "ganbench.builtin.metrics.modes:Modes")
    yield ganbench.Component("prdc-digits", "ganbench.builtin.metrics.prdc_digits:PrdcDigits")
    yield ganbench.Component("sliced-wasserstein", "ganbench.builtin.metrics.sliced_wasserstein:SlicedWasserstein")
