"""Small pictures of five shapes, each in warm and in cold colours: ten classes, drawn exactly, that need no files."""

from __future__ import annotations

import torch
from torch import Tensor

import ganbench

FORMS = ("disc", "ring", "square", "triangle", "cross")
MIN_SIDE, MAX_SIDE = 8, 256  # pixels
CHUNK = 2000  # pictures drawn at once
SHIFT, RADIUS = 0.1, (0.5, 0.65)  # of the centre at most, and of the shape, in halves of the side
FAINTEST, DARKEST, LIGHTEST = 0.7, -1.0, -0.7  # of a shape's main colour, and of the background


class Shapes(ganbench.Dataset):
    """Discs, rings, squares, triangles and crosses, in warm (classes 0 to 4) and in cold colours (5 to 9).

    Place, size, colour and background vary. Edges are smooth over a pixel, so that a picture is that of a camera.

    Args:
        side: Pixels of a side.
        size: Training images.
        held_out: Held-out images.
    """

    check_options = {"size": 2000, "held_out": 1000}

    def __init__(self, *, side: int = 28, size: int = 20_000, held_out: int = 4_000) -> None:
        if not MIN_SIDE <= side <= MAX_SIDE:
            raise ValueError(f"side = {side} must be from {MIN_SIDE} to {MAX_SIDE} pixels")
        if size < 1 or held_out < 1:
            raise ValueError(f"size = {size} and held_out = {held_out} must be positive")
        self.spec = ganbench.DataSpec("images", (3, side, side), value_range=(-1.0, 1.0), classes=2 * len(FORMS))
        self._sizes = (size, held_out)

    def training(self) -> ganbench.Batch:
        """Return images (size, 3, side, side), uint8, and labels."""
        return self._draw(self._sizes[0], seed=1)

    def held_out(self) -> ganbench.Batch:
        """Return images (held_out, 3, side, side), uint8, and labels."""
        return self._draw(self._sizes[1], seed=2)

    def _draw(self, n: int, seed: int) -> ganbench.Batch:
        stream = torch.Generator().manual_seed(seed)
        labels = torch.randint(self.spec.classes, (n,), generator=stream)
        numbers = torch.rand(n, 7, generator=stream)
        side = self.spec.shape[-1]
        chunks = (draw(*chunk, side) for chunk in zip(labels.split(CHUNK), numbers.split(CHUNK), strict=True))
        return ganbench.Batch(torch.cat([((x + 1) * 127.5).round().to(torch.uint8) for x in chunks]), labels)


def draw(labels: Tensor, numbers: Tensor, side: int) -> Tensor:
    """Return the pictures of classes (N,), of shape (N, 3, side, side) in [-1, 1].

    Args:
        labels: Classes from 0 to 9.
        numbers: What varies, (N, 7) in [0, 1]: place (2), size, the main, middle and faint channel, and the background.
        side: Pixels of a side.
    """
    line = (torch.arange(side) + 0.5) * (2 / side) - 1
    place = (2 * numbers[:, :2, None, None] - 1) * SHIFT
    x, y = line[None, None, :] - place[:, 0], line[None, :, None] - place[:, 1]
    radius = RADIUS[0] + (RADIUS[1] - RADIUS[0]) * numbers[:, 2, None, None]
    distance = _distances(x, y, radius).gather(0, (labels % len(FORMS))[None, :, None, None].expand(1, -1, side, side))
    inside = (0.5 - distance[0] * side / 2).clamp(0, 1)[:, None]
    main, middle, faint = FAINTEST + (1 - FAINTEST) * numbers[:, 3], 0.6 * numbers[:, 4] - 0.3, 0.2 * numbers[:, 5] - 1
    warm = torch.stack([main, middle, faint], dim=1)
    colour = torch.where((labels < len(FORMS))[:, None], warm, warm.flip(1))[:, :, None, None]
    background = (DARKEST + (LIGHTEST - DARKEST) * numbers[:, 6])[:, None, None, None]
    return background + inside * (colour - background)


def _distances(x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """Signed distances of pixels to the edge of each form, negative inside, of shape (forms, N, side, side)."""
    x, y = x.expand(-1, y.shape[1], -1), y.expand(-1, -1, x.shape[2])
    from_centre = torch.hypot(x, y)
    ring = (from_centre - 0.75 * radius).abs() - 0.25 * radius
    square = torch.maximum(x.abs(), y.abs()) - 0.85 * radius
    triangle = torch.maximum(3**0.5 / 2 * x.abs() + y / 2, -y) - radius / 2  # pointing down, as rows are counted
    bars = [torch.maximum(one.abs() - 0.3 * radius, other.abs() - radius) for one, other in ((x, y), (y, x))]
    return torch.stack([from_centre - radius, ring, square, triangle, torch.minimum(*bars)])
