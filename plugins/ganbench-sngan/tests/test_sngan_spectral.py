"""Spectral normalization bounds the largest singular value, keeps its state where it belongs and can be differentiated."""

import copy

import pytest
import torch
from ganbench_sngan.spectral import SpectralConv2d, SpectralEmbedding, SpectralLinear, normalized
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

LAYERS = {
    "linear": (lambda: SpectralLinear(6, 5), torch.randn(3, 6)),
    "convolution": (lambda: SpectralConv2d(3, 4, 3), torch.randn(2, 3, 5, 5)),
    "embedding": (lambda: SpectralEmbedding(7, 4), torch.tensor([0, 3, 6])),
}


@pytest.fixture(params=list(LAYERS))
def layer_and_input(request):
    torch.manual_seed(0)
    build, x = LAYERS[request.param]
    return build(), x


def test_the_largest_singular_value_tends_to_one(layer_and_input):
    layer, x = layer_and_input
    with torch.no_grad():
        layer.weight.mul_(7)
        for _ in range(300):
            layer(x)
        weight = normalized(layer.weight, layer.u, training=False)
    assert torch.linalg.matrix_norm(weight.flatten(1), 2) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_it_agrees_with_torch_after_many_iterations(kind):
    torch.manual_seed(0)
    build, x = LAYERS[kind]
    mine = build()
    plain = nn.Linear(6, 5) if kind == "linear" else nn.Conv2d(3, 4, 3, padding=1)
    plain.load_state_dict({name: value for name, value in mine.state_dict().items() if name != "u"})
    theirs = spectral_norm(plain)
    for _ in range(300):
        mine(x), theirs(x)
    torch.testing.assert_close(normalized(mine.weight, mine.u, False), theirs.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mine(x), theirs(x), rtol=1e-5, atol=1e-6)


def test_power_iteration_runs_in_training_mode_alone(layer_and_input):
    layer, x = layer_and_input
    before = layer.u.clone()
    layer.eval()(x)
    assert torch.equal(layer.u, before)
    layer.train()(x)
    assert not torch.equal(layer.u, before)


def test_a_functional_call_updates_the_given_buffers_alone(layer_and_input):
    layer, x = layer_and_input
    before = layer.u.clone()
    theirs = {"weight": layer.weight.detach(), "u": layer.u.clone()}
    functional_call(layer, theirs, (x,))
    assert torch.equal(layer.u, before)
    assert not torch.equal(theirs["u"], before)


def test_passes_between_a_forward_and_its_backward_keep_the_gradient(layer_and_input):
    layer, x = layer_and_input
    torch.manual_seed(1)
    alone = copy.deepcopy(layer)
    alone(x).square().sum().backward()
    first = layer(x)
    layer(x), layer.eval()(x)
    first.square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, alone.weight.grad)


def test_the_singular_value_is_differentiated_through():
    torch.manual_seed(0)
    layer = SpectralLinear(4, 3).double()
    x = torch.randn(2, 4, dtype=torch.float64)
    for _ in range(1000):
        layer(x)
    u = layer.u

    # At the fixed point the singular vectors' own derivative vanishes, so that finite differences see the same.
    def output(weight: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x, normalized(weight, u, training=False))

    weight = layer.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(output, weight)
    # The normalized weight does not depend on the weight's scale: no gradient along the weight itself.
    (gradient,) = torch.autograd.grad(output(weight).square().sum(), weight)
    assert float((gradient * weight.detach()).sum()) == pytest.approx(0, abs=1e-10)


def test_weights_stacked_over_networks_can_be_mapped_over():
    torch.manual_seed(0)
    layers = [SpectralLinear(6, 5) for _ in range(3)]
    x = torch.randn(2, 6)
    apart = torch.stack([copy.deepcopy(layer)(x) for layer in layers])
    weights, buffers = torch.func.stack_module_state(layers)
    together = torch.func.vmap(lambda w, b: functional_call(layers[0], (w, b), (x,)))(weights, buffers)
    torch.testing.assert_close(together, apart)
