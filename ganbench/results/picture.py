"""The picture of a trial's samples: points over the real ones, or a sheet of images with real ones below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

SIDE = 8  # generated images in a row, and rows of them
REAL_ROWS = 2
ENLARGED = 256  # pixels that a sheet is at least wide


def draw_samples(samples: Array, reals: Array, path: Path) -> None:
    """Draw (N, dimensions) points or (N, C, H, W) images in [-1, 1]; whatever is not finite is left out or black."""
    if samples.ndim == 4:
        _sheet(samples, reals, path)
    else:
        _scatter(samples.reshape(len(samples), -1), reals.reshape(len(reals), -1), path)


def _scatter(samples: Array, reals: Array, path: Path) -> None:
    """The first two dimensions, framed by the real data so that pictures compare."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 3), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.scatter(reals[:, 0], reals[:, -1], s=4, c="#b8bcc4", linewidths=0, label="real")
    axes.scatter(samples[:, 0], samples[:, -1], s=4, c="#d1495b", linewidths=0, alpha=0.6, label="generated")
    reach = 1.4 * float(np.abs(reals).max())
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    figure.savefig(path, metadata={"Software": None})


def _sheet(samples: Array, reals: Array, path: Path) -> None:
    from PIL import Image

    rows = np.concatenate([_tiles(samples, SIDE), np.full_like(_tiles(samples, 1)[:2], 160), _tiles(reals, REAL_ROWS)])
    image = Image.fromarray(rows.squeeze(-1) if rows.shape[-1] == 1 else rows)
    scale = max(1, -(-ENLARGED // image.width))
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(path)


def _tiles(images: Array, rows: int) -> Array:
    """The first images as one of (rows * H, SIDE * W, C) bytes; two channels get a third to be a picture."""
    _, channels, height, width = images.shape
    tiles = np.zeros((rows * SIDE, channels, height, width), dtype=np.float32)
    first = images[: rows * SIDE]
    tiles[: len(first)] = np.nan_to_num(first, nan=-1.0, posinf=1.0, neginf=-1.0)
    tiles = tiles[:, :3] if channels >= 3 else tiles[:, :1]
    sheet = tiles.reshape(rows, SIDE, -1, height, width).transpose(0, 3, 1, 4, 2)
    sheet = sheet.reshape(rows * height, SIDE * width, -1)
    return np.asarray(((np.clip(sheet, -1, 1) + 1) * 127.5).round(), dtype=np.uint8)
