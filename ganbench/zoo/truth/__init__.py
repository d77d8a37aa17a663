"""What is true of a run, measured by code that no diagnosis uses or reads: the metric `ground-truth`, and labels from it."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ground-truth", "ganbench.zoo.truth.metric:GroundTruth")
