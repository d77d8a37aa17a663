"""How near samples come to the true ones of their conditions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

import ganbench
from ganbench.registry.registry import load_registry
from ganbench.testing.candidate import trial_on

SPEC = ganbench.DataSpec("images", (3, 16, 16), value_range=(-1.0, 1.0), condition=(3, 4, 4))
METRICS = ("psnr", "ssim", "perceptual")


def build(name, **options):
    return load_registry().build("metric", ganbench.ComponentRef(name, options))


def pictures(n=12, seed=0):
    coarse = torch.randn(n, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, 16, mode="bicubic").clamp(-1, 1)


def pairs(fake, true):
    return ganbench.Samples(fake, true.flip(0), SPEC, condition=true[..., ::4, ::4], paired=true)


@pytest.mark.parametrize(("name", "best"), [("psnr", 100.0), ("ssim", 1.0), ("perceptual", 0.0)])
def test_the_true_sample_scores_best_and_another_ones_picture_worse_than_a_blurred_one(name, best):
    metric, true = build(name), pictures()
    blurred = torch.nn.functional.avg_pool2d(true, 3, 1, 1)
    scores = [float(metric.score(pairs(fake, true))[""]) for fake in (true, blurred, true.roll(1, 0))]
    assert scores[0] == pytest.approx(best, abs=1e-6)
    assert scores == sorted(scores, reverse=metric.better == "higher") and len(set(scores)) == 3


def test_psnr_is_the_logarithm_of_the_squared_error_over_the_range():
    true = pictures().clamp(-0.5, 0.5)
    score = build("psnr").score(pairs(true + 0.2, true))[""]
    assert float(score) == pytest.approx(10 * math.log10(2**2 / 0.2**2), abs=1e-4)
    beyond = build("psnr").score(pairs(torch.full_like(true, 9.0), torch.ones_like(true)))[""]
    assert float(beyond) == 100  # values beyond the range are shown as its end


def test_ssim_agrees_with_its_formula():
    true, fake = pictures(2).double(), pictures(2, seed=1).double()
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    values = []
    for x, y in zip(fake.flatten(0, 1).numpy(), true.flatten(0, 1).numpy(), strict=True):
        mx, my, xx, yy, xy = (convolve2d(a, window, mode="valid") for a in (x, y, x * x, y * y, x * y))
        c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
        values.append(
            ((2 * mx * my + c1) * (2 * (xy - mx * my) + c2)) / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))
        )
    score = float(build("ssim").score(pairs(fake.float(), true.float()))[""])
    assert score == pytest.approx(np.mean(values), abs=1e-5)


def test_the_perceptual_distance_is_that_of_the_term():
    true, fake = pictures(), pictures(seed=1)
    term = load_registry().build("term", ganbench.ComponentRef("perceptual"))
    as_term = float(term(None, ganbench.Batch(true), ganbench.Batch(fake)))
    assert float(build("perceptual").score(pairs(fake, true))[""]) == pytest.approx(
        as_term, rel=0.05
    )  # bytes are rounded


@pytest.mark.parametrize("name", METRICS)
def test_data_without_conditions_is_skipped_with_the_reason(name):
    registry, ref = load_registry(), ganbench.ComponentRef(name)
    assert registry.skip("metric", ref, trial_on(SPEC)) is None
    assert "the data has no conditions" in registry.skip("metric", ref, trial_on(replace(SPEC, condition=None)))
    with pytest.raises(ganbench.CannotScore, match="the true one of its condition"):
        build(name).score(ganbench.Samples(pictures(), pictures(), SPEC))


def test_ssim_needs_room_for_its_window():
    small = trial_on(replace(SPEC, shape=(3, 8, 8)))
    assert "11 pixels or more" in load_registry().skip("metric", ganbench.ComponentRef("ssim"), small)


def test_a_run_is_scored_beside_the_true_sample_of_each_condition(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Answers(ganbench.Dataset):
    """Points that are half their conditions."""
    spec = ganbench.DataSpec("points", (4,), value_range=(-1.0, 1.0), condition=(4,))

    def _part(self, n, seed):
        c = torch.rand(n, 4, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        return ganbench.Batch(c / 2, condition=c)

    def training(self):
        return self._part(500, 0)

    def held_out(self):
        return self._part(300, 1)


class Knows(nn.Module):
    """A generator that knows the answer."""
    latent_dim = 0

    def __init__(self, data, *, factor: float = 0.5):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, z, labels=None, condition=None):
        return self.factor * condition


@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("answers", Answers)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("knows", Knows)
''')
    method = {"discriminator": {"name": "mlp", "width": 8}, "loss": "hinge", "optimizer_g": {"name": "sgd", "lr": 1e-9}}
    values = {}
    for factor in (0.5, 0.4):
        generator = {"name": "knows", "factor": factor}
        trial = make_trial(
            {**method, "generator": generator},
            files=files,
            datasets=["answers"],
            metrics=["psnr"],
            diagnoses=[],
            steps=2,
        )
        (score,) = run_here(trial).scores
        values[factor] = score.value
        assert score.floor == 100 and score.n_fake == 150
    assert values[0.5] > 60 > 40 > values[0.4] > 15
