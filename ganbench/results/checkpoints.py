"""The checkpoints of a trial: everything that its next step depends on, to go on from after it was killed or paused.

    checkpoints/<id>/<number>/checkpoint.json     what the checkpoint is of, and its values
    checkpoints/<id>/<number>/state.safetensors   its tensors

Each is written to a hidden folder first and then renamed; the last two are kept. Reading runs no code, and takes nothing
that was cut short or edited, or that another trial or another version wrote.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from ..contract.errors import RequestError
from ..contract.files import describe_os_error
from ..contract.records import Trial
from ..registry.plugins import own_version

if TYPE_CHECKING:
    import torch

FORMAT = 1
MAX_CHECKPOINTS = 2  # the one before the last is for a disk that lost the last
FACTS, TENSORS = "checkpoint.json", "state.safetensors"


class UnusableCheckpoint(Exception):
    """A checkpoint cannot be gone on from; the message says why."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        steps: Steps done.
        seconds: What the trial had taken until then.
        threads: CPU threads that it ran on; its results depend on their number in the last bits.
        state: The tree of tensors and plain values that was saved.
    """

    steps: int
    seconds: float
    threads: int
    state: Mapping[str, Any]


@dataclass(frozen=True)
class _Progress:
    """What a checkpoint's file says beside its state, as far as more than the state depends on it."""

    steps: Annotated[int, msgspec.Meta(ge=0)]
    seconds: Annotated[float, msgspec.Meta(ge=0)]
    threads: Annotated[int, msgspec.Meta(ge=1)]


class _Identity(msgspec.Struct):
    """What of a checkpoint's identity says which ganbench wrote it."""

    format: int
    versions: dict[str, str]


class _Origin(msgspec.Struct):
    """A checkpoint's file, as far as that is concerned."""

    of: _Identity


class CheckpointFolder:
    """The checkpoints of one trial in one folder.

    Args:
        folder: The folder.
        identity: What a checkpoint must be of, as `identify` says.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self._identity = folder, dict(identity)

    def save(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint and remove all but the last two; return its folder.

        Raises OSError if the disk is full or closed to writing, ValueError if the state holds what cannot be saved.
        Neither leaves anything half-written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        from .state_trees import encode

        state, tensors = encode(checkpoint.state)
        progress = {"steps": checkpoint.steps, "seconds": checkpoint.seconds, "threads": checkpoint.threads}
        facts = {"of": self._identity, **progress, "state": state}
        known = self._numbered()
        target = self.folder / f"{known[-1][0] + 1 if known else 1:06d}"
        hidden = self.folder / f".{target.name}.{uuid.uuid4().hex[:8]}"
        try:
            hidden.mkdir(parents=True)
            save_file(tensors, hidden / TENSORS)
            content = json.dumps(facts, separators=(",", ":"))
            digest = _digest(content, hidden / TENSORS)
            (hidden / FACTS).write_text(f'{{"sha256":"{digest}",{content[1:]}\n', encoding="utf-8")
            hidden.replace(target)
        except (OSError, SafetensorError) as error:
            why = describe_os_error(error)
            raise OSError(f"{self.folder} cannot be written: {why}; make room there") from error
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        for _, older in known[: 1 - MAX_CHECKPOINTS]:
            shutil.rmtree(older, ignore_errors=True)
        return target

    def load_newest(self, device: torch.device) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest checkpoint that can be gone on from, if there is one, and a line for each newer one.

        Args:
            device: Where its tensors go that were on the trial's device.
        """
        notes: list[str] = []
        for _, path in reversed(self._numbered()):
            try:
                return self._load(path, device), notes
            except UnusableCheckpoint as error:
                notes.append(f"checkpoint {path} is left aside: {error}")
        return None, notes

    def _numbered(self) -> list[tuple[int, Path]]:
        try:
            folders = [path for path in self.folder.iterdir() if path.name.isdecimal() and path.is_dir()]
        except OSError:
            return []
        return sorted((int(path.name), path) for path in folders)

    def _load(self, path: Path, device: torch.device) -> Checkpoint:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from .state_trees import decode

        try:
            facts = json.loads((path / FACTS).read_bytes())
            if not isinstance(facts, dict):
                raise UnusableCheckpoint(f"its {FACTS} holds no table")
            digest = facts.pop("sha256")
            if digest != _digest(json.dumps(facts, separators=(",", ":")), path / TENSORS):
                raise UnusableCheckpoint("it is not as it was written")
            if facts["of"] != self._identity:
                raise UnusableCheckpoint(_describe_difference(facts["of"], self._identity))
            progress = msgspec.convert(facts, _Progress)
            state = decode(facts["state"], load_file(path / TENSORS), device)
            return Checkpoint(progress.steps, progress.seconds, progress.threads, state)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnusableCheckpoint(f"it cannot be read ({' '.join(str(error).split())[:200]})") from error


def identify(trial: Trial, origins: Mapping[str, str]) -> dict[str, Any]:
    """Return what a checkpoint of a trial must have been written for: the trial, its components' versions, torch's, ours.

    What does not touch a single bit of the result is left out: where the trial is saved, its timeout, and which of several
    devices of a kind it is on.
    """
    import numpy as np
    import torch

    device = trial.device.partition(":")[0]
    of_trial = msgspec.to_builtins(replace(trial, device=device, timeout=None, plugin_files=(), checkpoints=None))
    del of_trial["id"]  # which follows from the rest
    versions = {"torch": str(torch.__version__), "numpy": np.__version__, "ganbench": own_version()}
    facts = {"format": FORMAT, "versions": versions, "origins": dict(origins), "trial": of_trial}
    return dict(json.loads(json.dumps(facts)))


def refuse_newer_checkpoints(root: Path, trials: Iterable[Trial]) -> None:
    """Raise RequestError if a newer ganbench saved one of these trials: it would start again, and its checkpoints be replaced.

    Args:
        root: The folder of all checkpoints.
        trials: The trials that are going to be run.
    """
    for trial in trials if root.is_dir() else ():
        for file in (root / trial.id).glob(f"*/{FACTS}"):
            try:
                of = msgspec.json.decode(file.read_bytes(), type=_Origin).of
            except (OSError, ValueError, RecursionError):  # it is going to be left aside, as any that is damaged
                continue
            version = of.versions.get("ganbench", "")
            if of.format > FORMAT or _release(version) > _release(own_version()):
                raise RequestError(
                    f"{file.parent.parent}: saved by a newer ganbench ({version}; this is {own_version()}); upgrade ganbench "
                    "to go on from there, give another --output, or remove that folder to start the trial again"
                )


def _release(version: str) -> tuple[int, ...]:
    """The numbers that order versions: 0.2.1.dev3 is of release (0, 2, 1)."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def drop_checkpoints(root: Path, trial_ids: Iterable[str]) -> None:
    """Remove the checkpoints of these trials from the folder `root` of all checkpoints, and that too when it is empty."""
    for trial_id in trial_ids:
        if (root / trial_id).is_dir():
            shutil.rmtree(root / trial_id, ignore_errors=True)
    with contextlib.suppress(OSError):
        root.rmdir()


def _digest(content: str, tensors: Path) -> str:
    digest = hashlib.sha256(content.encode())
    with tensors.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _describe_difference(theirs: Any, ours: Mapping[str, Any], where: str = "") -> str:
    """Name the first thing in which a checkpoint's identity differs."""
    if not isinstance(theirs, Mapping):
        return f"it was written with {where} = {theirs}, and it is {ours} now"
    for key in dict.fromkeys((*ours, *theirs)):
        mine, other = ours.get(key), theirs.get(key)
        if mine != other:
            place = f"{where} {key}".strip()
            if isinstance(mine, Mapping) and isinstance(other, Mapping):
                return _describe_difference(other, mine, place)
            return f"it was written with {place} = {json.dumps(other)[:100]}, and that is {json.dumps(mine)[:100]} now"
    return "it is of another trial"
