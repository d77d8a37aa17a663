"""Values of a data set that are not finite, told before they make every weight NaN."""

from __future__ import annotations

import torch
from torch import Tensor

from ...contract.records import WiringFault

CHUNK_ROWS = 65_536  # that are looked at at a time


class NonFiniteData(ValueError):
    """A data set holds NaN or infinity; `fault` says where."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where}; remove or fill in such rows before training")
        self.fault = WiringFault("nonfinite-data", "", 0, {"where": where})


@torch.no_grad()
def describe_nonfinite(x: Tensor) -> str:
    """Return how many samples hold a value that is not finite, and the first of them; empty if none does.

    Args:
        x: Samples of shape (N, *shape).
    """
    if not x.is_floating_point() or not x.numel():
        return ""
    if bool(x.sum().isfinite()):  # as it is only if all values are, and it takes a tenth of the time
        return ""
    bad = torch.cat([~part.flatten(1).isfinite().all(1) for part in x.reshape(len(x), -1).split(CHUNK_ROWS)])
    rows = bad.nonzero().flatten()
    if not len(rows):
        return ""
    first = int(rows[0])
    values = x[first].flatten()
    column = int((~values.isfinite()).nonzero()[0])
    verb = "is" if len(rows) == 1 else "are"
    return f"{len(rows)} of {len(x)} samples {verb} not finite, the first at index {first}, value {column}: {values[column]}"
