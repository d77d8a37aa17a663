"""Keep what was read of many stored trials in one file, so that the next report reads it instead of their own files.

The file is a copy, never the original: a trial is taken from it only while the sizes and times of its own files are what
they were, and where it is damaged, of another version or cannot be written, the trials' own files are read. It holds a
checksum of itself, so that no byte that changed on the disk becomes a score.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from pathlib import Path

import msgspec

from ..contract.files import write_atomically
from ..contract.records import TrialResult
from ..registry.plugins import own_version
from .trial_files import decode_result, encode_result, read_result

CACHE_FILE = "results.cache"
MIN_TRIALS = 500  # below, a cache saves less than a second
FILES = ("trial.json", "result.json", "scores.csv", "findings.json")  # of a trial, that a result is read from

# Of each of FILES its size in bytes, and when its content and its entry were changed, in nanoseconds. The latter is set by
# the system alone, so that a content is noticed that was changed and dated back, as by a clock that was.
Signature = list[list[int]]


class _Content(msgspec.Struct):
    """What the file says: the version that wrote it, the encoded trials and their SHA-256."""

    version: str
    trials: msgspec.Raw
    sha256: bytes = b""


# Of each trial its signature and its encoded result.
_Trials = dict[str, tuple[Signature, msgspec.Raw]]


class ResultCache:
    """The results of a folder's trials as they were last read.

    Args:
        folder: The results folder.
        n_trials: How many trials are going to be read; with few nothing is kept.
    """

    def __init__(self, folder: Path, n_trials: int) -> None:
        self._path = folder / CACHE_FILE
        self._is_used = n_trials >= MIN_TRIALS
        self._old = self._load() if self._is_used else {}
        self._new: _Trials = {}
        self._has_changed = False

    def read(self, trial_id: str, folder: Path) -> TrialResult:
        """Return the result of a trial. Raise UnreadableTrial if it is damaged."""
        signature = _sign(folder) if self._is_used else None
        if signature is None:
            return read_result(folder)
        known = self._old.get(trial_id)
        if known is not None and known[0] == signature:
            with contextlib.suppress(msgspec.MsgspecError):
                result = decode_result(known[1])
                self._new[trial_id] = known
                return result
        result = read_result(folder)
        self._new[trial_id] = (signature, msgspec.Raw(encode_result(result)))
        self._has_changed = True
        return result

    def save(self) -> None:
        """Write what was read, if anything of it was not in the file; a folder that cannot be written stays as it is."""
        if self._is_used and (self._has_changed or len(self._new) != len(self._old)):
            trials = msgspec.msgpack.encode(self._new)
            content = _Content(own_version(), msgspec.Raw(trials), hashlib.sha256(trials).digest())
            with contextlib.suppress(OSError):
                write_atomically(self._path, msgspec.msgpack.encode(content))

    def _load(self) -> _Trials:
        """Return what the file holds; nothing if there is none or another version wrote it, with a warning if it is damaged."""
        try:
            content = msgspec.msgpack.decode(self._path.read_bytes(), type=_Content)
            if content.version != own_version() or not content.sha256:
                return {}
            if hashlib.sha256(content.trials).digest() != content.sha256:
                raise ValueError("it is not as it was written")
            return msgspec.msgpack.decode(content.trials, type=_Trials)
        except OSError:
            return {}
        except (ValueError, RecursionError) as error:
            warnings.warn(
                f"{self._path} is damaged, and the files of the trials are read instead: {error}", stacklevel=2
            )
            return {}


def _sign(folder: Path) -> Signature | None:
    """Return the sizes and times of a trial's files; None if one is not there."""
    try:
        stats = [(folder / name).stat() for name in FILES]
    except OSError:
        return None
    return [[one.st_size, one.st_mtime_ns, one.st_ctime_ns] for one in stats]
