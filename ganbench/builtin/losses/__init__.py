"""Built-in losses."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("minimax", "ganbench.builtin.losses.minimax:Minimax")
    yield ganbench.Component("non-saturating", "ganbench.builtin.losses.non_saturating:NonSaturating")
    yield ganbench.Component("least-squares", "ganbench.builtin.losses.least_squares:LeastSquares")
    yield ganbench.Component("hinge", "ganbench.builtin.losses.hinge:Hinge")
    yield ganbench.Component("wasserstein", "ganbench.builtin.losses.wasserstein:Wasserstein")
    yield ganbench.Component("relativistic", "ganbench.builtin.losses.relativistic:Relativistic")
