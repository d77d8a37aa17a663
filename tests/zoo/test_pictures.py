"""The classifiers that tell what became of a run on pictures, and the labels that follow from them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest
import torch

from ganbench import zoo
from ganbench.contract.records import ComponentRef, DataSpec, History
from ganbench.registry.registry import load_registry
from ganbench.testing.helpers.trials import trials_of
from ganbench.zoo.ground_truth.labels import FRACTIONS, Labels, labels
from ganbench.zoo.ground_truth.metric import GroundTruth, energy_distance, missing, same, spread
from ganbench.zoo.ground_truth.modes import assign_modes, to_coordinates
from ganbench.zoo.ground_truth.pictures import is_known, look_at
from ganbench.zoo.score.recordings import Recording, _inner, _innermost


@pytest.fixture(scope="module")
def shapes():
    batch = load_registry().build("dataset", ComponentRef("shapes", {"size": 1000, "held_out": 2000})).held_out()
    return batch.x.float() / 127.5 - 1, batch.labels


def test_shapes_are_told_apart_and_from_what_shows_none(shapes):
    x, truth = shapes
    seen = look_at(x)
    assert (seen.classes == truth).double().mean() > 0.98
    assert seen.credible.double().mean() > 0.95
    noise = torch.rand(200, 3, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for bad in (noise, (x[:200] + x[200:400]) / 2, torch.full((200, 3, 28, 28), torch.nan)):
        assert look_at(bad).credible.double().mean() < 0.15


def test_looking_draws_nothing_from_the_global_random_state(shapes):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    look_at(shapes[0][:10])
    assert torch.equal(state, torch.get_rng_state())


def test_pictures_that_have_changed_are_looked_at_again(shapes):
    x = shapes[0][:20].clone()
    first = look_at(x)
    assert look_at(x) is first
    x.mul_(0.0)
    assert not torch.equal(look_at(x).features, first.features)


def test_a_class_left_out_is_a_tenth_missing_and_further_from_the_data(shapes):
    x, truth = shapes
    real, rest = x[:1000], x[1000:]
    lacking = rest[truth[1000:] != 4]
    of_real = assign_modes(real, None)
    assert missing(of_real, assign_modes(rest, None)) == 0
    assert missing(of_real, assign_modes(lacking, None)) == pytest.approx(0.1)
    assert 0.7 < spread(of_real, assign_modes(rest, None)) < 1.3
    near, far = (energy_distance(to_coordinates(real), to_coordinates(part)) for part in (rest, lacking))
    assert far > 2 * near


def test_pictures_that_are_made_again_and_again_are_the_same(shapes):
    x, _ = shapes
    few = x[torch.arange(1000) % 40]
    assert same(x[:1000], few) == 1
    assert same(x[:1000], few + 0.01 * torch.randn_like(few)) > 0.9
    assert same(x[:1000], x[1000:]) < 0.05


def test_known_data_sets_are_known_by_name_also_where_they_are_a_part():
    shape = (3, 28, 28)
    data = DataSpec("images", shape, (-1.0, 1.0), 10)
    assert is_known(ComponentRef("shapes"), data)
    assert is_known(ComponentRef("few", {"inner": "shapes"}), data)
    assert is_known(ComponentRef("few", {"inner": {"name": "half", "inner": {"name": "shapes"}}}), data)
    assert not is_known(ComponentRef("fashion-mnist"), DataSpec("images", (1, 28, 28), (-1.0, 1.0), 10))
    assert not is_known(ComponentRef("shapes"), DataSpec("images", (3, 32, 32), (-1.0, 1.0), 10))


def test_every_run_of_the_suite_has_ground_truth_and_both_parts_have_every_kind():
    suite = tomllib.loads((Path(zoo.__file__).parent / "suites" / "failures-pictures.toml").read_text())
    trials = trials_of(suite, load_registry())
    assert len(trials) == 90
    assert {GroundTruth.skip(trial) for trial in trials} == {None}
    kinds = {"development": set(), "held-out": set()}
    for trial in trials:
        loss, network = trial.components.loss, _innermost(trial.components.generator)
        run = Recording(
            *(trial.id, trial.dataset, trial.method, _inner(loss.name, loss.options), trial.seed, "done", 10),
            *(History({}, 1), Labels({}, frozenset(), {}), 1.0, network),
        )
        kinds[run.part].add(run.family)
    both = {"healthy", "hard", "overpowering", "weak", "collapse", "divergence", "memorization", "wiring"}
    assert both <= kinds["development"] & kinds["held-out"]


FINE = {"missing": 0.0, "good": 0.9, "spread": 1.0, "same": 0.0, "distance": 0.2, "d_auc": 0.7, "strong_auc": 1.0}
FINE |= {"gap": 0.0, "moved": 0.1, "circled": 0.8}


def _labels(**changes):
    rows = []
    for name, values in (FINE | changes).items():
        values = values if isinstance(values, list) else [values] * len(FRACTIONS)
        rows += [(round(f * 100), f"ground-truth.{name}", v) for f, v in zip(FRACTIONS, values, strict=True)]
    return labels(pd.DataFrame(rows, columns=["step", "metric", "value"]), 100, "done", 10)


def test_a_run_on_pictures_is_labelled_by_its_outcome():
    assert _labels().healthy
    assert _labels(missing=0.1).end == {"mode-collapse", "weak-discriminator"}
    assert _labels(missing=0.1, d_auc=0.9).end == {"mode-collapse"}
    assert _labels(same=0.6).end == {"mode-collapse"}
    assert _labels(gap=0.4).end == {"memorization"}


def test_a_young_run_that_is_still_learning_has_not_failed_yet():
    learning = {"distance": [20.0, 12.0, 8.0, 5.0, 3.0], "missing": 0.8, "good": 0.1}
    young = _labels(**learning)
    assert young.healthy and not young.onset
    assert young.state[1.0] == {"mode-collapse"}  # its modes are not there
    assert _labels(**learning | {"good": 0.7}).end == {"mode-collapse"}  # what it makes is credible, and not all
    assert _labels(**learning | {"distance": 20.0}).end == {"mode-collapse", "weak-discriminator"}


def test_a_class_that_comes_and_goes_is_not_missing_at_the_end():
    rows = [(round(f * 100), f"ground-truth.{name}", value) for f in FRACTIONS for name, value in FINE.items()]
    rows = [(step, name, 0.1 if (step, name) == (100, "ground-truth.missing") else v) for step, name, v in rows]
    for seen, ends_well in ((0.0, True), (0.1, False)):
        more = [(90, "ground-truth.missing", seen), (90, "ground-truth.distance", 0.2), (90, "ground-truth.same", 0.0)]
        scores = pd.DataFrame(rows + more, columns=["step", "metric", "value"])
        assert labels(scores, 100, "done", 10).healthy == ends_well


def test_a_g_that_its_optimizer_cannot_move_is_no_evidence_against_d():
    stuck = {"missing": 1.0, "distance": 20.0, "d_auc": 1.0}
    none = float("nan")
    taught = {"rescued_end": [none, none, 3.0, none, none]}
    assert _labels(**stuck, **taught).end == {"mode-collapse", "overpowering-discriminator"}
    assert _labels(**stuck, **taught, reach=30.0).end == {"mode-collapse", "overpowering-discriminator"}
    assert _labels(**stuck, **taught, reach=0.0).end == {"mode-collapse"}
    assert _labels(missing=1.0, reach=30.0).end == {"mode-collapse", "weak-discriminator"}  # a D that misses it all
    assert _labels(missing=1.0, reach=0.0).end == {"mode-collapse"}


@pytest.mark.parametrize(
    ("optimizer", "moves"),
    [
        ({"name": "adam", "lr": 1e-12}, False),
        ({"name": "adam", "lr": 1e-4}, True),
        ({"name": "sgd", "lr": 1e-2, "momentum": 0.9}, True),
    ],
)
def test_how_far_an_optimizer_can_take_g_is_measured_whatever_the_rate_has_decayed_to(
    make_trial, run_here, optimizer, moves
):
    conv = {"name": "conv", "width": 8}
    trial = make_trial(
        {"loss": "minimax", "generator": conv, "discriminator": conv, "optimizer_g": optimizer, "lr_decay": "cosine"},
        datasets={"shapes": {"dataset": {"name": "shapes", "size": 200, "held_out": 200}}},
        metrics=["ground-truth"],
        diagnoses=[],
        at=(1.0,),
        samples=100,
        steps=20,
        batch_size=16,
    )
    reach = [s.value for s in run_here(trial).scores if s.metric == "ground-truth.reach"]
    assert len(reach) == 1
    assert (reach[0] >= 0.1) == moves
