"""Draw a trial's samples: points over real ones, or a sheet of images with real ones below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

IMAGES_PER_ROW = 8
GENERATED_ROWS = 8
REAL_ROWS = 2
MIN_SHEET_PIXELS = 256  # width


def draw_samples(samples: Array, reals: Array, path: Path) -> None:
    """Draw samples to a PNG file.

    Args:
        samples: Generated points (N, dimensions) or images (N, C, H, W) in [-1, 1]. Points that are not finite are left
            out; pixels that are not finite are drawn as the nearest limit, NaN as black.
        reals: Real ones, of the same form.
        path: The file to write.
    """
    if samples.ndim == 4:
        _draw_sheet(samples, reals, path)
    else:
        _draw_scatter(samples.reshape(len(samples), -1), reals.reshape(len(reals), -1), path)


def _draw_scatter(samples: Array, reals: Array, path: Path) -> None:
    """Draw the first and the last dimension, with limits from the real data so that pictures compare."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3, 3), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.scatter(reals[:, 0], reals[:, -1], s=4, c="#b8bcc4", linewidths=0, label="real")
    axes.scatter(samples[:, 0], samples[:, -1], s=4, c="#d1495b", linewidths=0, alpha=0.6, label="generated")
    limit = 1.4 * float(np.abs(reals).max())
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])
    figure.savefig(path, metadata={"Software": None})


def _draw_sheet(samples: Array, reals: Array, path: Path) -> None:
    from PIL import Image

    generated, real = _tile(samples, GENERATED_ROWS), _tile(reals, REAL_ROWS)
    gap = np.full_like(generated[:2], 160)
    sheet = np.concatenate([generated, gap, real])
    image = Image.fromarray(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet)
    scale = max(1, -(-MIN_SHEET_PIXELS // image.width))
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(path)


def _tile(images: Array, rows: int) -> Array:
    """Return the first images side by side: bytes of shape (rows * H, IMAGES_PER_ROW * W, 1 or 3).

    Of two channels the first is drawn, of more than three the first three.
    """
    _, channels, height, width = images.shape
    tiles = np.zeros((rows * IMAGES_PER_ROW, channels, height, width), dtype=np.float32)
    first = images[: rows * IMAGES_PER_ROW]
    tiles[: len(first)] = np.nan_to_num(first, nan=-1.0, posinf=1.0, neginf=-1.0)
    tiles = tiles[:, :3] if channels >= 3 else tiles[:, :1]
    sheet = tiles.reshape(rows, IMAGES_PER_ROW, -1, height, width).transpose(0, 3, 1, 4, 2)
    sheet = sheet.reshape(rows * height, IMAGES_PER_ROW * width, -1)
    return np.asarray(((np.clip(sheet, -1, 1) + 1) * 127.5).round(), dtype=np.uint8)
