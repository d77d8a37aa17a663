"""Signals and probes read what their definitions say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from ganbench import Batch, DataSpec, RequestError
from ganbench.contract.records import ComponentRef, Evaluation, Training
from ganbench.observation.observer import Motion, Observer
from ganbench.observation.probe_features import choose_embedding
from ganbench.observation.probes import PROBES, ProbeBatch
from ganbench.observation.signals import SIGNALS, SignalBatch, auc, literature_signals, textbook_signals
from ganbench.registry.registry import load_registry
from ganbench.training.data import DeviceDataset
from ganbench.training.schedule import Schedule
from ganbench.training.view import RunView


class Shifted(nn.Module):
    """G that makes standard normal points about `centre`."""

    latent_dim = 2

    def __init__(self, centre: float) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.full((2,), centre))

    def forward(self, z, labels=None):
        return z + self.centre


class Sum(nn.Module):
    """D that finds large coordinates real."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x, labels=None):
        return self.slope * x.sum(1)


def pools(spec: DataSpec, *samples: torch.Tensor) -> list[DeviceDataset]:
    return [DeviceDataset(Batch(x), spec, torch.device("cpu")) for x in samples]


def view(
    centre: float = 0.0,
    slope: float = 1.0,
    loss: str = "non-saturating",
    reals: torch.Tensor | None = None,
    training: torch.Tensor | None = None,
) -> RunView:
    g = torch.Generator().manual_seed(0)
    real = torch.randn(4000, 2, generator=g) if reals is None else reals
    held_out = torch.randn(4000, 2, generator=g) if reals is None else reals
    made = load_registry().build("loss", ComponentRef(loss))
    spec = DataSpec("points", (2,))
    seen = real if training is None else training
    return RunView(Shifted(centre), Sum(slope), made, *pools(spec, seen, held_out), spec, seed=1, steps=100)


def glance(name: str, **kind: object) -> float:
    whole = view(**kind)
    whole.set_budget(100_000, choose_embedding((2,)))
    with whole.at(10) as here:
        return float(SIGNALS[name](SignalBatch(here)))


def probe(name: str, **kind: object) -> tuple[float, float]:
    whole = view(**kind)
    whole.set_budget(
        100_000, choose_embedding((2,))
    )  # of a run of small networks: probes may take all that they can use
    with whole.at(10) as here:
        return tuple(
            float(PROBES[name](ProbeBatch(here, choose_embedding(here.data.shape), floor=floor)))
            for floor in (False, True)
        )


def test_auc_counts_pairs_with_ties_half():
    assert auc(torch.tensor([1.0, 2.0]), torch.tensor([0.0])) == 1
    assert auc(torch.tensor([1.0]), torch.tensor([1.0])) == 0.5
    assert auc(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0])) == 0.5


def test_auc_d_is_a_half_for_a_perfect_generator_and_one_for_a_distant_one():
    assert glance("auc_d", centre=0.0) == pytest.approx(0.5, abs=0.06)
    assert glance("auc_d", centre=-9.0) == 1.0
    assert glance("auc_d", centre=-1.0) == pytest.approx(0.5 * (1 + math.erf(1 / math.sqrt(2))), abs=0.06)


def test_the_textbooks_value_is_minus_log_4_at_equilibrium_and_0_for_a_perfect_d():
    with view(slope=0.0).at(1) as here:
        row = textbook_signals(SignalBatch(here))
    assert float(row["value"]) == pytest.approx(-math.log(4))
    assert float(row["d_real"]) == float(row["d_fake"]) == 0.5
    with view(centre=-40.0, slope=20.0, reals=torch.full((100, 2), 40.0)).at(1) as here:
        assert float(textbook_signals(SignalBatch(here))["value"]) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic"])
def test_probabilities_do_not_depend_on_a_shift_that_the_loss_ignores(loss):
    with view(loss=loss).at(1) as here:
        logits = torch.randn(50), torch.randn(50)
        plain, moved = here.probabilities(*logits), here.probabilities(logits[0] + 9, logits[1] + 9)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, moved, strict=True))


def test_the_input_gradient_is_per_sample_and_vanishes_where_a_saturating_d_is_sure():
    # d/dx of softplus(-s(x1 + x2)) at D(G(z)) near 0 is s in each coordinate.
    steep = glance("input_gradient", centre=-20.0, slope=2.0)
    std = view().data_std
    assert steep == pytest.approx(2.0 * math.sqrt(2) / std, rel=1e-3)
    assert glance("input_gradient", centre=-20.0, slope=2.0, loss="minimax") < 1e-6


def test_what_rules_of_the_literature_read_follows_its_definition():
    training = 2.0 + 0.1 * torch.randn(400, 2, generator=torch.Generator().manual_seed(2))
    whole = view(centre=-4.0, slope=0.5, training=training)
    with whole.at(1) as here:
        of_a_monitor = literature_signals(SignalBatch(here))
        here.game = object()
        row = literature_signals(SignalBatch(here))
    assert "steepness" not in of_a_monitor  # its noise is not known
    assert float(row["sign_d"]) == 1.0
    assert float(row["mean_logit_train"]) == pytest.approx(2.0, abs=0.05)
    assert float(row["mean_logit_fake"]) == pytest.approx(-4.0, abs=0.3)
    assert float(row["mean_logit_held_out"]) == pytest.approx(0.0, abs=0.3)
    assert float(row["steepness"]) == pytest.approx(1 / float(whole.data_std), rel=1e-3)  # G shifts its noise


def test_a_fresh_critic_sees_what_a_blind_d_does_not():
    fresh, floor = probe("fresh_critic_auc", centre=-3.0, slope=0.0)
    known, _ = probe("known_critic_auc", centre=-3.0, slope=0.0)
    assert fresh > 0.98 and known == 0.5
    assert floor == pytest.approx(0.5, abs=0.06)


def test_coverage_falls_with_what_is_not_reached():
    g = torch.Generator().manual_seed(3)
    two = torch.randn(4000, 2, generator=g)
    two[::2] += 100.0
    covered, floor = probe("coverage", reals=two)
    assert covered == pytest.approx(0.5, abs=0.06)
    assert floor > 0.99


def test_floors_are_what_the_best_g_would_reach_whatever_the_training_data_lack():
    two = torch.randn(4000, 2, generator=torch.Generator().manual_seed(3))
    two[::2] += 100.0
    half = two[1::2]
    assert probe("coverage", reals=two, training=half) == pytest.approx((0.5, 1.0), abs=0.06)
    assert probe("fresh_critic_auc", reals=two, training=half)[1] == pytest.approx(0.5, abs=0.06)


def test_looking_leaves_buffers_gradients_modes_and_streams_alone():
    torch.manual_seed(5)
    g, d = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2)), Sum(1.0)
    g.latent_dim = 2
    g[2].eval()
    points = torch.randn(100, 2)
    wrapped = type("G", (nn.Module,), {"latent_dim": 2, "forward": lambda self, z, labels=None: self.net(z)})()
    wrapped.net = g
    loss = load_registry().build("loss", ComponentRef("hinge"))
    spec = DataSpec("points", (2,))
    here = RunView(wrapped, d, loss, *pools(spec, points, points), spec, seed=0, steps=10)
    diagnoses = {e.name: e.build() for e in load_registry().entries("diagnosis")}
    before = {name: t.clone() for name, t in wrapped.state_dict().items()}
    stream = torch.get_rng_state()
    Observer(here, diagnoses).observe(1, torch.zeros(()), torch.zeros(()), probe=True)
    assert all(torch.equal(t, before[name]) for name, t in wrapped.state_dict().items())
    assert torch.equal(stream, torch.get_rng_state())
    assert all(p.grad is None for p in [*wrapped.parameters(), *d.parameters()])
    assert wrapped.training and not g[2].training


def test_only_the_textbook_is_measured_where_nobody_diagnoses_and_only_probes_that_are_asked_for():
    textbook_alone = {"step", "loss_d", "loss_g", "d_real", "d_fake", "value", "logit_max"}
    assert set(Observer(view(), {}).observe(3, torch.zeros(()), torch.zeros(()), probe=True)) == textbook_alone
    asks = type("Asks", (), {"probes": ("coverage",), "observe": lambda self, view: {"seen": view.step}})()
    row = Observer(view(), {"mine": asks}).observe(3, torch.zeros(()), torch.zeros(()), probe=True)
    assert row["mine.seen"] == 3
    assert {"auc_d", "auc_d_train", "input_gradient", "motion_speed", "weight_norm_d", "coverage"} <= set(row)
    assert "fresh_critic_auc" not in row
    with pytest.raises(RequestError, match=r"asks for the probe 'covrage'; did you mean 'coverage'\?"):
        Observer(view(), {"mine": type("Asks", (), {"probes": ("covrage",)})()})


def test_motion_tells_standing_still_from_going_on_and_from_going_back_and_forth():
    def follow(*centres: float) -> dict[str, float]:
        here, motion = view(), Motion()
        for step, centre in enumerate(centres):
            with torch.no_grad():
                here._generator.centre.fill_(centre)
            with here.at(step):
                row = motion.measure(here.fixed(64), here.data_std)
        return {name: float(value) for name, value in row.items()}

    apart = view().data_std * 2  # the distance of two real points
    onward, there_and_back = follow(0.0, 1.0, 2.0, 3.0), follow(0.0, 1.0, 0.0, 1.0, 0.0)
    assert onward["motion_speed"] == pytest.approx(math.sqrt(2) / apart, rel=1e-5)
    assert onward["motion_turn"] == pytest.approx(1) and onward["motion_progress"] == pytest.approx(1)
    assert there_and_back["motion_turn"] == pytest.approx(-1) and there_and_back["motion_progress"] == pytest.approx(0)
    assert follow(1.0, 1.0)["motion_speed"] == 0 and math.isnan(follow(1.0)["motion_speed"])


def test_an_average_that_stands_still_is_told_from_a_g_that_goes_back_and_forth():
    here = view().of(Shifted(0.0), Sum(1.0), Shifted(0.5))
    observer = Observer(here, {"mine": type("Asks", (), {"diagnose": lambda self, history: ()})()})
    for step in range(6):
        with torch.no_grad():
            here._generator.centre.fill_(step % 2)
        row = observer.observe(step, torch.zeros(()), torch.zeros(()), probe=False)
    assert row["motion_speed"] > 0.5 and row["average_speed"] == 0
    plain = Observer(view(), {"mine": type("Asks", (), {"diagnose": lambda self, history: ()})()})
    assert "average_speed" not in plain.observe(1, torch.zeros(()), torch.zeros(()), probe=False)


def test_probes_stand_on_their_rows_and_floors_beside_them():
    observer = Observer(view(), {e.name: e.build() for e in load_registry().entries("diagnosis")})
    for step, probed in ((10, False), (20, True), (30, True)):
        observer.observe(step, torch.zeros(()), torch.zeros(()), probe=probed)
    columns = observer.history().columns
    assert list(columns["step"]) == [10, 20, 30]
    assert list(np.isnan(columns["coverage"])) == [True, False, False]
    assert columns["coverage_floor"][1] == columns["coverage_floor"][2]


@pytest.mark.parametrize("steps", [1, 7, 60, 200, 3000, 100_000])
def test_schedules_end_with_the_budget_and_probe_only_where_they_observe(steps):
    adam = ComponentRef("adam")
    schedule = Schedule.of(Training(steps, 8, adam, adam), Evaluation((), at=(0.25, 1.0)))
    assert max(schedule.observe) == max(schedule.probe) == max(schedule.evaluate) == schedule.stops[-1] == steps
    assert schedule.probe <= schedule.observe
    assert min(schedule.stops) >= 1 and len(schedule.observe) <= 112


class Repeated(nn.Module):
    """G that makes pictures of one colour."""

    latent_dim = 3

    def forward(self, z, labels=None):
        return z[:, :, None, None].expand(-1, 3, 64, 64)


class Brightness(nn.Module):
    """D that finds bright pictures real."""

    def forward(self, x, labels=None):
        return x.mean(dim=(1, 2, 3))


def picture_view() -> RunView:
    spec = DataSpec("images", (3, 64, 64), value_range=(-1.0, 1.0))
    made = load_registry().build("loss", ComponentRef("non-saturating"))
    real = torch.rand(300, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return RunView(Repeated(), Brightness(), made, *pools(spec, real, real), spec, seed=1, steps=100)


def test_large_pictures_are_probed_on_few_features_and_a_few_at_a_time(monkeypatch):
    sizes = []
    take = DeviceDataset.take
    monkeypatch.setattr(DeviceDataset, "take", lambda self, rows: sizes.append(len(rows)) or take(self, rows))
    with picture_view().at(10) as here:
        batch = ProbeBatch(here, choose_embedding((3, 64, 64)), floor=True)
        values = {name: float(PROBES[name](batch)) for name in PROBES}
    assert batch.real.features.shape == (75, 128) and all(math.isfinite(value) for value in values.values())
    assert max(sizes) * 3 * 64 * 64 <= 2**21 and sum(sizes) >= 300
    assert batch.real.layout.shape == (75, 3 * 9 * 9)
    everything = torch.cat([batch.real.features, batch.more_real.features, batch.all_fake.features])
    assert torch.pdist(everything).min() > 0  # of one draw: no sample is its own floor


def test_regions_are_searched_in_pictures_alone():
    for name in ("missing_region", "missing_region_deviation"):
        assert all(math.isnan(value) for value in probe(name))


def test_pictures_of_one_colour_miss_a_region_that_other_pictures_do_not():
    with picture_view().at(10) as here:
        embed = choose_embedding((3, 64, 64))
        floor, made = (
            float(PROBES["missing_region_deviation"](ProbeBatch(here, embed, floor=f))) for f in (True, False)
        )
    assert floor < 4 < made


def test_regions_that_earlier_samples_reached_are_not_missed():
    with picture_view().at(10) as here:
        embed = choose_embedding((3, 64, 64))
        real = ProbeBatch(here, embed, floor=True)
        alone = ProbeBatch(here, embed, floor=False)
        pooled = ProbeBatch(here, embed, floor=False, earlier=[real.all_fake.layout] * 8)
        assert len(alone.layout_of_fakes) >= len(alone.all_fake)
        assert float(pooled.missing_region[0]) < float(alone.missing_region[0]) / 2


def test_pictures_of_the_last_probes_are_kept_with_the_state_of_the_observer():
    collapse = {"mode-collapse": load_registry().build("diagnosis", ComponentRef("mode-collapse"))}
    loss = torch.zeros(())
    whole = picture_view()
    seen, resumed = Observer(whole, collapse), Observer(whole, collapse)
    for step in (10, 20, 30):
        seen.observe(step, loss, loss, probe=True)
    state = seen.state_dict()
    assert len(state["earlier"]) == 2  # of three probes that are searched together, with the next
    resumed.load_state_dict(state)
    rows = [observer.observe(40, loss, loss, probe=True) for observer in (seen, resumed)]
    assert rows[0]["missing_region_deviation"] == rows[1]["missing_region_deviation"] > 4


def test_pictures_of_one_colour_are_seen_by_a_fresh_critic():
    with picture_view().at(10) as here:
        embed = choose_embedding((3, 64, 64))
        floor, made = (float(PROBES["fresh_critic_auc"](ProbeBatch(here, embed, floor=f))) for f in (True, False))
    assert floor == pytest.approx(0.5, abs=0.15) and made > 0.95


def test_paths_of_large_samples_follow_a_choice_of_their_values():
    whole = picture_view()
    motion = Motion()
    rows = []
    for step in (10, 20):
        with whole.at(step) as here:
            rows.append(motion.measure(here.fixed(8), here.data_std))
    assert float(rows[1]["motion_speed"]) == 0.0  # G did not change
