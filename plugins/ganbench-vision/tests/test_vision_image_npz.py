"""Pictures of your own in an .npz: which arrays are read, how they are split, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from ganbench_vision.cifar import Cifar10, Cifar100
from ganbench_vision.image_npz import ImageNpz


def pixels(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(n, *shape), dtype=np.uint8)


@pytest.fixture
def save(tmp_path):
    """Write arrays into an .npz; return its path."""

    def write(name: str = "images.npz", /, **arrays: object) -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(tmp_path / name, **arrays)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("shape", "channels"), [((9, 9), 1), ((9, 9, 1), 1), ((9, 9, 3), 3), ((3, 9, 9), 3), ((1, 9, 9), 1)]
)
def test_every_layout_is_read(save, shape, channels):
    arrays = {"train_x": pixels(7, *shape), "test_x": pixels(4, *shape, seed=1)}
    data = ImageNpz(file=save(**arrays))
    assert data.spec.shape == (channels, 9, 9) and data.spec.value_range == (-1.0, 1.0) and data.spec.classes == 0
    for batch, array in ((data.training(), arrays["train_x"]), (data.held_out(), arrays["test_x"])):
        first = array if channels == 1 or array.shape[1] == 3 else array.transpose(0, 3, 1, 2)
        assert (
            torch.equal(batch.x, torch.from_numpy(first.reshape(len(array), channels, 9, 9))) and batch.labels is None
        )


def test_labels_come_with_a_split_archive(save):
    file = save(train_x=pixels(6, 8, 8), train_y=np.arange(6) % 3, test_x=pixels(2, 8, 8), test_y=np.array([2, 0]))
    data = ImageNpz(file=file)
    assert data.spec.classes == 3 and data.held_out().labels.tolist() == [2, 0]
    assert data.training().labels.dtype == torch.int64
    assert ImageNpz(file=file, labels=False).spec.classes == 0
    assert len(ImageNpz(file=file, limit=4).training().labels) == 4


@pytest.mark.parametrize(("pictures", "labels"), [("x", "y"), ("images", "labels"), ("arr_0", "arr_1")])
def test_one_array_is_split_whole(save, pictures, labels):
    x = pixels(60, 8, 8)
    data = ImageNpz(file=save(**{pictures: x, labels: np.arange(60)}), held_out=0.3)
    rows = [batch.labels.tolist() for batch in (data.training(), data.held_out())]
    assert sorted(rows[0] + rows[1]) == list(range(60)) and 5 < len(rows[1]) < 30
    assert torch.equal(data.held_out().x[:, 0], torch.from_numpy(x[rows[1]]))


def test_new_pictures_move_no_old_one_and_copies_stay_together(save):
    x = pixels(60, 8, 8)
    before = ImageNpz(file=save("a.npz", x=x), held_out=0.3).held_out().x
    after = ImageNpz(file=save("b.npz", x=np.concatenate([pixels(20, 8, 8, seed=1), x, x])), held_out=0.3)
    kept = {row.numpy().tobytes() for row in after.held_out().x}
    assert {row.numpy().tobytes() for row in before} <= kept
    assert not kept & {row.numpy().tobytes() for row in after.training().x}


def test_pictures_are_cropped_resized_and_made_grey(save):
    file = save(x=pixels(40, 12, 16, 3))
    data = ImageNpz(file=file, size=8, grey=True)
    assert data.spec.shape == data.training().x.shape[1:] == (1, 8, 8)
    assert ImageNpz(file=file).spec.shape == ImageNpz(file=file).training().x.shape[1:] == (3, 12, 12)
    assert ImageNpz(file=save(x=pixels(40, 8, 8)), grey=True).training().x.shape[1:] == (1, 8, 8)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"x": pixels(4, 8, 8).astype(np.float32)}, "x is float32; give uint8"),
        ({"x": pixels(4, 8)}, r"x has shape \(4, 8\); give"),
        ({"x": pixels(4, 8, 8, 2)}, r"x has shape \(4, 8, 8, 2\); give"),
        ({"x": pixels(0, 8, 8)}, "and so no picture"),
        ({"x": np.array([{"a": 1}], dtype=object)}, "Python objects, which are never read"),
        ({"pictures": pixels(4, 8, 8)}, "holds pictures; name the array of pictures x"),
        ({}, "holds nothing; name the array"),
        ({"train_x": pixels(4, 8, 8)}, "holds train_x without test_x"),
        ({"train_x": pixels(4, 8, 8), "test_x": pixels(4, 9, 9)}, "they must be alike"),
        ({"train_x": pixels(4, 8, 8), "test_x": pixels(4, 8, 8), "test_y": np.arange(4)}, "test_y without train_y"),
        ({"x": pixels(4, 8, 8), "y": np.arange(3)}, r"y is int64 of shape \(3,\); give 4 whole numbers"),
        ({"x": pixels(4, 8, 8), "y": np.ones(4)}, "y is float64 of shape"),
        ({"x": pixels(4, 8, 8), "y": np.array([-1, 0, 1, 2])}, "y ranges from -1 to 2"),
        ({"x": pixels(4, 8, 8), "y": np.array([0, 1, 2, 10**9])}, "y ranges from 0 to 1000000000"),
        ({"x": pixels(4, 8, 8), "y": np.array([{}] * 4, dtype=object)}, "Python objects, which are never read"),
    ],
)
def test_what_cannot_be_read_is_one_line_before_anything_is_trained(save, arrays, complaint):
    file = save(**arrays)
    with pytest.raises(ValueError, match=complaint) as caught:
        ImageNpz(file=file)
    assert file in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_are_no_archives_are_named(save, tmp_path):
    whole = Path(save(x=pixels(200, 8, 8))).read_bytes()
    np.save(tmp_path / "one.npy", pixels(4, 8, 8))
    for content in (whole[: len(whole) // 2], b"", b"not numpy", (tmp_path / "one.npy").read_bytes()):
        (tmp_path / "images.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"images\.npz cannot be read as an \.npz: ") as caught:
            ImageNpz(root=str(tmp_path))
        assert "\n" not in str(caught.value)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    (tmp_path / "images.npz").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"images\.npz cannot be read as an \.npz: "):
        ImageNpz(root=str(tmp_path)).training()


def test_a_file_that_is_not_there_says_where_it_belongs(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*/mine\.npz; save pictures to it"):
        ImageNpz(file="mine.npz", root=str(tmp_path))
    monkeypatch.delenv("GANBENCH_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"root.*GANBENCH_DATA"):
        ImageNpz(file="mine.npz")


@pytest.mark.parametrize(("held_out", "part"), [(1e-9, "held out"), (1 - 1e-9, "trained on")])
def test_a_part_without_pictures_is_refused(save, held_out, part):
    data = ImageNpz(file=save(x=pixels(5, 8, 8)), held_out=held_out)
    with pytest.raises(ValueError, match=f"no picture is {part} at held_out"):
        (data.training(), data.held_out())


@pytest.mark.parametrize("option, value", [("held_out", 0.0), ("held_out", 1.0), ("size", 0), ("limit", 0)])
def test_options_out_of_bounds_are_refused(save, option, value):
    with pytest.raises(ValueError, match=f"{option} = {value}"):
        ImageNpz(file=save(x=pixels(5, 8, 8)), **{option: value})


# --- a part of CIFAR in one file --------------------------------------------------------------------------


def part_of_cifar(classes: int = 10) -> dict[str, np.ndarray]:
    return {
        "train_x": pixels(30, 3, 32, 32),
        "train_y": np.arange(30) % classes,
        "test_x": pixels(10, 3, 32, 32, seed=1),
        "test_y": np.arange(10) % classes,
    }


@pytest.mark.parametrize(
    ("build", "folder"), [(Cifar10, "cifar10"), (Cifar10, "cifar-10"), (Cifar100, "cifar100"), (Cifar100, "cifar-100")]
)
def test_cifar_reads_a_part_of_it_where_its_batches_are_not(save, tmp_path, build, folder):
    arrays = part_of_cifar()
    save(f"{folder}/part.npz", **arrays)
    data = build(root=str(tmp_path))
    assert data.spec.shape == (3, 32, 32) and data.spec.classes == build.classes
    assert torch.equal(data.training().x, torch.from_numpy(arrays["train_x"]))
    assert data.held_out().labels.tolist() == arrays["test_y"].tolist()
    small = build(root=str(tmp_path), size=16, grey=True, labels=False, limit=4)
    assert small.training().x.shape == (4, 1, 16, 16) and small.training().labels is None


def test_the_published_batches_come_first(save, cifar):
    root, _ = cifar
    save("cifar10/part.npz", **part_of_cifar())
    assert len(Cifar10(root=str(root)).training().x) == 30 and len(Cifar10(root=str(root)).held_out().x) == 6


def test_another_archive_is_not_taken_for_cifar(save, tmp_path):
    save("cifar10/part.npz", **part_of_cifar(classes=11))
    with pytest.raises(ValueError, match=r"cifar-10: .*part\.npz holds no part of it, .* 0 to 9"):
        Cifar10(root=str(tmp_path))
    save("cifar10/part.npz", **part_of_cifar())
    save("cifar10/more.npz", **part_of_cifar())
    with pytest.raises(ValueError, match=r"cifar-10: of .*more\.npz, .*part\.npz one is to be read"):
        Cifar10(root=str(tmp_path))


REAL = os.environ.get("GANBENCH_TEST_DATA")


@pytest.mark.skipif(not REAL, reason="GANBENCH_TEST_DATA does not say where real pictures are")
def test_the_real_part_of_cifar_is_read_whole():
    data = Cifar10(root=REAL)
    training, held_out = data.training(), data.held_out()
    assert training.x.shape == (8068, 3, 32, 32) and held_out.x.shape == (1017, 3, 32, 32)
    assert training.labels.bincount().min() > 700 and held_out.labels.max() == 9
