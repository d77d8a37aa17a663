"""Make pictures small enough to be part of a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

SIDES = (720, 560, 440, 340, 260, 200, 140)  # pixels, tried in turn until a picture is small enough
QUALITY = 82
LOSSLESS_EFFORT = 50  # of 100: more takes several times as long for less than a hundredth of the bytes
MAX_MAGNIFICATION = 16


@dataclass(frozen=True)
class EmbeddedPicture:
    """A picture as part of a page.

    Attributes:
        uri: Its data URI.
        width: Pixels.
        height: Pixels.
        is_crisp: Whether its pixels are to be shown as squares: it was a picture of small ones, magnified.
    """

    uri: str
    width: int
    height: int
    is_crisp: bool


def embed_picture(path: Path | None, max_bytes: int) -> EmbeddedPicture | None:
    """Return a picture to be part of a page (WebP), or None if there is none or it is damaged.

    Args:
        path: The picture's file.
        max_bytes: About how large it may be: without loss if that is small enough, else with loss, else scaled down.
    """
    if path is None or not path.is_file():
        return None
    try:
        with Image.open(path) as opened:
            picture = _on_white(opened)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    factor = magnification(picture)
    if factor > 1:
        picture = picture.resize((picture.width // factor, picture.height // factor), Image.Resampling.NEAREST)
    content, (width, height) = compress(picture, max_bytes)
    return EmbeddedPicture(encode("image/webp", content), width, height, factor > 1)


def magnification(picture: Image.Image) -> int:
    """Return by which whole number a picture was magnified without smoothing; 1 if it was not."""
    pixels = np.asarray(picture)
    height, width = pixels.shape[:2]
    for factor in range(MAX_MAGNIFICATION, 1, -1):
        if height % factor == 0 and width % factor == 0:
            small = pixels[::factor, ::factor]
            if np.array_equal(small.repeat(factor, axis=0).repeat(factor, axis=1), pixels):
                return factor
    return 1


def compress(picture: Image.Image, max_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """Return a picture as WebP of about at most `max_bytes`, the best form that is small enough, and its size."""
    content = _save(picture, lossless=True)
    for side in SIDES:
        if len(content) <= max_bytes:
            break
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        content = _save(picture, lossless=False)
    return content, picture.size


def encode(media_type: str, content: bytes) -> str:
    """Return content as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _save(picture: Image.Image, lossless: bool) -> bytes:
    buffer = io.BytesIO()
    settings = {"quality": LOSSLESS_EFFORT, "method": 2} if lossless else {"quality": QUALITY, "method": 4}
    picture.save(buffer, "WEBP", lossless=lossless, **settings)
    return buffer.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the picture on white: what is transparent would show the page's colour."""
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
