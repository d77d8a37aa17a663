"""What networks compute is counted without computing it, and says what an update takes within a factor of two."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch
from small_suites import MLP, suite_table, trials_of
from torch.nn.functional import softplus

from ganbench.contract.records import ComponentRef, DataSpec
from ganbench.registry.registry import load_registry
from ganbench.results.cost import forecast, stated_seconds
from ganbench.results.network_cost import NetworkCosts

PICTURES = DataSpec("images", (3, 32, 32), value_range=(-1.0, 1.0))


@pytest.fixture
def trial(make_trial):
    """Return a trial of two networks on pictures of 32 pixels, of a width."""

    def make(width: int, name: str = "conv", **options: object):
        made = make_trial()
        network = ComponentRef(name, {"width": width, **options})
        return replace(
            made,
            data=PICTURES,
            components=replace(made.components, generator=network, discriminator=network),
            training=replace(made.training, steps=1000, batch_size=16),
        )

    return make


@pytest.fixture
def count(registry) -> NetworkCosts:
    return NetworkCosts(registry)


def test_what_is_counted_is_what_the_layers_compute(registry, count, make_trial):
    width = 32
    trial = make_trial({"generator": {"name": "mlp", "width": width}, "discriminator": {"name": "mlp", "width": width}})
    _, d = count(trial)
    built = registry.build("discriminator", trial.components.discriminator, trial.data)
    linear = [layer for layer in built.modules() if isinstance(layer, torch.nn.Linear)]
    assert d.flops == sum(2 * layer.in_features * layer.out_features for layer in linear)
    assert d.parameters == sum(parameter.numel() for layer in linear for parameter in layer.parameters())
    assert d.values < 20 * width and d.calls < 40


def test_counting_takes_no_memory_draws_no_numbers_and_leaves_networks_as_they_are(trial, count):
    before = torch.random.get_rng_state()
    g, d = count(trial(4096))  # ten billion parameters
    assert g.parameters + d.parameters > 1e9 and torch.equal(before, torch.random.get_rng_state())
    real = load_registry().build("generator", ComponentRef("conv", {"width": 8}), PICTURES)
    assert type(next(real.parameters()).data) is torch.Tensor


def test_networks_of_a_plugin_are_neither_built_nor_called(make_trial, plugin_file, count):
    files = plugin_file(
        """
class Deadly(nn.Module):
    "Ends the process."
    def __init__(self, data):
        import os
        os._exit(3)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("deadly", Deadly)
"""
    )
    (trial,) = trials_of(suite_table(methods={"m": {"loss": "hinge", **MLP, "generator": "deadly"}}), files)
    assert NetworkCosts(load_registry(files))(trial) is None and forecast([trial], [], 1).seconds > 0


def test_networks_that_do_not_suit_the_data_are_not_counted(trial, count):
    unsuited = replace(trial(16), data=DataSpec("points", (2,)))
    assert count(unsuited) is None


@pytest.mark.parametrize("options", [{}, {"normalization": "spectral"}])
def test_a_forecast_grows_with_the_width_of_the_networks(trial, count, options):
    seconds = [stated_seconds(made, count(made)) for made in (trial(width, **options) for width in (8, 32, 128))]
    assert 1.5 * seconds[0] < seconds[1] and 4 * seconds[1] < seconds[2]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "batch"), [(8, 64), (64, 32)])
def test_an_update_takes_what_is_stated_within_a_factor_of_three(trial, count, registry, width, batch):
    made = replace(trial(width), training=replace(trial(width).training, batch_size=batch))
    g, d = (registry.build(kind, made.components.generator, PICTURES) for kind in ("generator", "discriminator"))
    seconds = []
    for _ in range(4):
        began = time.thread_time()
        fake = g(torch.randn(batch, g.latent_dim), None)
        (softplus(-d(torch.rand(batch, 3, 32, 32), None)) + softplus(d(fake.detach(), None))).mean().backward()
        softplus(-d(fake, None)).mean().backward()
        seconds.append(time.thread_time() - began)
    assert 1 / 3 < stated_seconds(made, count(made)) / 1000 / min(seconds) < 3
