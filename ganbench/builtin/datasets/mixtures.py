"""Mixtures of Gaussians in the plane, whose modes are exactly known (PacGAN's protocol)."""

from __future__ import annotations

import math
from typing import Literal

import torch

import ganbench

# The same points in every run: a data set is fixed, training seeds vary.
TRAINING_SEED = 1
HELD_OUT_SEED = 2


class _Mixture(ganbench.Dataset):
    """Equally likely isotropic Gaussians."""

    modes: ganbench.Modes

    def __init__(self, centres: torch.Tensor, sigma: float, size: int, held_out_size: int) -> None:
        if sigma <= 0 or size < 1 or held_out_size < 1:
            raise ValueError(f"sigma = {sigma}, size = {size} and held_out = {held_out_size} must be positive")
        self.spec = ganbench.DataSpec("points", (2,), modes=len(centres))
        self.modes = ganbench.Modes(centres, sigma)
        self._sizes = (size, held_out_size)

    def training(self) -> ganbench.Batch:
        """Return the training points, (size, 2)."""
        return self._draw(self._sizes[0], TRAINING_SEED)

    def held_out(self) -> ganbench.Batch:
        """Return points of the same distribution that training never sees, (held_out, 2)."""
        return self._draw(self._sizes[1], HELD_OUT_SEED)

    def _draw(self, n: int, seed: int) -> ganbench.Batch:
        stream = torch.Generator().manual_seed(seed)
        mode = torch.randint(len(self.modes.centres), (n,), generator=stream)
        noise = torch.randn(n, 2, generator=stream)
        return ganbench.Batch(self.modes.centres[mode] + self.modes.sigma * noise)


class Ring(_Mixture):
    """Gaussians evenly spaced on a circle (PacGAN's 2D-ring by default).

    Args:
        modes: How many.
        radius: Of the circle.
        sigma: Standard deviation of each.
        size: Training points.
        held_out: Held-out points.
    """

    def __init__(
        self,
        *,
        modes: int = 8,
        radius: float = 1.0,
        sigma: float = 0.01,
        size: int = 100_000,
        held_out: int = 20_000,
    ) -> None:
        if modes < 1 or radius <= 0:
            raise ValueError(f"modes = {modes} and radius = {radius} must be positive")
        # Without the angle 2 pi, which is the angle 0 again.
        angles = torch.arange(modes) * (2 * math.pi / modes)
        super().__init__(radius * torch.stack([angles.cos(), angles.sin()], dim=1), sigma, size, held_out)


class Grid(_Mixture):
    """Gaussians on a square grid centred on the origin (PacGAN's 2D-grid by default).

    Args:
        modes: How many; a square number.
        spacing: Distance of neighbours.
        sigma: Standard deviation of each.
        size: Training points.
        held_out: Held-out points.
    """

    def __init__(
        self,
        *,
        modes: int = 25,
        spacing: float = 2.0,
        sigma: float = 0.05,
        size: int = 100_000,
        held_out: int = 20_000,
    ) -> None:
        side = math.isqrt(max(modes, 0))
        if modes < 1 or side * side != modes or spacing <= 0:
            raise ValueError(f"modes = {modes} must be a square and spacing = {spacing} positive")
        super().__init__(_square_grid(side, spacing), sigma, size, held_out)


class HundredGaussians(_Mixture):
    """A hundred narrow Gaussians: a square grid, the grid turned by 30 degrees, or with every other row shifted.

    Ten times ten, spaced and as wide as in the examples of ParticleGAN (https://github.com/255BITS/ParticleGAN). Axes of
    the turned grid are not those of the coordinates, and columns of the staggered one do not line up, so that a
    generator cannot learn either coordinate alone.

    Args:
        layout: Where the centres are.
        spacing: Distance of neighbours in a row.
        sigma: Standard deviation of each.
        size: Training points.
        held_out: Held-out points.
    """

    def __init__(
        self,
        *,
        layout: Literal["grid", "rotated", "staggered"] = "grid",
        spacing: float = 1.0,
        sigma: float = 0.03,
        size: int = 100_000,
        held_out: int = 20_000,
    ) -> None:
        if spacing <= 0:
            raise ValueError(f"spacing = {spacing} must be positive")
        centres = _square_grid(10, spacing)
        if layout == "rotated":
            angle = math.pi / 6
            turn = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
            centres = centres @ torch.tensor(turn)
        elif layout == "staggered":
            row = torch.arange(100) % 10  # the second coordinate runs fastest
            centres[:, 0] += (row % 2 - 0.5) * spacing / 2
        super().__init__(centres, sigma, size, held_out)


def _square_grid(side: int, spacing: float) -> torch.Tensor:
    """Return the points of a square grid centred on the origin, (side * side, 2)."""
    line = (torch.arange(side) - (side - 1) / 2) * spacing
    return torch.cartesian_prod(line, line)
