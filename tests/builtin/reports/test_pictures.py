"""Pictures become part of a page, as small as they have to be."""

import base64
import io

import numpy as np
from PIL import Image

from ganbench.builtin.reports.pictures import embed_picture, magnification


def decoded(picture):
    return Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2])))


def test_a_small_picture_loses_nothing(tmp_path):
    Image.effect_noise((60, 40), 60).save(tmp_path / "small.png")
    picture = embed_picture(tmp_path / "small.png", 40_000)
    assert picture.uri.startswith("data:image/webp;base64,") and (picture.width, picture.height) == (60, 40)
    assert np.array_equal(np.asarray(decoded(picture).convert("L")), np.asarray(Image.open(tmp_path / "small.png")))


def test_a_large_picture_is_compressed_the_same_way_each_time(tmp_path):
    Image.effect_noise((900, 700), 60).save(tmp_path / "large.png")
    picture = embed_picture(tmp_path / "large.png", 40_000)
    assert len(picture.uri) < 40_000 * 1.4 and not picture.is_crisp
    assert picture == embed_picture(tmp_path / "large.png", 40_000)


def test_magnified_pixels_are_stored_once_and_shown_as_squares(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (10, 16, 3)).astype(np.uint8)
    Image.fromarray(small).resize((64, 40), Image.Resampling.NEAREST).save(tmp_path / "sheet.png")
    picture = embed_picture(tmp_path / "sheet.png", 40_000)
    assert picture.is_crisp and (picture.width, picture.height) == (16, 10)
    assert np.array_equal(np.asarray(decoded(picture)), small)


def test_a_smooth_picture_was_not_magnified():
    assert magnification(Image.linear_gradient("L")) == 1


def test_a_damaged_or_missing_picture_is_none(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:500])
    (tmp_path / "text.png").write_text("no picture")
    assert [embed_picture(tmp_path / name, 1000) for name in ("cut.png", "text.png", "none.png")] == [None] * 3
    assert embed_picture(None, 1000) is None
