"""Scores of a run: which samples are compared, when, in which features, and what is left out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from small_suites import MLP, suite_table, trials_of

import ganbench
from ganbench.evaluation.evaluator import Evaluator, MetricEntry
from ganbench.training.data import DeviceDataset

SPEC = ganbench.DataSpec("points", (3,))


class Double(ganbench.Features):
    """Features that count how often they are asked."""

    dim, preprocessing, expensive = 3, "times two", True
    taps = {"first": 1}

    def __init__(self):
        self.samples = 0

    def __call__(self, samples, tap=""):
        self.samples += len(samples)
        return 2 * samples[:, :1] if tap else 2 * samples


class Gap(ganbench.Metric):
    """Distance of means, in features where given."""

    better = "lower"

    def __init__(self, features=None, **attributes):
        self.features = features
        vars(self).update(attributes)

    def score(self, samples):
        means = [samples.embed(part, self.features).mean(0) for part in ("fake", "real")]
        return {"": (means[0] - means[1]).norm().item()}


def evaluator(metrics, n=50, training=400, held_out=100, **given):
    random = torch.Generator().manual_seed(3)
    parts = [
        DeviceDataset(ganbench.Batch(torch.randn(size, 3, generator=random)), SPEC, torch.device("cpu"))
        for size in (training, held_out)
    ]
    entries = {label: MetricEntry(metric, "double" if metric.features else "") for label, metric in metrics.items()}
    return Evaluator(entries, SPEC, *parts, None, n, seed=0, **given)


def generate(n):
    return ganbench.Batch(torch.ones(n, 3))


def test_samples_and_features_are_made_once_for_all_metrics():
    features, made = Double(), []
    run = evaluator({"a": Gap(features), "b": Gap(features)})
    scores = run.score(10, lambda n: made.append(n) or generate(n), None)
    assert [score.metric for score in scores] == ["a", "b"] and scores[0].value == scores[1].value
    assert made == [50]
    assert features.samples == 150  # generated, real and the floor's: once each
    run.score(20, generate, None)
    assert features.samples == 200  # only what is generated is new


def test_expensive_metrics_are_scored_when_they_are_due_and_once_a_step():
    features = Double()
    run = evaluator({"cheap": Gap(), "dear": Gap(features), "forced": Gap(features, expensive=False)})
    assert [score.metric for score in run.score(5, generate, None, expensive=False)] == ["cheap", "forced"]
    assert [score.metric for score in run.score(10, generate, None, cheap=False)] == ["dear"]
    assert [score.metric for score in run.score(10, generate, None)] == ["cheap", "forced"]
    assert run.score(10, generate, None) == []


def test_a_score_says_its_floor_counts_features_and_the_geometry_of_the_reference():
    plain, featured = evaluator({"plain": Gap(), "featured": Gap(Double())}).score(10, generate, None)
    assert (plain.n_real, plain.n_fake, plain.features) == (50, 50, "") and math.isnan(plain.reference_rank)
    assert featured.features == "double" and 0 < featured.floor < featured.value
    assert 2.5 < featured.reference_rank < 3  # the reals vary alike in all three directions
    assert math.isfinite(featured.reference_log_distance)


def test_an_estimate_is_a_score_with_its_interval_and_its_space():
    class Sure(ganbench.Metric):
        better = {"a": "higher", "b": "lower"}

        def score(self, samples):
            return {"a": ganbench.Estimate(1.0, 0.5, 1.5), "b": ganbench.Estimate(2.0, biased=True, space="tap 1")}

    first, second = evaluator({"sure": Sure()}).score(10, generate, None)
    assert (first.metric, first.value, first.low, first.high, first.biased) == ("sure.a", 1.0, 0.5, 1.5, False)
    assert (second.metric, second.biased, second.features) == ("sure.b", True, "tap 1") and math.isnan(second.low)


def test_a_metric_gets_the_samples_that_it_states():
    asked = []
    run = evaluator({"own": Gap(n_samples=80), "training": Gap(reference="training", n_samples=100)})
    own, training = run.score(10, lambda n: asked.append(n) or generate(n), None)
    assert asked == [80, 100]
    assert (own.n_real, own.n_fake) == (80, 80)
    assert (training.n_real, training.n_fake) == (100, 100) and math.isfinite(training.floor)


def test_a_metric_of_novelty_gets_training_samples_and_the_floor_of_held_out_ones():
    class Nearest(ganbench.Metric):
        better, needs_training = "higher", True

        def score(self, samples):
            distances = torch.cdist(samples.embed("fake", None), samples.embed("training", None))
            return {"": distances.min(dim=1).values.mean().item()}

    training = torch.randn(400, 3, generator=torch.Generator().manual_seed(3))
    (score,) = evaluator({"novelty": Nearest()}).score(10, lambda n: ganbench.Batch(training[:n]), None)
    assert score.value < 1e-3 < score.floor  # copies of training data, and new samples


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        (Gap(min_samples=200), "it needs at least 200 held-out samples, and the data has 50"),
        (Gap(min_samples=60, n_samples=55), "it needs at least 60 held-out samples, and the data has 55"),
        (Gap(n_samples=101), "it needs 101 held-out samples, and the data has 100"),
        (Gap(n_samples=500, reference="training"), "it needs 500 training samples, and the data has 400"),
    ],
)
def test_too_few_samples_leave_a_metric_out_with_the_number_that_it_needs(metric, said):
    run = evaluator({"gap": metric, "fine": Gap()})
    assert run.left_out == {"gap": said}
    assert [score.metric for score in run.score(10, generate, None)] == ["fine"]


def test_a_metric_that_cannot_score_is_left_out_with_its_reason():
    class Refusing(ganbench.Metric):
        better = "lower"

        def score(self, samples):
            raise ganbench.CannotScore("all samples are equal")

    run = evaluator({"refusing": Refusing(), "fine": Gap()})
    assert [score.metric for score in run.score(10, generate, None)] == ["fine"]
    assert run.left_out == {"refusing": "all samples are equal"}


def test_features_of_a_wrong_shape_are_named():
    class Flat(Double):
        dim = 7

    run = evaluator({"gap": Gap(Flat())})
    assert run.score(10, generate, None) == []
    assert run.left_out == {"gap": "Flat returns (50, 3) of float32, and (50, 7) of float32 is expected"}


FEW = """
import torch, ganbench

class Few(ganbench.Dataset):
    def __init__(self, *, size: int):
        self.size, self.spec = size, ganbench.DataSpec("points", (4,))
    def training(self):
        return ganbench.Batch(torch.randn(4 * self.size, 4, generator=torch.Generator().manual_seed(1)))
    def held_out(self):
        return ganbench.Batch(torch.randn(self.size, 4, generator=torch.Generator().manual_seed(2)))

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("few-rows", Few)
"""


@pytest.mark.parametrize("size", [1, 2, 7, 31])
def test_data_with_few_held_out_samples_trains_and_is_not_called_healthy(tmp_path: Path, size):
    plugin = tmp_path / "ganbench_plugins.py"
    plugin.write_text(FEW)
    table = suite_table(
        datasets={"few": {"dataset": {"name": "few-rows", "size": size}}},
        metrics=["energy-distance", "sliced-wasserstein"],
        methods={"ns": {"loss": "non-saturating", **MLP}},
    )
    (trial,) = trials_of(table, (str(plugin),))
    result = ganbench.run_trial(trial)
    assert result.status is ganbench.Status.DONE, result.reason
    assert result.verdicts and "no-failure-found" not in result.verdicts
    assert result.left_out["probes"] == f"the data has {size} held-out samples, and they need at least 32"
    assert {score.metric for score in result.scores} >= ({"energy-distance"} if size > 1 else set())


def test_a_snapshot_of_each_evaluation_is_kept_and_survives_a_checkpoint():
    scorer = evaluator({"gap": Gap()})
    for step in (5, 10):
        scorer.score(step, lambda n, step=step: ganbench.Batch(torch.full((n, 3), float(step))), None)
    assert {step: samples.unique().tolist() for step, samples in scorer.snapshots.items()} == {5: [5.0], 10: [10.0]}
    again = evaluator({"gap": Gap()})
    again.load_state_dict(scorer.state_dict())
    assert all(torch.equal(again.snapshots[step], samples) for step, samples in scorer.snapshots.items())


def test_the_nearest_training_samples_are_found():
    scorer = evaluator({"gap": Gap()})
    training = scorer._training.take(torch.arange(400)).x
    wanted = training[[7, 390, 7]]
    assert torch.equal(scorer.find_nearest(wanted + 1e-4), wanted)
    assert scorer.find_nearest(torch.full((30, 3), torch.nan)).shape == (8, 3)


def test_samples_are_made_under_the_conditions_of_their_floor_and_compared_with_the_others():
    spec = ganbench.DataSpec("points", (3,), condition=(1,))
    parts = []
    for size in (400, 101):
        condition = torch.arange(size).float()[:, None]
        batch = ganbench.Batch(condition.expand(-1, 3), condition=condition)
        parts.append(DeviceDataset(batch, spec, torch.device("cpu")))
    seen = []

    class Paired(ganbench.Metric):
        better = "lower"

        def score(self, samples):
            seen.append(samples)
            return {"": (samples.fake - samples.paired).norm(dim=1).mean().item()}

    run = Evaluator({"paired": MetricEntry(Paired())}, spec, *parts, None, 80, seed=0)
    assert run.n_fake == 50  # the other half is compared with

    def answer(n):
        given = run.given(n)
        return ganbench.Batch(given.condition.expand(-1, 3) + 1, condition=given.condition, z=torch.zeros(n, 0))

    (score,) = run.score(10, answer, None)
    assert score.value == pytest.approx(3**0.5) and score.floor == 0
    of_fake, of_floor = seen
    assert torch.equal(of_fake.condition.expand(-1, 3), of_fake.paired) and of_fake.z.shape == (50, 0)
    assert torch.equal(of_floor.fake, of_fake.paired) and torch.equal(of_floor.condition, of_fake.condition)
    assert not set(of_fake.real[:, 0].tolist()) & set(of_fake.paired[:, 0].tolist())
    assert score.n_real == 51


def test_a_metric_that_needs_more_conditions_than_there_are_is_left_out():
    spec = ganbench.DataSpec("points", (3,), condition=(1,))
    batch = ganbench.Batch(torch.randn(100, 3), condition=torch.randn(100, 1))
    data = DeviceDataset(batch, spec, torch.device("cpu"))
    run = Evaluator({"own": MetricEntry(Gap(n_samples=60, reference="training"))}, spec, data, data, None, 40, seed=0)
    assert run.left_out == {"own": "it needs 60 held-out conditions, and the data has 50 to generate under"}
