"""Consistency regularization agrees with its formulas, and moves images as it says."""

from __future__ import annotations

import pytest
import torch

from ganbench import Batch
from ganbench.builtin.consistency import flip_and_shift
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry

REAL, FAKE = Batch(torch.rand(16, 1, 8, 8)), Batch(torch.rand(16, 1, 8, 8) - 1, z=torch.randn(16, 3))


def build(name, **options):
    return load_registry().build("regularizer", ComponentRef(name, options))


def corner(batch: Batch) -> torch.Tensor:
    return 3 * batch.x[:, 0, 0, 0]


def centre_of_mass(batch: Batch) -> torch.Tensor:
    return batch.x.sum((1, 2, 3))


def generate(z, given):
    return given.with_x(z[:, :1, None, None] * torch.ones(1, 1, 8, 8))


def test_images_are_mirrored_and_shifted_one_by_one():
    images = torch.arange(5 * 3.0 * 6 * 7).view(5, 3, 6, 7)
    torch.manual_seed(0)
    moved = flip_and_shift(images.repeat(40, 1, 1, 1), 2, flip=True).view(40, 5, 3, 6, 7)
    assert moved.shape[-3:] == images.shape[-3:]
    reflect = torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
    mirrored = torch.nn.functional.pad(images.flip(3), (2, 2, 2, 2), mode="reflect")
    found = set()
    for image, rows in zip(range(5), moved.transpose(0, 1), strict=True):
        for row in rows:
            places = [
                (mirror, down, right)
                for mirror, padded in enumerate((reflect[image], mirrored[image]))
                for down in range(5)
                for right in range(5)
                if torch.equal(row, padded[:, down : down + 6, right : right + 7])
            ]
            assert places
            found.add(places[0])
    assert len(found) > 40  # of 50


def test_images_stay_where_nothing_moves_them_and_gradients_pass():
    images = torch.rand(4, 1, 8, 8, requires_grad=True)
    assert torch.equal(flip_and_shift(images, 0, flip=False), images)
    moved = flip_and_shift(images, 3, flip=True)
    (slope,) = torch.autograd.grad(moved.sum(), images)
    assert float(slope.sum()) == pytest.approx(4 * 64)  # every pixel of the result is one of the image


def test_cr_and_bcr_are_the_squared_change_of_the_logit():
    torch.manual_seed(1)
    at_real = (corner(REAL.with_x(flip_and_shift(REAL.x, 2, True))) - corner(REAL)).square().mean()
    at_fake = (corner(FAKE.with_x(flip_and_shift(FAKE.x, 2, True))) - corner(FAKE)).square().mean()
    assert at_real > 0 and at_fake > 0
    torch.manual_seed(1)
    assert float(build("cr", weight=2.0, shift=2).penalty(corner, REAL, FAKE)) == pytest.approx(float(2 * at_real))
    torch.manual_seed(1)
    both = build("bcr", weight=2.0, weight_generated=5.0, shift=2).penalty(corner, REAL, FAKE)
    assert float(both) == pytest.approx(float(2 * at_real + 5 * at_fake))


def test_cr_does_not_mind_a_logit_that_mirroring_does_not_change():
    assert float(build("cr", shift=0).penalty(centre_of_mass, REAL, FAKE)) == pytest.approx(0, abs=1e-6)


def test_zcr_is_the_squared_change_under_a_small_change_of_the_noise():
    fake = generate(FAKE.z, FAKE)
    torch.manual_seed(2)
    penalty = build("zcr", weight=3.0, sigma=0.1).penalty(corner, REAL, fake, generate=generate)
    torch.manual_seed(2)
    change = 0.1 * torch.randn(16, 3)[:, 0]
    assert float(penalty) == pytest.approx(float(3 * (3 * change).square().mean()), rel=1e-4)
    torch.manual_seed(2)
    reward = build("zcr-generator", weight=3.0, sigma=0.1).penalty(corner, REAL, fake, generate=generate)
    assert float(reward) == pytest.approx(float(-3 * change.square().mean()), rel=1e-4)


@pytest.mark.parametrize("names", [["bcr", "zcr", "zcr-generator"], ["cr"]])
def test_they_train_on_images(make_trial, run_here, names):
    method = {"loss": "hinge", "generator": "mlp", "discriminator": "mlp", "regularizers": names}
    result = run_here(make_trial(method, datasets=["digits"], metrics=["energy-distance"], steps=5))
    assert result.status == "done", result.reason


def test_there_is_nothing_to_mirror_in_points(make_trial, run_here):
    result = run_here(make_trial({"loss": "hinge", "generator": "mlp", "discriminator": "mlp", "regularizers": ["cr"]}))
    assert result.status == "skipped" and result.reason == "regularizer 'cr': it shifts images, and ring is points"


@pytest.mark.parametrize("name", ["zcr", "zcr-generator"])
def test_a_generator_without_noise_is_refused_in_a_line(name):
    with pytest.raises(ValueError, match=f"'{name}' needs a generator with noise"):
        build(name).penalty(corner, REAL, Batch(FAKE.x, z=torch.zeros(16, 0)), generate=generate)
