"""A user's own pictures: what counts as one, how it is split, what its colours become."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ganbench_vision.framing import Framing
from ganbench_vision.image_folder import ImageFolder
from ganbench_vision.pictures import read_pictures
from PIL import Image


def many(prefix: str, n: int = 40, suffix: str = "png") -> dict[str, object]:
    return {f"{prefix}{i}.{suffix}": (i, 0, 0) for i in range(n)}


def reds(batch) -> set[int]:
    """The first picture is black, the next ones redder by one: which are there."""
    return set(batch.x[:, 0, 0, 0].tolist())


def test_a_folder_of_pictures_is_split_whole(pictures):
    data = ImageFolder(folder=str(pictures(many("a"))), size=4)
    training, held_out = data.training(), data.held_out()
    assert data.spec.shape == (3, 4, 4) and data.spec.classes == 0 and training.labels is None
    assert training.x.dtype == torch.uint8 and training.x.shape[1:] == (3, 4, 4)
    assert reds(training) | reds(held_out) == set(range(40)) and not reds(training) & reds(held_out)


def test_new_pictures_move_no_old_one_to_the_other_part(pictures):
    folder = str(pictures(many("a")))
    before = reds(ImageFolder(folder=folder, size=4, held_out=0.3).held_out())
    pictures({f"b{i}.png": (200, 0, 0) for i in range(30)})
    after = reds(ImageFolder(folder=folder, size=4, held_out=0.3).held_out())
    assert after - {200} == before and 200 in after


def test_subfolders_are_classes(pictures):
    folder = pictures({f"{animal}/{i}.png": (i, 0, 0) for animal in ("cat", "dog", "emu") for i in range(30)})
    data = ImageFolder(folder=str(folder), size=4, held_out=0.2)
    assert data.spec.classes == 3 and data.training().labels.dtype == torch.int64
    assert set(data.training().labels.tolist()) == set(data.held_out().labels.tolist()) == {0, 1, 2}
    few = ImageFolder(folder=str(folder), size=4, held_out=0.2, limit=20).training()
    assert len(few.x) == 20 and set(few.labels.tolist()) == {0, 1, 2}  # not the first class alone
    assert ImageFolder(folder=str(folder), labels=False).spec.classes == 0


def test_a_single_subfolder_is_no_class(pictures):
    assert ImageFolder(folder=str(pictures(many("images/"))), size=4).spec.classes == 0


def test_pictures_beside_class_folders_are_pointed_out(pictures):
    folder = pictures({**many("cat/"), **many("dog/"), "stray.png": "red"})
    with pytest.raises(ValueError, match=r"stray\.png is beside the class folder 'cat'.*labels = false"):
        ImageFolder(folder=str(folder))
    assert ImageFolder(folder=str(folder), labels=False, size=4).spec.classes == 0


def test_what_is_no_picture_is_left_out(pictures):
    folder = pictures(many("a"))
    (folder / "notes.txt").write_text("not a picture")
    (folder / "._a1.png").write_bytes(b"what a Mac leaves behind")
    data = ImageFolder(folder=str(folder), size=4)
    assert len(data.training().x) + len(data.held_out().x) == 40


def test_a_picture_that_cannot_be_read_is_named(pictures):
    folder = pictures(many("a"))
    whole = (folder / "a7.png").read_bytes()
    for content in (whole[:-30], b"", b"GIF89a no"):
        (folder / "a7.png").write_bytes(content)
        data = ImageFolder(folder=str(folder), size=4)
        with pytest.raises(ValueError, match=r"a7\.png cannot be read as a picture.*repair or remove it") as caught:
            (data.training(), data.held_out())
        assert "\n" not in str(caught.value)
    (folder / "a7.png").write_bytes(whole)
    assert len(data.training().x) + len(data.held_out().x) == 40


def test_folders_without_pictures_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv("GANBENCH_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"no picture in .*\.png"):
        ImageFolder(folder=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*/mine"):
        ImageFolder(folder="mine", root=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"root.*GANBENCH_DATA"):
        ImageFolder(folder="mine")


def test_a_relative_folder_lies_under_the_data_root(pictures, monkeypatch):
    monkeypatch.setenv("GANBENCH_DATA", str(pictures(many("a")).parent))
    assert len(ImageFolder(folder="pictures", size=4).training().x) > 0


@pytest.mark.parametrize("held_out, lacking", [(1e-9, "held out"), (1 - 1e-9, "trained on")])
def test_a_part_without_pictures_is_refused(pictures, held_out, lacking):
    with pytest.raises(ValueError, match=f"of the 5 pictures in .* none is {lacking}"):
        ImageFolder(folder=str(pictures(many("a", 5))), held_out=held_out)


@pytest.mark.parametrize("option, value", [("held_out", 0.0), ("held_out", 1.0), ("size", 0), ("limit", 0)])
def test_options_out_of_bounds_are_refused(pictures, option, value):
    with pytest.raises(ValueError, match=f"{option} = {value}"):
        ImageFolder(folder=str(pictures(many("a"))), **{option: value})


def colour_of(tmp_path, picture: Image.Image, suffix: str = "png", **saving) -> list[int]:
    file = tmp_path / f"picture.{suffix}"
    picture.save(file, **saving)
    pixels = read_pictures([file], Framing(4))
    assert pixels.shape == (1, 3, 4, 4) and pixels.dtype == torch.uint8
    return pixels[0, :, 0, 0].tolist()


def palette() -> Image.Image:
    return Image.new("RGB", (4, 4), (10, 200, 30)).quantize(4)


def deep(value: int, dtype: type) -> Image.Image:
    return Image.fromarray(np.full((4, 4), value, dtype))


@pytest.mark.parametrize(
    "picture, suffix, saving, expected",
    [
        (Image.new("L", (4, 4), 90), "png", {}, [90, 90, 90]),
        (Image.new("1", (4, 4), 1), "png", {}, [255, 255, 255]),
        (palette(), "png", {}, [10, 200, 30]),
        (palette(), "png", {"transparency": bytes(4)}, [255, 255, 255]),
        (Image.new("RGBA", (4, 4), (100, 0, 0, 0)), "png", {}, [255, 255, 255]),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 51)), "webp", {"lossless": True}, [204, 204, 204]),
        (Image.new("LA", (4, 4), (0, 255)), "png", {}, [0, 0, 0]),
        (Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "tiff", {}, [0, 255, 255]),
        (deep(65535, np.uint16), "png", {}, [255, 255, 255]),
        (deep(257 * 100, np.uint16), "tiff", {}, [100, 100, 100]),
        (deep(257 * 100, np.int32), "tiff", {}, [100, 100, 100]),
    ],
)
def test_every_kind_of_colour_becomes_8_bit_rgb(tmp_path, picture, suffix, saving, expected):
    assert colour_of(tmp_path, picture, suffix, **saving) == expected


@pytest.mark.parametrize("value, dtype, why", [(0.5, np.float32, "floats"), (10**6, np.int32, "more than 16 bits")])
def test_numbers_of_no_known_range_are_refused(tmp_path, value, dtype, why):
    with pytest.raises(ValueError, match=rf"picture\.tiff cannot be read as a picture .*{why}"):
        colour_of(tmp_path, deep(value, dtype), "tiff")


def test_pictures_are_turned_upright_and_cut_to_their_middle(tmp_path):
    picture = Image.new("RGB", (16, 8), "black")
    picture.paste("white", (4, 0, 12, 4))  # the upper half of the middle square
    exif = Image.Exif()
    exif[0x0112] = 3  # stored upside down
    picture.save(tmp_path / "turned.png", exif=exif)
    pixels = read_pictures([tmp_path / "turned.png"], Framing(8))[0, 0]
    assert pixels[:4].max() == 0 and pixels[4:].min() == 255


def test_small_pictures_are_enlarged_and_grey_ones_have_one_channel(pictures):
    data = ImageFolder(folder=str(pictures(many("a"), size=(3, 5))), size=16, grey=True)
    assert data.training().x.shape[1:] == data.spec.shape == (1, 16, 16)
