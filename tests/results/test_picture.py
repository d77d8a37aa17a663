"""Pictures of samples: the same pixels for the same samples, whatever the values in them."""

import numpy as np
import pytest
from PIL import Image

from ganbench.results.picture import GAP, POINTS_PIXELS, draw_nearest, draw_samples

HALF = (POINTS_PIXELS - GAP) // 2


def drawn(samples, reals, path):
    draw_samples(samples, reals, path)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def is_reddish(pixels):
    return (pixels[..., 0] > pixels[..., 2] + 60).any()


@pytest.fixture
def square():
    """Points at the corners of a square."""
    return np.random.default_rng(0).normal(0, 0.05, (200, 2)) + np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]] * 50)


def test_points_are_drawn_where_they_are(square, tmp_path):
    pixels = drawn(np.full((50, 2), [0.5, 0.5]), square, tmp_path / "a.png")
    assert is_reddish(pixels[: POINTS_PIXELS // 2, POINTS_PIXELS // 2 :])  # up is up
    assert not is_reddish(pixels[POINTS_PIXELS // 2 : POINTS_PIXELS])


def test_densities_of_real_and_generated_points_stand_below(square, tmp_path):
    pixels = drawn(np.full((50, 2), [0.5, -0.5]), square, tmp_path / "a.png")
    real, generated = pixels[POINTS_PIXELS + GAP :, :HALF], pixels[POINTS_PIXELS + GAP :, -HALF:]
    dark = [(part.sum(-1) < 400)[4:-4, 4:-4] for part in (real, generated)]
    quarter = dark[0].shape[0] // 2
    corners = [(slice(None, quarter), slice(None, quarter)), (slice(quarter, None), slice(quarter, None))]
    assert all(dark[0][corner].any() for corner in corners)
    assert dark[1][corners[1]].any() and not dark[1][corners[0]].any()


def test_the_same_points_give_the_same_bytes(square, tmp_path):
    for name in ("a.png", "b.png"):
        draw_samples(square, square, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size < 40_000


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.0])
def test_points_of_any_value_are_drawn_without_warnings(square, value, tmp_path):
    assert drawn(np.full((20, 2), value), square, tmp_path / "a.png").shape == (
        POINTS_PIXELS + GAP + HALF,
        POINTS_PIXELS,
        3,
    )
    assert drawn(square, np.zeros((20, 2)), tmp_path / "b.png").any()
    assert drawn(np.full((20, 1), value), square[:, :1], tmp_path / "c.png").any()


def test_the_nearest_training_images_stand_below_the_first_generated_ones(tmp_path):
    generated, nearest = np.full((12, 1, 4, 4), -1.0), np.full((8, 1, 4, 4), 1.0)
    draw_nearest(generated, nearest, tmp_path / "n.png")
    pixels = np.asarray(Image.open(tmp_path / "n.png"))
    assert pixels.shape == (8 * (4 + 2 + 4), 256)
    assert (pixels[: 8 * 4] == 0).all() and (pixels[-8 * 4 :] == 255).all()
