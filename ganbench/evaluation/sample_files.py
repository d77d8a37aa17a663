"""Samples that were not made here: a folder of pictures, arrays in an .npz, or statistics of features."""

from __future__ import annotations

import os
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.lib.npyio import NpzFile
from PIL import Image, ImageOps
from torch import Tensor

from ..contract.errors import RequestError
from ..contract.records import DataSpec
from .memory import check_memory

PICTURES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
ARRAY_MAGIC = b"\x93NUMPY"
FLOAT_BYTES = 4  # of a value as it is scored
ARRAY_NAMES = ("arr_0", "samples", "images", "x")  # of the array of samples in an .npz, the first that is there
DEEP_GREY_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's modes of grey with more than 8 bits


@dataclass(frozen=True)
class SampleFile:
    """Samples as read from outside.

    Attributes:
        samples: Of shape (N, *shape): uint8 for pictures, whose 0 to 255 span [-1, 1], or float32.
        spec: What they look like.
    """

    samples: Tensor
    spec: DataSpec


@dataclass(frozen=True)
class StatisticsFile:
    """Mean (d,) and covariance (d, d) of features, float64: `mu` and `sigma` of an .npz, as FID programs exchange them."""

    mean: Tensor
    covariance: Tensor


def read_samples(path: Path) -> SampleFile | StatisticsFile:
    """Read a folder of pictures or an .npz. Raises RequestError, one line that names the file and what is wrong with it."""
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise RequestError(f"there is no {path}; give a folder of pictures, an .npz, or a data set by name")
    if path.suffix != ".npz":
        raise RequestError(f"{path} is neither a folder of pictures nor an .npz")
    return _read_npz(path)


def samples_from_array(array: np.ndarray | Tensor, where: str) -> SampleFile:
    """Return an array of pictures or points as samples. Raises RequestError, its line beginning with `where`.

    uint8 arrays are pictures: (N, H, W, 3 or 1), (N, 3 or 1, H, W) or (N, H, W). Float arrays are points (N, d), or
    pictures (N, C, H, W) in [-1, 1].
    """
    values = array.detach().cpu() if isinstance(array, Tensor) else _to_tensor(np.asarray(array), where)
    if values.ndim < 2 or not len(values):
        raise RequestError(f"{where}: an array of shape {tuple(values.shape)} holds no samples; give (N, ...)")
    if values.dtype == torch.uint8:
        if values.ndim == 3:
            values = values[:, None]
        elif values.ndim == 4 and values.shape[-1] in (1, 3) and values.shape[1] not in (1, 3):
            values = values.permute(0, 3, 1, 2)
        if values.ndim != 4 or values.shape[1] not in (1, 3):
            raise RequestError(f"{where}: uint8 of shape {tuple(values.shape)} are no pictures; give (N, H, W, 3)")
        check_memory(values.numel() * FLOAT_BYTES, f"{where}: {len(values)} pictures in float32")
        return SampleFile(values.contiguous(), _pictures_spec(values))
    if not values.is_floating_point():
        raise RequestError(f"{where}: {str(values.dtype).removeprefix('torch.')} are neither pictures nor points")
    if not values[0].numel():
        raise RequestError(f"{where}: an array of shape {tuple(values.shape)} holds no values; give points (N, d)")
    exact, values = values, values.float()
    if bad := int((~values.isfinite().flatten(1).all(dim=1)).sum()):
        what = "NaN or infinity" if not exact.isfinite().all() else "numbers beyond float32"
        raise RequestError(f"{where}: {bad} of {len(values)} samples hold {what}")
    if values.ndim == 2:
        return SampleFile(values, DataSpec("points", (values.shape[1],)))
    if values.ndim != 4 or values.shape[1] not in (1, 3):
        raise RequestError(f"{where}: floats of shape {tuple(values.shape)}; give points (N, d) or images (N, C, H, W)")
    low, high = float(values.min()), float(values.max())
    if low < -1.001 or high > 1.001:
        raise RequestError(f"{where}: images of floats must lie in [-1, 1], and these in [{low:.4g}, {high:.4g}]")
    return SampleFile(values, _pictures_spec(values))


def _to_tensor(array: np.ndarray, where: str) -> Tensor:
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.dtype.kind not in "biufc":
        raise RequestError(f"{where}: {array.dtype} are neither pictures nor points; give uint8 or float32")
    return torch.as_tensor(array.astype(array.dtype.newbyteorder("="), copy=False))


def _pictures_spec(values: Tensor) -> DataSpec:
    return DataSpec("images", tuple(values.shape[1:]), value_range=(-1.0, 1.0))


def _read_npz(path: Path) -> SampleFile | StatisticsFile:
    try:
        # opened here, since NumPy leaves a file open that turns out to be no archive
        with path.open("rb") as file, _open_archive(file) as archive:
            names = archive.files
            entries = archive.zip.infolist() if archive.zip else []
            check_memory(max((entry.file_size for entry in entries), default=0), f"{path}: its arrays")
            if {"mu", "sigma"} <= set(names):
                return _check_statistics(path, archive["mu"], archive["sigma"])
            chosen = next((name for name in ARRAY_NAMES if name in names), names[0] if len(names) == 1 else None)
            if chosen is None:
                raise RequestError(f"{path} holds {', '.join(names) or 'nothing'}; name the array of samples arr_0")
            return samples_from_array(archive[chosen], f"{path}: {chosen}")
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, MemoryError) as error:
        reason = " ".join(str(error).split())
        if "allow_pickle" in reason:
            reason = "it holds Python objects, which are never read"
        raise RequestError(f"{path} cannot be read: {reason}") from error


def _open_archive(file: BinaryIO) -> NpzFile:
    if file.read(len(ARRAY_MAGIC)) == ARRAY_MAGIC:
        raise ValueError("it is one array (.npy), and no archive of named ones")
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no archive of arrays, or cut short")
    file.seek(0)
    archive = np.load(file, allow_pickle=False)
    assert isinstance(archive, NpzFile)
    return archive


def _check_statistics(path: Path, mu: np.ndarray, sigma: np.ndarray) -> StatisticsFile:
    if mu.ndim != 1 or not len(mu) or sigma.shape != (len(mu), len(mu)):
        raise RequestError(f"{path}: mu of shape {mu.shape} and sigma of shape {sigma.shape}; give (d,) and (d, d)")
    for name, part in (("mu", mu), ("sigma", sigma)):
        if part.dtype.kind not in "iuf":
            raise RequestError(f"{path}: {name} holds {part.dtype}; give real numbers")
    mean, covariance = (torch.from_numpy(np.asarray(part, dtype=np.float64)) for part in (mu, sigma))
    if not (mean.isfinite().all() and covariance.isfinite().all()):
        raise RequestError(f"{path}: mu or sigma hold NaN or infinity")
    if not torch.allclose(covariance, covariance.T, rtol=1e-4, atol=1e-8 * float(covariance.abs().max())):
        raise RequestError(f"{path}: sigma is not symmetric, so it is no covariance")
    if covariance.diagonal().min() < 0:
        raise RequestError(f"{path}: sigma has negative variances, so it is no covariance")
    return StatisticsFile(mean, (covariance + covariance.T) / 2)


def _read_folder(folder: Path) -> SampleFile:
    files = _list_pictures(folder)
    if not files:
        raise RequestError(f"{folder} holds no picture; pictures end in {', '.join(PICTURES)}")
    pictures: list[Tensor] = []
    for file in files:
        pixels = _read_picture(file)
        if not pictures:
            check_memory(len(files) * pixels.numel() * (1 + FLOAT_BYTES), f"{folder}: {len(files)} pictures")
        elif pixels.shape != pictures[0].shape:
            sizes = [f"{x.shape[2]}x{x.shape[1]}" for x in (pixels, pictures[0])]
            raise RequestError(
                f"{file} has {sizes[0]} pixels, and {files[0].name} {sizes[1]}: all pictures must be of one size"
            )
        pictures.append(pixels)
    samples = torch.stack(pictures)
    return SampleFile(samples, _pictures_spec(samples))


def _list_pictures(folder: Path) -> list[Path]:
    """Return the pictures of a folder and its subfolders, without what is hidden, by their names.

    Links to folders are not followed, so that none goes round in a circle. Raises RequestError for a folder that may not
    be read, which would otherwise be missing in silence.
    """

    def refuse(error: OSError) -> None:
        raise RequestError(f"{error.filename} cannot be read: {error.strerror}") from error

    found = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(place, name) for name in names if not name.startswith(".")]
        # A link that leads nowhere is kept, to be said to; a pipe would be waited for.
        found += [path for path in paths if path.suffix.lower() in PICTURES and (path.is_file() or path.is_symlink())]
    return sorted(found)


def _read_picture(file: Path) -> Tensor:
    """The picture as (3, H, W) in uint8: upright, on white where it is transparent, of several frames the first."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as opened:
                if opened.mode == "I" and opened.format != "PNG":
                    raise ValueError("it holds integers of 32 bits, of no known range; save it with 8 or 16 bits")
                picture = _to_rgb(ImageOps.exif_transpose(opened))
    except Exception as error:  # decoders raise all kinds of exceptions
        reason = " ".join(str(error).split())[:200]
        raise RequestError(f"{file} cannot be read as a picture ({reason}); repair or remove it") from error
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "F":
        raise ValueError("it holds floats of no known range; save it with 8 or 16 bits")
    if picture.mode in DEEP_GREY_MODES:
        values = np.asarray(picture).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError("it holds integers of more than 16 bits; save it with 8 or 16 bits")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")
