"""Decode picture files of any colour mode into one uint8 tensor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from .framing import Framing

_DEEP_GREY_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of grey with more than 8 bits


def read_pictures(files: Sequence[Path], framing: Framing) -> torch.Tensor:
    """Return (N, C, size, size) in uint8. Raises ValueError, which names the first file that cannot be decoded."""
    pictures = torch.empty((len(files), *framing.shape(3, 0)), dtype=torch.uint8)
    for place, file in zip(pictures, files, strict=True):
        pixels = np.array(framing.frame(_read_rgb(file)))  # (H, W) where grey, else (H, W, 3)
        place.copy_(torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1))
    return pictures


def _read_rgb(file: Path) -> Image.Image:
    """Return the picture in 8-bit RGB, upright, on white where it is transparent; of several frames the first."""
    try:
        with Image.open(file) as opened:
            return _to_rgb(ImageOps.exif_transpose(opened))
    except Exception as error:  # decoders raise all kinds of exceptions
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} cannot be read as a picture ({reason}); repair or remove it") from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise ValueError("it holds floats of no known range; save it with 8 or 16 bits")
    if picture.mode in _DEEP_GREY_MODES:
        return _to_8_bits(picture).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion would clip at 255."""
    values = np.asarray(picture).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("it holds integers of more than 16 bits; save it with 8 or 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))
