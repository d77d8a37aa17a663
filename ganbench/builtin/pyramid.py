"""How a convolutional network climbs from a small map to an image by doubling."""

from __future__ import annotations

import ganbench


def doublings(data: ganbench.DataSpec) -> tuple[int, int] | None:
    """(base, k) with image side = base * 2**k and base 4 to 7; None where the data has no such side from 8 to 64."""
    if data.kind != "images" or len(data.shape) != 3:
        return None
    _, height, width = data.shape
    if height != width or not 8 <= height <= 64:
        return None
    base, k = height, 0
    while base > 7:
        if base % 2:
            return None
        base, k = base // 2, k + 1
    return base, k


def skip(trial: ganbench.Trial) -> str | None:
    """Why a convolutional network cannot serve this trial."""
    if trial.data.kind != "images":
        return f"a convolutional network needs images, and {trial.dataset} is {trial.data.kind}"
    if doublings(trial.data) is None:
        return (
            f"a convolutional network needs square images with a side of 4 to 7 doubled up to 64, "
            f"and {trial.dataset} has the shape {trial.data.shape}"
        )
    return None
