"""Pictures of samples as data URIs, small enough that a page with a hundred of them still opens at once."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

SIDES = (560, 440, 340, 260, 200)  # pixels, tried in turn until a picture fits


def data_uri(path: Path | None, most_bytes: int) -> str | None:
    """The picture at `path` as a data URI of about `most_bytes`: itself, or smaller as JPEG. None if there is none."""
    if path is None or not path.is_file():
        return None
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format == "PNG" and len(content) <= most_bytes:
                picture.verify()
                return _uri("image/png", content)
            return _uri("image/jpeg", _shrunk(_on_white(picture), most_bytes))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # cut short or no picture at all: the trial's numbers still stand


def _on_white(picture: Image.Image) -> Image.Image:
    """JPEG knows no transparency."""
    colours = picture.convert("RGBA")
    ground = Image.new("RGBA", colours.size, "white")
    return Image.alpha_composite(ground, colours).convert("RGB")


def _shrunk(picture: Image.Image, most_bytes: int) -> bytes:
    content = b""
    for side in SIDES:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85, optimize=True)
        content = buffer.getvalue()
        if len(content) <= most_bytes:
            break
    return content


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
