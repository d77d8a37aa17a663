"""Spectral normalization computes what torch's does, under the same names, and can be stacked, copied and captured."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils.parametrizations import spectral_norm as torch_spectral_norm

from ganbench.builtin.networks.spectral import spectral_norm

LAYERS = {
    "linear": (lambda: nn.Linear(6, 5), torch.randn(3, 6)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, padding=1), torch.randn(2, 3, 5, 5)),
    "transposed convolution": (lambda: nn.ConvTranspose2d(3, 4, 4, stride=2), torch.randn(2, 3, 5, 5)),
    "grouped convolution": (lambda: nn.Conv1d(4, 8, 5, groups=2), torch.randn(2, 4, 9)),
    "embedding": (lambda: nn.Embedding(7, 4), torch.tensor([0, 3, 6])),
}


@pytest.fixture(params=list(LAYERS))
def both(request):
    """A layer wrapped by us and by torch from one random state, and an input."""
    build, x = LAYERS[request.param]
    wrapped = []
    for wrap in (spectral_norm, torch_spectral_norm):
        torch.manual_seed(0)
        wrapped.append(wrap(build()))
    return *wrapped, x


def test_training_is_bit_for_bit_as_with_torchs(both):
    ours, theirs, x = both
    for layer in (ours, theirs):
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            (layer(x) - layer(x.flip(0))).square().sum().backward()
            optimizer.step()
        layer.eval()(x)
    assert torch.equal(ours(x), theirs(x))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_weights_of_torchs_can_be_loaded(both):
    ours, theirs, x = both
    theirs.train()(x)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_the_largest_singular_value_tends_to_one(both):
    layer, _, x = both
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(7)
        for _ in range(300):
            layer(x)
        weight = layer.eval().weight
    matrix = (weight.movedim(1, 0) if isinstance(layer, nn.ConvTranspose2d) else weight).flatten(1)
    assert torch.linalg.matrix_norm(matrix, 2) == pytest.approx(1, abs=1e-5)


def test_stacked_layers_are_mapped_over_and_updated_as_each_alone():
    torch.manual_seed(0)
    layers = [nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 3))) for _ in range(3)]
    x = torch.randn(2, 3, 6, 6)
    stacked = stack_module_state(layers)
    together = vmap(lambda weights, buffers: functional_call(layers[0], (weights, buffers), (x,)))(*stacked)
    alone = [layer(x) for layer in layers]
    torch.testing.assert_close(together, torch.stack(alone))
    for name, buffer in stacked[1].items():
        torch.testing.assert_close(buffer, torch.stack([layer.state_dict()[name] for layer in layers]))


def test_the_state_stays_in_the_same_memory():
    """A captured graph reads and writes where tensors lay when it was recorded."""
    layer = spectral_norm(nn.Linear(6, 5))
    places = {name: value.data_ptr() for name, value in layer.state_dict().items()}
    before = {name: value.clone() for name, value in layer.named_buffers()}
    layer(torch.randn(2, 6)).sum().backward()
    assert {name: value.data_ptr() for name, value in layer.state_dict().items()} == places
    assert all(not torch.equal(value, before[name]) for name, value in layer.named_buffers())


def test_passes_between_a_forward_and_its_backward_keep_the_gradient():
    torch.manual_seed(0)
    layer, x = spectral_norm(nn.Linear(6, 5)), torch.randn(3, 6)
    alone = copy.deepcopy(layer)
    alone(x).square().sum().backward()
    first = layer(x)
    layer(x), layer.eval()(x)
    first.square().sum().backward()
    for weight, other in zip(layer.parameters(), alone.parameters(), strict=True):
        assert torch.equal(weight.grad, other.grad)


def test_singular_values_are_float32_under_autocast():
    torch.manual_seed(0)
    layer, x = spectral_norm(nn.Linear(64, 64)), torch.randn(3, 64)
    full, lower = copy.deepcopy(layer), copy.deepcopy(layer)
    full(x)
    with torch.autocast("cpu", torch.bfloat16):
        lower(x)
    assert all(torch.equal(value, lower.state_dict()[name]) for name, value in full.state_dict().items())
