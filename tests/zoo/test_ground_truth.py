"""The ground truth of a run: what is measured for samples of known quality, and the labels that follow."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.zoo.ground_truth.c2st import auc, c2st_auc
from ganbench.zoo.ground_truth.labels import FRACTIONS, labels
from ganbench.zoo.ground_truth.metric import energy_distance, missing, spread
from ganbench.zoo.ground_truth.modes import assign_modes


@pytest.fixture(scope="module")
def ring():
    return load_registry().build("dataset", ComponentRef("ring", {"sigma": 0.05}))


def _of(ring, x):
    return assign_modes(x, ring.modes)


def test_real_samples_miss_nothing_and_have_the_spread_of_real_samples(ring):
    real, others = _of(ring, ring.held_out().x[:2000]), _of(ring, ring.training().x[:2000])
    assert missing(real, others) == 0
    assert 0.8 < spread(real, others) < 1.25
    assert float(others.good.double().mean()) == pytest.approx(0.98889, abs=0.01)


def test_a_mode_left_out_is_an_eighth_missing(ring):
    real = ring.held_out().x[:2000]
    kept = ring.training().x[:3000]
    kept = kept[_of(ring, kept).mode != 3][:2000]
    assert missing(_of(ring, real), _of(ring, kept)) == pytest.approx(1 / 8)


def test_points_have_no_spread(ring):
    points = ring.modes.centres[torch.arange(2000) % 8]
    assert spread(_of(ring, ring.held_out().x[:2000]), _of(ring, points)) == 0


def test_digits_are_assigned_by_their_nearest_neighbours():
    digits = load_registry().build("dataset", ComponentRef("digits", {}))
    held_out = digits.held_out()
    assigned = assign_modes(held_out.x, None)
    assert (assigned.mode == held_out.labels).double().mean() > 0.98
    assert assigned.good.double().mean() > 0.95
    assert assign_modes(torch.rand_like(held_out.x) * 2 - 1, None).good.double().mean() < 0.05
    stacked = load_registry().build("dataset", ComponentRef("stacked-digits", {}))
    real = assign_modes(stacked.held_out().x[:2000], None)
    assert missing(real, assign_modes(stacked.training().x[:2000], None)) < 0.1


def test_the_energy_distance_follows_its_definition_and_is_zero_for_the_same_distribution():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(1000, 2, generator=g), torch.randn(1000, 2, generator=g)
    assert abs(energy_distance(x, y)) < 0.02
    assert energy_distance(x, y + 10) == pytest.approx(2 * 200**0.5 - 2 * torch.pi**0.5, rel=0.02)
    assert energy_distance(x, torch.full((10, 2), torch.nan)) == float("inf")


def test_the_two_sample_classifier_separates_what_can_be_separated(ring):
    torch.manual_seed(0)
    real = ring.held_out().x[:1500]
    assert c2st_auc(real, ring.training().x[:1500]) < 0.6
    assert c2st_auc(real, torch.randn(1500, 2)) > 0.9
    assert auc(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.0])) == 0.875


def _scores(**series):
    """Rows of scores.csv of a run of 100 steps, one value a fraction."""
    rows = []
    for name, values in series.items():
        values = [values] * len(FRACTIONS) if not isinstance(values, list) else values
        rows += [(round(f * 100), f"ground-truth.{name}", v) for f, v in zip(FRACTIONS, values, strict=True)]
    return pd.DataFrame(rows, columns=["step", "metric", "value"])


FINE = {"missing": 0.0, "good": 0.9, "spread": 1.0, "distance": 0.01, "d_auc": 0.55, "strong_auc": 0.6, "gap": 0.0}
FINE |= {"moved": 0.1, "circled": 0.8}


def _end(status="done", n_modes=8, **changes):
    return set(labels(_scores(**FINE | changes), 100, status, n_modes).end)


def test_a_run_is_labelled_by_its_outcome():
    assert _end() == set()
    assert _end(d_auc=0.99) == set()  # a strong D is no failure
    assert _end(missing=0.25) == {"mode-collapse"}
    assert _end(spread=0.1) == {"mode-collapse"}
    assert _end(missing=0.25, strong_auc=0.9) == {"mode-collapse", "weak-discriminator"}
    assert _end(gap=0.4) == {"memorization"}
    assert _end(missing=0.5, moved=0.9) == {"mode-collapse", "oscillation"}
    assert _end(missing=0.5, moved=0.9, circled=0.1) == {"mode-collapse"}  # it goes somewhere
    assert _end(missing=0.2, n_modes=1000) == set()


def test_a_strong_d_is_overpowering_if_g_improves_under_a_smooth_one():
    stuck = {"missing": 1.0, "distance": 5.0, "d_auc": 1.0, "strong_auc": 1.0}
    none = float("nan")
    rescued = {"rescued": [0.1, 0.1, 0.1, none, none], "rescued_end": [none, none, 0.1, none, none]}
    assert _end(**stuck, **rescued) == {"mode-collapse", "overpowering-discriminator"}
    assert _end(**stuck, rescued=4.9, rescued_end=[none, none, 4.9, none, none]) == {"mode-collapse"}
    assert _end(**stuck, **rescued, d_auc_in_training=0.6) == {"mode-collapse"}  # G itself it does not tell
    slowly = {"rescued": [4.9, 4.9, 4.9, none, none], "rescued_end": rescued["rescued_end"]}
    state = labels(_scores(**FINE | stuck | slowly), 100, "done", 8).state
    assert all("overpowering-discriminator" in state[fraction] for fraction in FRACTIONS)


def test_states_onsets_and_divergence_are_labelled():
    healed = labels(_scores(**FINE | {"missing": [0.5, 0.5, 0.0, 0.0, 0.0]}), 100, "done", 8)
    assert healed.healthy
    assert healed.state[0.25] == {"mode-collapse"}
    assert not healed.onset
    late = labels(_scores(**FINE | {"missing": [0.0, 0.0, 0.0, 0.5, 0.5]}), 100, "done", 8)
    assert late.onset == {"mode-collapse": 75}
    broken = labels(_scores(**FINE), 100, "diverged", 8, nonfinite_at=40)
    assert broken.end == {"divergence"}
    assert broken.state[0.25] == set()
    assert broken.state[0.5] == {"divergence"}
    with pytest.raises(ValueError, match="ground-truth"):
        labels(_scores().reindex(columns=["step", "metric", "value"]), 100, "done", 8)


def test_a_run_that_is_stuck_under_its_d_improves_in_a_fork_with_a_smooth_one(make_trial, run_here):
    method = {
        "loss": "minimax",
        "generator": {"name": "displaced", "by": 15.0},
        "discriminator": "mlp",
        "optimizer_d": {"name": "adam", "lr": 1e-2, "betas": [0.0, 0.9]},
        "optimizer_g": {"name": "adam", "lr": 2e-3, "betas": [0.0, 0.9]},
    }
    trial = make_trial(method, metrics=["ground-truth"], diagnoses=[], at=(0.5, 1.0), steps=300, d_warmup=500)
    scores = {(s.step, s.metric.removeprefix("ground-truth.")): s.value for s in run_here(trial).scores}
    assert scores[150, "missing"] == 1.0
    assert scores[150, "d_auc"] == 1.0
    assert scores[150, "rescued_end"] < 0.5 * scores[300, "distance"]


def test_a_run_that_was_not_measured_at_its_end_has_no_labels():
    scores = _scores(**FINE)
    with pytest.raises(ValueError, match="not measured at its end"):
        labels(scores[scores["step"] < 100], 100, "stopped", 8)
    with pytest.raises(ValueError, match="lacks strong_auc"):
        labels(scores[~scores["metric"].str.endswith("strong_auc")], 100, "done", 8)
