"""The data sets meet the contract, and the suite asks for one of them."""

from __future__ import annotations

import sys
import warnings

import pytest
from PIL import Image
from vision_files import write_idx

import ganbench.testing
from ganbench.cli import main
from ganbench.registry.registry import load_registry


@pytest.fixture(scope="module", autouse=True)
def data_root(tmp_path_factory):
    """Digits, clothes and pictures that need no published checksum: the checks build them in another process too."""
    root = tmp_path_factory.mktemp("data")
    write_idx(root / "mnist", packed=False, counts=(300, 100))
    write_idx(root / "fashion-mnist", packed=False, counts=(300, 100), seed=1)
    (root / "image-folder").mkdir()
    for i in range(60):
        Image.effect_noise((20, 16), 50 + i).save(root / "image-folder" / f"{i}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_DATA", str(root))
        yield root


test_contract = ganbench.testing.cases("ganbench-vision")


def test_every_data_set_is_found_by_the_entry_point():
    names = {entry.name for entry in load_registry().entries("dataset") if entry.plugin == "vision"}
    assert names == {
        "mnist", "fashion-mnist", "stacked-mnist", "cifar-10", "cifar-100", "stl-10", "celeba", "image-folder"
    }  # fmt: skip


def test_the_suite_can_be_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ganbench", "run", "--suite", "vision-mnist", "--seeds", "1", "--dry-run"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # which the command line sets
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "mnist-r3gan-0" in capsys.readouterr().out


def test_a_suite_whose_data_is_not_there_is_refused_before_training(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["ganbench", "run", "--suite", "vision-mnist"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err
