"""Embed pictures of samples as data URIs, small enough that a page with a hundred of them still opens at once."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

SIDES = (560, 440, 340, 260, 200)  # pixels, tried in turn until a picture is small enough


def data_uri(path: Path | None, max_bytes: int) -> str | None:
    """Return a picture as a data URI, or None if there is none or it is damaged.

    Args:
        path: The picture's file.
        max_bytes: About how large it may be; a larger one is scaled down to a JPEG.
    """
    if path is None or not path.is_file():
        return None
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format == "PNG" and len(content) <= max_bytes:
                picture.verify()
                return _encode("image/png", content)
            return _encode("image/jpeg", _compress(_on_white(picture), max_bytes))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the picture on white, since JPEG has no transparency."""
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _compress(picture: Image.Image, max_bytes: int) -> bytes:
    content = b""
    for side in SIDES:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85, optimize=True)
        content = buffer.getvalue()
        if len(content) <= max_bytes:
            break
    return content


def _encode(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
