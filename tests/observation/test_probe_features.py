"""What probes compare samples in: never more than 256 numbers, the same on every machine, whatever values span."""

from __future__ import annotations

import pytest
import torch

from ganbench.observation.probe_features import MAX_VALUES, choose_embedding

SHAPES = [(3, 32, 32), (1, 28, 28), (3, 128, 96), (4, 17, 40), (1, 4096), (2, 1000), (400,), (40, 20), (2, 8, 8, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_of_any_shape_become_at_most_256_numbers(shape):
    features = choose_embedding(shape)(torch.randn(5, *shape))
    assert features.shape[0] == 5 and features.shape[1] <= MAX_VALUES and features.isfinite().all()
    assert torch.pdist(features).min() > 0


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 8, 8), (256,)])
def test_small_samples_are_compared_as_they_are(shape):
    x = torch.randn(4, *shape)
    assert torch.equal(choose_embedding(shape)(x), x.flatten(1))


@pytest.mark.parametrize("shape", SHAPES)
def test_features_are_the_same_at_every_call_and_scale_with_the_values(shape):
    x = torch.randn(3, *shape)
    features = choose_embedding(shape)(x)
    torch.manual_seed(123)
    assert torch.equal(choose_embedding(shape)(x), features)
    assert torch.allclose(choose_embedding(shape)(2 * x), 2 * features, rtol=1e-3, atol=1e-4)


def test_features_draw_no_random_numbers_of_the_program():
    state = torch.get_rng_state()
    choose_embedding((3, 32, 32))(torch.zeros(1, 3, 32, 32))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_shift_of_all_pixels_shows_in_the_averaged_pixels_alone():
    x = torch.rand(2, 3, 32, 32)
    moved = (choose_embedding((3, 32, 32))(x + 1) - choose_embedding((3, 32, 32))(x)).abs()
    assert moved[:, :-48].max() < 1e-3 and moved[:, -48:].min() > 1
