"""Requirements of both networks on the data, their options and labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

import ganbench

SIDES = (32, 48, 64)  # pixels


def why_unsupported(data: ganbench.DataSpec, conditional: bool) -> str | None:
    """Return why a network cannot be built for `data`, or None if it can."""
    if data.kind != "images" or len(data.shape) != 3:
        return f"SNGAN needs images, and these samples are {data.kind} of shape {data.shape}"
    _, height, width = data.shape
    if height != width or height not in SIDES:
        nearest = min(SIDES, key=lambda side: abs(side - height))
        return (
            f"SNGAN is defined for squares of 32, 48 or 64 pixels, and these samples have {height}x{width}; "
            f"the nearest is {nearest}x{nearest}"
        )
    if conditional and not data.classes:
        return "conditional = true needs labels, and the data has no classes; conditional = false needs none"
    return None


def channels(player: str, width: int, divisors: Sequence[int]) -> list[int]:
    """Return `width` divided by each of the divisors. Raises ValueError if one does not divide it."""
    widest = max(divisors)
    if width < 1 or width % widest:
        nearest = max(1, round(width / widest)) * widest
        raise ValueError(
            f"{player} 'sngan': width = {width} is no positive multiple of {widest}; the nearest is {nearest}"
        )
    return [width // divisor for divisor in divisors]


def labels_for(player: str, classes: int, labels: torch.Tensor | None) -> torch.Tensor | None:
    """Return `labels` if the network has `classes`, else None. Raises ValueError if they are needed and missing."""
    if classes and labels is None:
        raise ValueError(f"{player} 'sngan' is conditional and was given no labels")
    return labels if classes else None
