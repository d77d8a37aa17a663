"""MNIST and its kin: found in every layout, read as published, stacked as PacGAN does."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
import torch
from ganbench_vision.mnist import FashionMnist, Mnist, StackedMnist
from vision_files import IDX, write_idx


def test_the_spec_is_true_and_the_official_split_is_kept(packed_mnist):
    data = Mnist(root=str(packed_mnist))
    training, held_out = data.training(), data.held_out()
    assert data.spec.shape == (1, 28, 28) and data.spec.classes == 10 and data.spec.value_range == (-1.0, 1.0)
    assert training.x.shape == (40, 1, 28, 28) and held_out.x.shape == (20, 1, 28, 28)
    assert training.x.dtype == held_out.x.dtype == torch.uint8
    assert training.labels.tolist() == [i % 10 for i in range(40)]


@pytest.mark.parametrize("layout", ["MNIST/raw", "mnist", "."])
@pytest.mark.parametrize("packed", [True, False])
def test_every_layout_gives_the_same_images(packed_mnist, tmp_path, layout, packed):
    root = tmp_path / "elsewhere"
    (root / layout).mkdir(parents=True)
    for file in (packed_mnist / "mnist").iterdir():
        if packed:
            shutil.copy(file, root / layout)
        else:
            (root / layout / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    there, here = Mnist(root=str(root)), Mnist(root=str(packed_mnist))
    assert torch.equal(there.training().x, here.training().x)
    assert torch.equal(there.held_out().labels, here.held_out().labels)


def test_the_data_root_is_an_environment_variable_unless_given(packed_mnist, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA", str(packed_mnist))
    assert len(Mnist().training().x) == 40
    with pytest.raises(FileNotFoundError, match="/nowhere/mnist"):
        Mnist(root="/nowhere")
    monkeypatch.delenv("GANBENCH_DATA")
    with pytest.raises(FileNotFoundError, match=r"mnist: .*root.*GANBENCH_DATA"):
        Mnist()


def test_missing_files_are_named_with_their_place_and_the_remedy(packed_mnist):
    (packed_mnist / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        Mnist(root=str(packed_mnist))
    message = str(caught.value)
    assert "t10k-labels-idx1-ubyte.gz" in message and "train-images" not in message
    assert str(packed_mnist / "mnist") in message and "download = true" in message and "\n" not in message


def test_fashion_mnist_does_not_take_mnists_files_for_its_own(tmp_path):
    write_idx(tmp_path, packed=False)  # the same names
    assert len(Mnist(root=str(tmp_path)).training().x) == 40
    with pytest.raises(FileNotFoundError, match="fashion-mnist: not found"):
        FashionMnist(root=str(tmp_path))
    write_idx(tmp_path / "fashion-mnist", packed=False, counts=(30, 10))
    assert len(FashionMnist(root=str(tmp_path)).training().x) == 30
    write_idx(tmp_path / "FashionMNIST" / "raw", packed=True)
    shutil.rmtree(tmp_path / "fashion-mnist")
    with pytest.raises(ValueError, match=r"not as published .*train-images-idx3-ubyte\.gz"):
        FashionMnist(root=str(tmp_path)).training()


def test_nothing_is_downloaded_unless_asked_for(packed_mnist, served, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    folder, address = served
    shutil.copytree(packed_mnist / "mnist", folder, dirs_exist_ok=True)
    monkeypatch.setattr(MNIST, "mirrors", [address])
    root = tmp_path / "new"
    with pytest.raises(FileNotFoundError, match="download = true"):
        Mnist(root=str(root))
    assert not root.exists()
    fetched = Mnist(root=str(root), download=True)
    assert {file.name for file in (root / "MNIST" / "raw").iterdir() if not file.suffix} == set(IDX)
    assert torch.equal(fetched.training().x, Mnist(root=str(packed_mnist)).training().x)


def test_a_download_that_fails_is_one_line(served, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    folder, address = served
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"<html>a page of a hotel's network</html>")
    monkeypatch.setattr(MNIST, "mirrors", [address])
    with pytest.raises(OSError, match=r"mnist: cannot be downloaded: .*corrupt") as caught:
        Mnist(root=str(tmp_path), download=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "harm, complaint",
    [
        (lambda content: content[:100], "train-images-idx3-ubyte cannot be read as an IDX file"),
        (lambda content: b"", "train-images-idx3-ubyte cannot be read as an IDX file"),
        (lambda content: content[:7] + bytes([39]) + content[8 : -28 * 28], "one label for each image of 28x28"),
    ],
)
def test_damaged_files_are_named(tmp_path, harm, complaint):
    folder = write_idx(tmp_path / "mnist", packed=False)
    file = folder / "train-images-idx3-ubyte"
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(ValueError, match=complaint):
        Mnist(root=str(tmp_path)).training()


def test_size_labels_and_limit(packed_mnist):
    root = str(packed_mnist)
    data = Mnist(root=root, size=32, labels=False, limit=5)
    assert data.spec.shape == (1, 32, 32) and data.spec.classes == 0
    assert data.training().x.shape == (5, 1, 32, 32) and data.training().labels is None
    assert data.held_out().x.shape == (20, 1, 32, 32)
    assert torch.equal(Mnist(root=root, limit=5).training().x, Mnist(root=root).training().x[:5])
    assert len(Mnist(root=root, limit=1000).training().x) == 40


@pytest.mark.parametrize("option", ["size", "limit"])
def test_options_out_of_bounds_are_refused(packed_mnist, option):
    with pytest.raises(ValueError, match=f"{option} = 0"):
        Mnist(root=str(packed_mnist), **{option: 0})


def test_a_part_is_read_once_and_again_when_its_files_change(packed_mnist):
    root = str(packed_mnist)
    before = Mnist(root=root).training().x
    assert Mnist(root=root, labels=False).training().x.data_ptr() == before.data_ptr()
    Mnist(root=root).held_out()
    assert Mnist(root=root).training().x.data_ptr() == before.data_ptr()
    file = packed_mnist / "mnist" / "train-images-idx3-ubyte.gz"
    os.utime(file, (1, 1))
    assert Mnist(root=root).training().x.data_ptr() != before.data_ptr()


def test_stacked_mnist_puts_three_digits_of_its_own_part_into_the_channels(packed_mnist):
    digits, stacked = Mnist(root=str(packed_mnist)), StackedMnist(root=str(packed_mnist), limit=200)
    assert stacked.spec.shape == (3, 28, 28) and stacked.spec.classes == 0
    for whole, single in ((stacked.training(), digits.training()), (stacked.held_out(), digits.held_out())):
        known = {digit.numpy().tobytes() for digit in single.x[:, 0]}
        assert all(channel.numpy().tobytes() in known for image in whole.x[:200] for channel in image)
    assert len(stacked.training().x) == 200 and len(stacked.held_out().x) == 26_000


def test_a_limit_of_stacked_mnist_takes_the_first_of_the_same_images(packed_mnist):
    few, more = (StackedMnist(root=str(packed_mnist), limit=n).training().x for n in (10, 30))
    assert torch.equal(few, more[:10])


REAL = os.environ.get("GANBENCH_TEST_DATA")
real = pytest.mark.skipif(not REAL, reason="GANBENCH_TEST_DATA does not say where the real MNIST is")


@real
def test_the_real_mnist_is_as_published():
    data = Mnist(root=str(Path(REAL)))
    training, held_out = data.training(), data.held_out()
    assert training.x.shape == (60_000, 1, 28, 28) and held_out.x.shape == (10_000, 1, 28, 28)
    assert training.labels[:5].tolist() == [5, 0, 4, 1, 9] and held_out.labels[:5].tolist() == [7, 2, 1, 0, 4]
    pixels = training.x.float() / 255
    assert float(pixels.mean()) == pytest.approx(0.1307, abs=1e-4)  # the constants that everybody normalizes with
    assert float(pixels.std()) == pytest.approx(0.3081, abs=1e-4)


@real
def test_the_real_stacked_mnist_is_pacgans():
    data = StackedMnist(root=str(Path(REAL)))
    digits, labels = Mnist(root=str(Path(REAL))).training().x[:, 0], Mnist(root=str(Path(REAL))).training().labels
    stacked = data.training().x
    assert stacked.shape == (128_000, 3, 28, 28)
    label = {digit.numpy().tobytes(): int(which) for digit, which in zip(digits, labels, strict=True)}
    modes = {tuple(label[channel.numpy().tobytes()] for channel in image) for image in stacked[:20_000]}
    assert len(modes) == 1000
