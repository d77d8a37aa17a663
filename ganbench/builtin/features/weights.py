"""Files of pretrained weights: found, fetched only when told to, and never used unless they are the right ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_file(name: str) -> Path:
    """Return where torch's hub keeps a file of weights, whether it is there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def require_weights(what: str, path: Path, sha256: str, url: str, download: bool) -> str:
    """Return the SHA-256 of a file of weights.

    Args:
        what: The features, as an error names them.
        path: The file.
        sha256: What its SHA-256 begins with.
        url: Where it is published.
        download: Whether to fetch it if it is not there.

    Raises:
        FileNotFoundError: It is not there.
        OSError: It cannot be fetched, or read.
        ValueError: It is another file.
    """
    if not path.is_file() and download:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256[:64], progress=False)
        except Exception as error:  # the network's errors are of all kinds
            raise OSError(f"{what}: {url} cannot be fetched: {' '.join(str(error).split())}") from error
    if not path.is_file():
        raise FileNotFoundError(
            f"{what}: its weights are not at {path}; fetch {url} to there, "
            "or give features the options weights = FILE or download = true"
        )
    return require_published(what, path, sha256)


def require_published(what: str, path: Path, sha256: str) -> str:
    """Return the SHA-256 of a file that is there. Raises ValueError unless it begins with `sha256`."""
    found = sha256_of(path)
    if not found.startswith(sha256):
        raise ValueError(
            f"{what}: {path} is not the published file: its SHA-256 begins with {found[:8]}, not {sha256[:8]}; "
            "remove and fetch it again, or give its own in the option sha256"
        )
    return found
