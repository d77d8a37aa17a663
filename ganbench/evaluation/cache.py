"""What was computed of real samples, kept on disk for other runs: features, covariances, radii.

A file holds the tensors of one computation. Its name is a digest of everything that they depend on: the samples, the
features with their preprocessing and weights, and what was computed. Files are safetensors, so that reading one runs no
code; they are written under another name first, so that no reader finds half of one.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import sys
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from ..contract.adapt import original
from ..contract.components import Features
from .embedding import SampleSet, Tensors

VARIABLE = "GANBENCH_CACHE"
FORMAT = 1  # of the files, and of what built-in metrics keep in them: raised when either changes
MAX_BYTES = 2 * 1024**3
SUFFIX = ".safetensors"


class CachedSampleSet(SampleSet):
    """Real samples of which everything that is computed is kept on disk, in the folder that `cache_folder` says."""

    def keep(self, features: Features | None, name: str, compute: Callable[[], Tensors]) -> Tensors:
        """Return `compute()`, from the cache where it is there."""
        folder = cache_folder()
        if folder is None or features is None:  # without features, computing is cheap
            return compute()
        about = {"format": FORMAT, "samples": self.digest, **describe_features(features), "computed": name}
        path = folder / (hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest() + SUFFIX)
        if (found := _load(path)) is not None:
            return tuple(tensor.to(self.device) for tensor in found)
        tensors = compute()
        _save(path, tensors, json.dumps(about))
        return tensors

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the samples: type, shape and content."""
        content = hashlib.sha256(f"{self.samples.dtype} {tuple(self.samples.shape)}".encode())
        for part in self.samples.split(1024):
            content.update(part.contiguous().numpy().tobytes())
        return content.hexdigest()


def cache_folder() -> Path | None:
    """Return where computations are kept: `$GANBENCH_CACHE`, else the user's cache folder; None if that is set to nothing."""
    chosen = os.environ.get(VARIABLE)
    if chosen is not None:
        return Path(chosen).expanduser() if chosen else None
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(base) / "ganbench"


def describe_features(features: Features) -> dict[str, object]:
    """Return everything that features depend on beside the samples."""
    own = original(features)  # of one that subclasses nothing, what its plugin built
    kind = type(own)
    settings: dict[str, object] = getattr(own, "__dict__", {})
    return {
        "features": f"{kind.__module__}:{kind.__qualname__}",
        "code": _code_digest(sys.modules[kind.__module__]),
        "preprocessing": features.preprocessing,
        "checksum": features.checksum,
        "dim": features.dim,
        "options": {name: value for name, value in settings.items() if isinstance(value, str | int | float)},
        "torch": torch.__version__.partition("+")[0],
    }


@functools.cache
def _code_digest(module: ModuleType) -> str:
    """SHA-256 of the file that features come from, for those whose weights are their code; empty without a file."""
    try:
        return hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    except (AttributeError, OSError):
        return ""


def _load(path: Path) -> Tensors | None:
    """The tensors of a file; None if it is not there. One that is damaged is removed, with a warning."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        return None
    try:
        tensors = load_file(path)
        with contextlib.suppress(OSError):
            os.utime(path)  # the oldest in use is removed first
        return tuple(tensors[str(i)] for i in range(len(tensors)))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        warnings.warn(f"{path} is damaged, and is computed again: {error}", stacklevel=2)
        with contextlib.suppress(OSError):
            path.unlink()
        return None


def _save(path: Path, tensors: Tensors, about: str) -> None:
    """Write a file whole or not at all; a disk that is full or closed to writing costs a warning and no result."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({str(i): _plain(tensor) for i, tensor in enumerate(tensors)}, hidden, {"ganbench": about})
        hidden.replace(path)
        _make_room(path.parent)
    except (OSError, SafetensorError) as error:
        warnings.warn(
            f"features are not kept in {path.parent}: {error}; free space there, or set {VARIABLE} to another folder",
            stacklevel=2,
        )
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().clone()


def _make_room(folder: Path) -> None:
    """Remove the files that have not been used for longest until the rest fit into `MAX_BYTES`."""
    files = []
    for file in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):  # another process may remove it meanwhile
            stat = file.stat()
            files.append((stat.st_mtime, stat.st_size, file))
    total = sum(size for _, size, _ in files)
    for _, size, file in sorted(files):
        if total <= MAX_BYTES:
            return
        file.unlink(missing_ok=True)
        total -= size
