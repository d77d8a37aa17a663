"""Whether D is given real samples once more where generated ones should stand."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MIN_ROWS = 16  # of each kind
CLEARLY_APART = 0.15  # energy distance of G's samples to real ones, over the mean distance of two real samples
AS_NEAR = 1 / 3  # of that distance, within which samples are of the same kind


def are_stand_ins(others: Sequence[Sequence[Tensor]], made: Sequence[Tensor]) -> bool:
    """Return whether all that D is given is of one kind, which is not G's.

    D may be given G's samples in a form that is not recognized: earlier ones, or changed ones. Those are nearer to what
    G makes than to real samples; real ones that stand in their place are not.

    Args:
        others: Of each update of D, some samples of each batch that was not recognized as G's, (rows, values).
        made: Samples of G, with as many values each.
    """
    if not made or not others or min(map(len, others)) < 2 or len({len(parts) for parts in others}) > 1:
        return False
    generated = torch.stack([row for row in made if len(row) == len(made[0])]).cpu()
    batches = [torch.cat(parts).cpu() for parts in zip(*others, strict=True)]
    if min(map(len, (generated, *batches))) < MIN_ROWS:
        return False
    real = batches[0]
    if not (unit := _mean_distance(real, real)) > 0:
        return False
    apart = [_energy_distance(batch, generated) / unit for batch in batches]
    return min(apart) >= CLEARLY_APART and all(
        _energy_distance(batch, real) / unit <= AS_NEAR * min(apart) for batch in batches[1:]
    )


def _energy_distance(a: Tensor, b: Tensor) -> float:
    return 2 * _mean_distance(a, b) - _mean_distance(a, a) - _mean_distance(b, b)


def _mean_distance(a: Tensor, b: Tensor) -> float:
    """The mean distance of two rows, of two different ones where both are the same."""
    pairs = len(a) * (len(a) - 1) if a is b else len(a) * len(b)
    return float(torch.cdist(a.double(), b.double()).sum() / pairs)
