"""Checkpoints are whole or not there, and nothing is gone on from that is not what was written."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ganbench
from ganbench.results.checkpoints import Checkpoint, CheckpointFolder, drop_checkpoints, identify

CPU = torch.device("cpu")


@pytest.fixture
def identity(make_trial):
    return identify(make_trial(), {"loss non-saturating": "ganbench 0.1.0"})


@pytest.fixture
def folder(tmp_path, identity):
    return CheckpointFolder(tmp_path / "checkpoints" / "trial", identity)


def saved(folder: CheckpointFolder, *steps: int) -> list[Path]:
    return [folder.save(Checkpoint(n, 1.5, 2, {"n": n, "tensor": torch.full((4,), float(n))})) for n in steps]


def test_the_newest_of_the_last_two_is_gone_on_from(folder):
    saved(folder, 1, 2, 3)
    assert len(list(folder.folder.iterdir())) == 2
    checkpoint, notes = folder.load_newest(CPU)
    assert (checkpoint.steps, checkpoint.seconds, checkpoint.threads, notes) == (3, 1.5, 2, [])
    assert checkpoint.state["n"] == 3 and checkpoint.state["tensor"].tolist() == [3.0] * 4


def test_a_full_disk_is_said_as_one_whoever_finds_it(folder, monkeypatch):
    import safetensors.torch

    def fail(*_):
        raise safetensors.SafetensorError(
            'Error while serializing: I/O error: No space left on device (os error 28) at path "/x/.tmp1a2b3c"'
        )

    monkeypatch.setattr(safetensors.torch, "save_file", fail)
    with pytest.raises(OSError, match=r"trial cannot be written: No space left on device; make room there$"):
        saved(folder, 1)
    assert list(folder.folder.iterdir()) == []


def cut_tensors(path: Path) -> None:
    file = path / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-8])


def cut_facts(path: Path) -> None:
    file = path / "checkpoint.json"
    file.write_bytes(file.read_bytes()[:-30])


def edit_facts(path: Path) -> None:
    file = path / "checkpoint.json"
    file.write_text(file.read_text().replace('"n":2', '"n":7'))


def edit_tensors(path: Path) -> None:
    file = path / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def remove_tensors(path: Path) -> None:
    (path / "state.safetensors").unlink()


def replace_facts(path: Path) -> None:
    (path / "checkpoint.json").write_text('["no", "checkpoint"]')


@pytest.mark.parametrize(
    "damage",
    [cut_tensors, cut_facts, edit_facts, edit_tensors, remove_tensors, replace_facts],
    ids=lambda f: f.__name__,
)
def test_a_damaged_one_is_left_aside_in_one_line_and_the_one_before_is_taken(folder, damage):
    _, newest = saved(folder, 1, 2)
    damage(newest)
    checkpoint, (note,) = folder.load_newest(CPU)
    assert checkpoint.steps == 1
    assert note.startswith(f"checkpoint {newest} is left aside: ") and "\n" not in note


@pytest.mark.parametrize("progress", [(1, None, 1), (1, 1.5, "many"), (1, 1.5, 0), (-1, 1.5, 1), ("x", 1.5, 1)])
def test_one_whose_progress_makes_no_sense_is_left_aside_though_its_digest_is_right(folder, progress):
    folder.save(Checkpoint(*progress, {}))
    checkpoint, (note,) = folder.load_newest(CPU)
    assert checkpoint is None and "it cannot be read (" in note and "\n" not in note


def test_one_of_other_options_is_left_aside_with_what_differs(folder, identity, make_trial):
    saved(folder, 1)
    other = identify(make_trial(batch_size=16), identity["origins"])
    checkpoint, (note,) = CheckpointFolder(folder.folder, other).load_newest(CPU)
    assert checkpoint is None and "trial training batch_size = 32, and that is 16 now" in note


def test_one_of_another_version_is_left_aside_with_the_versions(folder, identity):
    saved(folder, 1)
    for change, words in (
        ({"versions": {**identity["versions"], "torch": "9.9"}}, 'versions torch = "'),
        ({"origins": {"loss non-saturating": "ganbench 0.2.0"}}, 'that is "ganbench 0.2.0" now'),
        ({"format": 2}, "format = 1, and that is 2 now"),
    ):
        checkpoint, (note,) = CheckpointFolder(folder.folder, {**identity, **change}).load_newest(CPU)
        assert checkpoint is None and words in note


def test_where_a_trial_is_saved_and_how_long_it_may_take_is_no_part_of_what_it_is(make_trial):
    trial = make_trial()
    other = replace(trial, timeout=3.0, checkpoints=ganbench.Checkpoints("elsewhere", steps=3))
    assert identify(trial, {}) == identify(other, {})


def test_a_folder_that_cannot_be_written_to_leaves_nothing_behind(tmp_path, identity):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError):
        saved(CheckpointFolder(tmp_path / "file" / "trial", identity), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the size of files")
@pytest.mark.parametrize("bytes_left", [20, 1000])
def test_a_full_disk_is_an_error_and_the_checkpoint_before_is_kept(folder, bytes_left):
    import resource

    saved(folder, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))  # of the tensors' file, or only of the other
    try:
        with pytest.raises(OSError):
            saved(folder, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in folder.folder.iterdir()] == ["000001"]
    assert folder.load_newest(CPU)[0].steps == 1


def test_a_state_that_cannot_be_saved_leaves_nothing_behind(folder):
    with pytest.raises(ValueError, match="which cannot be saved"):
        folder.save(Checkpoint(1, 0.0, 1, {"thing": object()}))
    assert not folder.folder.exists()


def test_those_of_a_trial_that_ended_are_removed_and_the_folder_with_the_last(folder):
    saved(folder, 1)
    root = folder.folder.parent
    (root / "other").mkdir()
    drop_checkpoints(root, ["trial"])
    assert [path.name for path in root.iterdir()] == ["other"]
    drop_checkpoints(root, ["other"])
    assert not root.exists()


def test_a_checkpoint_is_plain_json_beside_tensors(folder):
    (path,) = saved(folder, 1)
    assert sorted(file.name for file in path.iterdir()) == ["checkpoint.json", "state.safetensors"]
    assert json.loads((path / "checkpoint.json").read_text())["of"]["trial"]["dataset"] == "ring"
