"""Real samples are drawn as floats however they lie in memory, and latents from the prior that G declares."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganbench import Batch, DataSpec
from ganbench.training import noise
from ganbench.training.data import DeviceDataset

GREY = DataSpec("images", (1, 4, 4), value_range=(-1.0, 1.0))
CPU = torch.device("cpu")


def test_bytes_stay_bytes_until_they_are_drawn():
    x = torch.randint(0, 256, (50, 1, 4, 4), dtype=torch.uint8)
    pool = DeviceDataset(Batch(x, torch.arange(50)), GREY, CPU)
    drawn = pool.take(torch.tensor([3, 3, 7]))
    torch.testing.assert_close(drawn.x, x[[3, 3, 7]].float() / 127.5 - 1)
    assert drawn.labels.tolist() == [3, 3, 7]
    assert pool._x.data_ptr() == x.data_ptr()
    assert pool.std() == pytest.approx(float((x.double() / 127.5 - 1).std(correction=0)))


@pytest.mark.parametrize(
    ("x", "spec", "words"),
    [
        (torch.zeros(3, 2, dtype=torch.uint8), DataSpec("points", (2,)), "no value_range"),
        (torch.zeros(3, 2, dtype=torch.float64), DataSpec("points", (2,)), "torch.float64; give float32, or uint8"),
    ],
)
def test_other_types_are_refused(x, spec, words):
    with pytest.raises(ValueError, match=words):
        DeviceDataset(Batch(x), spec, CPU)


BYTES = '''
class Bytes:
    """The digits as bytes."""
    spec = ganbench.DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0), classes=10)
    def __init__(self, *, stored_as: str = "bytes"):
        self.bytes = stored_as == "bytes"
    def part(self, seed):
        g = torch.Generator().manual_seed(seed)
        x = torch.randint(0, 256, (300, 1, 8, 8), generator=g, dtype=torch.uint8)
        labels = torch.randint(10, (300,), generator=g)
        return ganbench.Batch(x if self.bytes else x.float().mul_(2 / 255).add_(-1.0), labels)
    def training(self):
        return self.part(0)
    def held_out(self):
        return self.part(1)

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("bytes", Bytes)
'''


def test_a_run_on_bytes_is_the_run_on_floats(make_trial, run_here, plugin_file):
    files = plugin_file(BYTES)
    one, other = (
        run_here(
            make_trial(
                datasets={"data": {"dataset": {"name": "bytes", "stored_as": kind}}},
                metrics=("sliced-wasserstein",),
                files=files,
                steps=20,
            )
        )
        for kind in ("bytes", "floats")
    )
    assert one.status == "done", one.reason
    for name, weight in one.artifacts.weights.items():
        np.testing.assert_array_equal(weight, other.artifacts.weights[name])
    assert [score.value for score in one.scores] == [score.value for score in other.scores]


UNIFORM = '''
class Uniform(nn.Module):
    """A generator of uniform latents, which notes them."""
    latent_dim, prior = 2, "uniform"
    seen = []
    def __init__(self, data):
        super().__init__()
        self.net = nn.Linear(2, 2)
    def forward(self, z, labels=None):
        self.seen.append(z.detach().clone())
        return self.net(z)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("uniform", Uniform)
'''


def test_a_uniform_prior_is_kept_in_training_observing_and_evaluating(make_trial, run_here, plugin_file):
    from ganbench.registry.registry import load_registry

    files = plugin_file(UNIFORM)
    result = run_here(make_trial({"generator": "uniform"}, files=files, steps=20))
    assert result.status == "done", result.reason
    seen = torch.cat(load_registry(files).find("generator", "uniform").build.seen)
    assert len(seen) > 1000 and seen.abs().max() < 1.001  # G is also probed a thousandth beside its noise
    assert float(seen.std()) == pytest.approx(3**-0.5, abs=0.02)


def test_an_unknown_prior_is_refused():
    generator = type("G", (), {"latent_dim": 2, "prior": "cauchy"})()
    with pytest.raises(ValueError, match="'normal' or 'uniform', not 'cauchy'"):
        noise.sample_noise(generator, 3, torch.Generator())
