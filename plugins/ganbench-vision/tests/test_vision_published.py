"""CIFAR, STL-10 and CelebA: read by torchvision's readers, from tiny files in the genuine formats."""

from __future__ import annotations

import contextlib
import tarfile

import pytest
import torch
from ganbench_vision.celeba import CelebA
from ganbench_vision.cifar import Cifar10, Cifar100
from ganbench_vision.stl import Stl10
from vision_files import md5

import ganbench.testing

ELSEWHERE = "runs-in-a-spawned-process"  # where torchvision knows none but the published checksums


@pytest.mark.parametrize(
    "files, name", [("cifar", "cifar-10"), ("cifar", "cifar-100"), ("stl", "stl-10"), ("celeba", "celeba")]
)
def test_the_contract_holds_where_the_files_are(request, files, name):
    root, _ = request.getfixturevalue(files)
    (candidate,) = ganbench.testing.select_candidates([f"dataset/{name}"], {f"dataset/{name}": {"root": str(root)}})
    for check in ganbench.testing.checks_of("dataset"):
        if check.name != ELSEWHERE:
            with contextlib.suppress(ganbench.testing.NotApplicable):
                check.run(candidate)


@pytest.mark.parametrize(
    "build, source, classes, count", [(Cifar10, "CIFAR10", 10, 30), (Cifar100, "CIFAR100", 100, 6)]
)
def test_cifar_is_what_its_batches_hold(cifar, build, source, classes, count):
    root, parts = cifar
    data = build(root=str(root))
    assert data.spec.shape == (3, 32, 32) and data.spec.classes == classes
    for batch, part in ((data.training(), "train"), (data.held_out(), "test")):
        assert torch.equal(batch.x, torch.from_numpy(parts[source, part])) and batch.x.dtype == torch.uint8
        assert batch.labels.tolist() == [i % 6 for i in range(len(batch.x))]
    assert len(data.training().x) == count


def test_cifar_is_resized_made_grey_and_cut_short(cifar):
    root, parts = cifar
    data = Cifar10(root=str(root), size=16, grey=True, labels=False, limit=4)
    x = data.training().x
    assert data.spec.shape == x.shape[1:] == (1, 16, 16) and len(x) == 4 and data.training().labels is None
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    luma = (torch.from_numpy(parts["CIFAR10", "train"][:4]) * weights).sum(1).mean((1, 2))
    assert torch.allclose(x.float().mean((1, 2, 3)), luma, atol=1.5)


def test_a_batch_that_is_not_the_published_one_is_never_unpickled(cifar):
    root, _ = cifar
    data = Cifar10(root=str(root))
    batch = root / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ValueError, match=r"cifar-10: not as published .*data_batch_3; remove and fetch again"):
        data.training()


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")  # torchvision's call of extractall
def test_cifar_is_fetched_and_unpacked_where_asked_for(cifar, served, tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    root, _ = cifar
    archive = served[0] / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / CIFAR10.base_folder, CIFAR10.base_folder)
    monkeypatch.setattr(CIFAR10, "url", served[1] + CIFAR10.filename)
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    with pytest.raises(FileNotFoundError, match=r"unpack cifar-10-python\.tar\.gz in .*download = true"):
        Cifar10(root=str(tmp_path / "new"))
    fetched = Cifar10(root=str(tmp_path / "new"), download=True)
    assert torch.equal(fetched.training().x, Cifar10(root=str(root)).training().x)


def test_stl_trains_on_the_unlabelled_part_at_48_pixels(stl):
    root, written = stl
    data = Stl10(root=str(root))
    assert data.spec.shape == (3, 48, 48) and data.spec.classes == 0
    assert data.training().x.shape == (5, 3, 48, 48) and data.held_out().x.shape == (3, 3, 48, 48)
    assert data.training().labels is None
    whole = Stl10(root=str(root), size=96, limit=2).training().x
    assert torch.equal(whole, torch.from_numpy(written["unlabeled"][:2]))


def test_stl_says_what_is_missing_and_what_is_damaged(stl):
    root, _ = stl
    data = Stl10(root=str(root))
    file = root / "stl10_binary" / "unlabeled_X.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"stl-10: not as published .*unlabeled_X\.bin"):
        data.training()
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"stl-10: not found: unlabeled_X\.bin; unpack stl10_binary\.tar\.gz"):
        Stl10(root=str(root))


def test_celeba_keeps_the_official_partition(celeba):
    root, partition = celeba
    data = CelebA(root=str(root), size=8)
    assert data.spec.shape == (3, 8, 8) and data.spec.classes == 0
    for batch, part in ((data.training(), 0), (data.held_out(), 2)):
        brightness = [50 + i for i, own in enumerate(partition.values()) if own == part]
        assert batch.x.float().mean((1, 2, 3)).tolist() == pytest.approx(brightness, abs=0.45)
        assert batch.x.dtype == torch.uint8


def test_celeba_is_the_centred_178_square_at_64(celeba):
    from PIL import Image

    root, _ = celeba
    face = Image.new("RGB", (178, 218), "white")
    face.paste("black", (0, 20, 178, 198))  # the 178 rows in the middle
    face.save(root / "celeba" / "img_align_celeba" / "000001.jpg", quality=95)
    first = CelebA(root=str(root), limit=1).training().x
    assert first.shape == (1, 3, 64, 64) and first.float().mean() < 3
    assert CelebA(root=str(root), grey=True, limit=1).training().x.shape == (1, 1, 64, 64)


def test_celeba_names_what_is_missing(celeba):
    root, _ = celeba
    (root / "celeba" / "img_align_celeba" / "000002.jpg").unlink()
    with pytest.raises(ValueError, match=r"000002\.jpg cannot be read as a picture"):
        CelebA(root=str(root)).training()
    (root / "celeba" / "list_eval_partition.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"celeba: not found: list_eval_partition\.txt; put them into .*/celeba"
    ):
        CelebA(root=str(root))
