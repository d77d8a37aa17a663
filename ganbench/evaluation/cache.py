"""What was computed of real samples, kept on disk for other runs: features, covariances, radii.

A file holds the tensors of one computation. Its name is a digest of everything that they depend on: the samples, the
features with their preprocessing and weights, and what was computed. Its metadata say that, and a checksum of the tensors:
one whose content was changed since is computed again. Files are safetensors, so that reading one runs no code; they are
written under another name first, so that no reader finds half of one.
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
from ..contract.files import describe_os_error
from ..contract.records import Batch
from .embedding import SampleSet, Tensors

VARIABLE = "GANBENCH_CACHE"
FORMAT = 2  # of the files, and of what built-in metrics keep in them: raised when either changes
MAX_BYTES = 2 * 1024**3
SUFFIX = ".safetensors"


class CachedSampleSet(SampleSet):
    """Real samples of which everything that is computed is kept on disk, in the folder that `cache_folder` says.

    Args:
        samples: The samples.
        device: Where features are computed.
        batch: What they are part of, where they have conditions.
        tell: Is told in a line of a file that is damaged, or cannot be written; a warning by default.
    """

    def __init__(
        self,
        samples: Tensor,
        device: torch.device,
        batch: Batch | None = None,
        tell: Callable[[str], None] = warnings.warn,
    ) -> None:
        super().__init__(samples, device, batch)
        self._tell = tell

    def keep(self, features: Features | None, name: str, compute: Callable[[], Tensors]) -> Tensors:
        """Return `compute()`, from the cache where it is there."""
        folder = cache_folder()
        if folder is None or features is None:  # without features, computing is cheap
            return compute()
        of = {"format": FORMAT, "samples": self.digest, **describe_features(features), "computed": name}
        about = json.dumps(of, sort_keys=True)
        path = folder / (hashlib.sha256(about.encode()).hexdigest() + SUFFIX)
        if (found := _load(path, about, self._tell)) is not None:
            return tuple(tensor.to(self.device) for tensor in found)
        tensors = compute()
        _save(path, tensors, about, self._tell)
        return tensors


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


def _load(path: Path, about: str, tell: Callable[[str], None]) -> Tensors | None:
    """The tensors of a file; None if it is not there. One that is damaged, or not as it was written, is removed, with a warning."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = tuple(file.get_tensor(str(i)) for i in range(len(file.keys())))
        if facts != _describe_content(tensors, about):
            raise ValueError("it is not as it was written")
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        tell(f"{path} is damaged, and is computed again: {error}")
        with contextlib.suppress(OSError):
            path.unlink()
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the oldest in use is removed first
    return tensors


def _save(path: Path, tensors: Tensors, about: str, tell: Callable[[str], None]) -> None:
    """Write a file whole or not at all; a disk that is full or closed to writing costs a warning and no result."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    plain = tuple(tensor.detach().cpu().contiguous().clone() for tensor in tensors)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({str(i): tensor for i, tensor in enumerate(plain)}, hidden, _describe_content(plain, about))
        hidden.replace(path)
        _make_room(path.parent)
    except (OSError, SafetensorError) as error:
        why = describe_os_error(error)
        tell(f"features are not kept in {path.parent}: {why}; free space there, or set {VARIABLE} to another folder")
    finally:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)


def _describe_content(tensors: Tensors, about: str) -> dict[str, str]:
    """Return the metadata of a file: what its tensors were computed from, and the SHA-256 of their types, shapes and values."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return {
        "ganbench": f'{{"sha256":"{digest.hexdigest()}","of":{about}}}'
    }  # one entry: the order of several is random


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
