"""Draw a trial's samples: points over real ones with both densities, or a sheet of images with real ones below."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

IMAGES_PER_ROW = 8
GENERATED_ROWS = 8
REAL_ROWS = 2
MIN_SHEET_PIXELS = 256  # width

POINTS_PIXELS = 320  # width of a picture of points; the densities below it are half as wide
DOT_PIXELS = 1.6  # radius
OVERSAMPLING = 2  # pixels are drawn so many times smaller, and put together: smooth edges
DENSITY_BINS = 40
OPACITY = 190  # of a dot, of 255
SHADES = 6  # of an edge, between two colours
DENSITY_SHADES = 40
GAP = 6  # pixels between the parts of a picture
REAL, GENERATED = (184, 188, 196), (209, 73, 91)
FRAME = (150, 150, 150)
# Colours of a density from none to the highest: dark is much, in equal steps of lightness.
DENSITY_COLOURS = np.array(
    [(255, 255, 255), (218, 226, 240), (158, 188, 218), (111, 134, 190), (94, 72, 150), (62, 20, 82)], dtype=float
)


def draw_samples(samples: Array, reals: Array, path: Path) -> None:
    """Draw samples to a PNG file.

    Args:
        samples: Generated images (N, C, H, W) in [-1, 1] of 1 or 3 channels, or anything else (N, ...), drawn as points. Points that are not finite are left
            out; pixels that are not finite are drawn as the nearest limit, NaN as black.
        reals: Real ones, of the same form.
        path: The file to write.
    """
    if samples.ndim == 4 and samples.shape[1] in (1, 3):
        _draw_sheet([(samples, GENERATED_ROWS), (reals, REAL_ROWS)], path)
    else:
        _draw_points(samples.reshape(len(samples), -1), reals.reshape(len(reals), -1), path)


def draw_nearest(samples: Array, nearest: Array, path: Path) -> None:
    """Draw the first generated images to a PNG file, and the nearest training image below each.

    Args:
        samples: Generated images (N, C, H, W) in [-1, 1].
        nearest: The training image that is nearest to each of the first ones.
        path: The file to write.
    """
    _draw_sheet([(samples, 1), (nearest, 1)], path)


def _draw_points(samples: Array, reals: Array, path: Path) -> None:
    """Draw the first and the last dimension, with limits from the real data so that pictures compare.

    Above, generated points over real ones; below, the density of the real ones and that of the generated ones.
    """
    from PIL import Image

    limit = 1.4 * float(np.abs(reals).max()) or 1.0
    real, generated = (_planar(points) for points in (reals, samples))
    half = (POINTS_PIXELS - GAP) // 2
    picture = Image.new("RGB", (POINTS_PIXELS, POINTS_PIXELS + GAP + half), "white")
    picture.paste(_scatter([(real, REAL), (generated, GENERATED)], limit, POINTS_PIXELS), (0, 0))
    picture.paste(_density(real, limit, half), (0, POINTS_PIXELS + GAP))
    picture.paste(_density(generated, limit, half), (POINTS_PIXELS - half, POINTS_PIXELS + GAP))
    _reduce_colours(picture).save(path, optimize=True)


def _reduce_colours(picture: Any) -> Any:
    """Return the picture in few colours: those of dots, their edges and densities. Its file is a third as large."""
    from PIL import Image

    white = np.full(3, 255.0)
    real, generated = (white + (np.array(colour) - white) * OPACITY / 255 for colour in (REAL, GENERATED))
    over = real + (np.array(GENERATED) - real) * OPACITY / 255
    shares = np.linspace(0, 1, SHADES + 1)[:, None]
    edges = [start + shares * (end - start) for start, end in ((white, real), (white, generated), (real, over))]
    palette = np.concatenate([*edges, _density_colours(np.linspace(0, 1, DENSITY_SHADES)), [FRAME]]).round()
    pixels = np.asarray(picture)
    packed: Array = pixels.astype(np.int64) @ np.array([65536, 256, 1])
    colours, which = np.unique(packed, return_inverse=True)
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1)
    nearest = ((channels[:, None] - palette) ** 2).sum(axis=-1).argmin(axis=1)
    reduced = Image.fromarray(nearest[which].reshape(pixels.shape[:2]).astype(np.uint8)).convert("P")
    reduced.putpalette(palette.astype(np.uint8).tobytes())
    return reduced


def _density_colours(share: Array) -> Array:
    """Return the colours of densities from 0 to 1, of shape (..., 3)."""
    place, stops = share * (len(DENSITY_COLOURS) - 1), np.arange(len(DENSITY_COLOURS))
    return np.stack([np.interp(place, stops, DENSITY_COLOURS[:, channel]) for channel in range(3)], axis=-1)


def _planar(points: Array) -> Array:
    """Return the first and the last dimension of the points that are finite."""
    planar = np.stack([points[:, 0], points[:, -1]], axis=1).astype(np.float64)
    return planar[np.isfinite(planar).all(axis=1)]


def _scatter(groups: list[tuple[Array, tuple[int, int, int]]], limit: float, size: int) -> Any:
    from PIL import Image, ImageDraw

    side = size * OVERSAMPLING
    picture = Image.new("RGB", (side, side), "white")
    radius = DOT_PIXELS * OVERSAMPLING
    for points, colour in groups:
        layer = Image.new("L", (side, side), 0)
        pen = ImageDraw.Draw(layer)
        for x, y in _to_pixels(points[(np.abs(points) <= limit).all(axis=1)], limit, side):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=OPACITY)
        picture.paste(colour, mask=layer)
    picture = picture.resize((size, size), Image.Resampling.BOX)
    ImageDraw.Draw(picture).rectangle((0, 0, size - 1, size - 1), outline=FRAME)
    return picture


def _to_pixels(points: Array, limit: float, side: int) -> list[tuple[float, float]]:
    places = (points / limit + 1) / 2 * (side - 1)
    return [(float(x), float(side - 1 - y)) for x, y in places]


def _density(points: Array, limit: float, size: int) -> Any:
    """Draw how many points lie where: a smoothed histogram, its highest value darkest."""
    from PIL import Image, ImageDraw

    edges = np.linspace(-limit, limit, DENSITY_BINS + 1)
    counts = np.histogram2d(points[:, 1], points[:, 0], bins=(edges, edges))[0] if len(points) else np.zeros((1, 1))
    for axis in (0, 1):
        padded = np.pad(counts, [(1, 1) if part == axis else (0, 0) for part in (0, 1)])
        before, after = (np.take(padded, np.arange(counts.shape[axis]) + shift, axis) for shift in (0, 2))
        counts = (before + 2 * counts + after) / 4
    share = np.sqrt(counts / (counts.max() or 1.0))  # a square root shows what is rare, too
    picture = Image.fromarray(_density_colours(share[::-1]).round().astype(np.uint8)).resize(
        (size, size), Image.Resampling.BILINEAR
    )
    ImageDraw.Draw(picture).rectangle((0, 0, size - 1, size - 1), outline=FRAME)
    return picture


def _draw_sheet(parts: list[tuple[Array, int]], path: Path) -> None:
    """Draw images in rows, with a grey line between the parts."""
    from PIL import Image

    tiles = [_tile(images, rows) for images, rows in parts]
    gap = np.full_like(tiles[0][:2], 160)
    sheet = np.concatenate([tiles[0], *(part for tile in tiles[1:] for part in (gap, tile))])
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
