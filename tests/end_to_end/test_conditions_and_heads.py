"""Plugins whose discriminators return maps, heads and features, and whose generators answer conditions, in whole trials."""

from __future__ import annotations

import numpy as np
import pytest

import ganbench
from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

PAIRS = '''
import ganbench, torch
from torch import nn


class Pairs(ganbench.Dataset):
    """Points to be made from their conditions: half as large, turned, and with a little noise."""

    spec = ganbench.DataSpec("points", (4,), condition=(1, 4))

    def __init__(self, *, shape: int = 4, noise: float = 0.05):
        self._shape, self._noise = shape, noise

    def _part(self, n, seed):
        stream = torch.Generator().manual_seed(seed)
        c = torch.randn(n, 1, self._shape, generator=stream)
        x = 0.5 * c[:, 0, :4].flip(1) + self._noise * torch.randn(n, 4, generator=stream)
        return ganbench.Batch(x, condition=c)

    def training(self):
        return self._part(2000, 0)

    def held_out(self):
        return self._part(600, 1)


class Answer(nn.Module):
    """A generator without noise: what it makes depends on the condition alone, or on nothing."""

    check_data = (Pairs.spec,)

    def __init__(self, data, *, latent: int = 0, listens: bool = True):
        super().__init__()
        self.latent_dim = latent and (latent, 2)
        self.listens = listens
        self.net = nn.Sequential(nn.Linear(4 + 2 * latent, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, z, labels=None, condition=None):
        assert z.shape[1:] == ((0,) if self.latent_dim == 0 else self.latent_dim)
        given = condition.flatten(1) if self.listens else torch.zeros(len(z), 4, device=z.device)
        return self.net(torch.cat([given, z.flatten(1)], 1))


class PairCritic(nn.Module):
    """A discriminator with a head for each of `heads` looks at the sample beside its condition."""

    check_data = (Pairs.spec,)

    def __init__(self, data, *, heads: int = 2, combine: str = "mean", sees: bool = True):
        super().__init__()
        self.combine, self.sees = combine, sees
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1 + 2 * (i % 2))) for i in range(heads)
        )

    def forward(self, x, labels=None, *, condition=None):
        given = condition.flatten(1) if self.sees else torch.zeros_like(x)
        logits = [net(torch.cat([x, given], 1)) for net in self.nets]
        return {"logits": [logits[0].squeeze(1), *logits[1:]] if len(logits) > 1 else logits[0], "features": [x]}


@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("pairs", Pairs)


@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("answer", Answer)


@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("pair-critic", PairCritic)
'''


def test_they_keep_the_contract(pairs):
    for candidate in select_candidates([pairs[0]]):
        outcomes = list(run_checks(candidate))
        assert [f"{o.check}: {o.message}" for o in outcomes if o.status == "failed"] == [], candidate.id


METHOD = {"generator": "answer", "discriminator": "pair-critic", "loss": "hinge"}
SETTINGS = {"datasets": ["pairs"], "metrics": ["energy-distance"], "steps": 300, "batch_size": 64, "observations": 20}


@pytest.fixture
def pairs(plugin_file):
    return plugin_file(PAIRS)


def adam(lr):
    return {"name": "adam", "lr": lr, "betas": [0.5, 0.9]}


@pytest.mark.parametrize("more", [{}, {"accumulate": 2}, {"precision": "bf16"}], ids=["plain", "accumulate", "bf16"])
def test_a_generator_without_noise_learns_from_several_heads(make_trial, run_here, pairs, more):
    method = {**METHOD, "discriminator": {"name": "pair-critic", "heads": 3, "combine": "sum"}, "regularizers": ["r1"]}
    result = run_here(make_trial(method, files=pairs, **SETTINGS, optimizer=adam(2e-3), **more))
    assert result.status == "done", result.reason
    columns = result.artifacts.history.columns
    assert {"auc_d_head_1", "auc_d_head_2", "auc_d_head_3"} <= set(columns)
    (score,) = (s for s in result.scores if s.step == 300)
    assert score.n_real == score.n_fake == 200 and score.value < 0.1
    assert columns["ignored-condition.gain"][-1] > 0.5
    assert "ignored-condition.diversity" not in columns
    assert set(result.left_out) == {"mode-collapse"}
    assert "no noise" in result.left_out["mode-collapse"]
    assert not any(f.severity == "failure" for f in result.findings), result.findings


def test_a_generator_that_ignores_its_condition_is_named(make_trial, run_here, pairs):
    deaf = {**METHOD, "generator": {"name": "answer", "latent": 2, "listens": False}}
    result = run_here(make_trial(deaf, files=pairs, **SETTINGS, optimizer=adam(2e-3)))
    assert result.status == "done", result.reason
    assert "ignored-condition" in result.verdicts
    (found,) = (f for f in result.findings if f.diagnosis == "ignored-condition")
    assert "moves samples by 0% of the distance" in found.summary and found.confidence > 0.9
    assert found.evidence["diversity"].value > 0.2  # its noise is heard


def test_a_discriminator_that_does_not_see_the_condition_teaches_g_to_ignore_it(make_trial, run_here, pairs):
    method = {
        **METHOD,
        "generator": {"name": "answer", "latent": 4},
        "discriminator": {"name": "pair-critic", "sees": False, "heads": 1},
    }
    result = run_here(make_trial(method, files=pairs, **SETTINGS, optimizer=adam(2e-3)))
    assert "ignored-condition" in result.verdicts, result.artifacts.history.columns["ignored-condition.gain"]
    assert "mode-collapse" not in result.left_out  # it has noise


def test_a_run_with_conditions_is_the_same_again(make_trial, run_here, pairs):
    trial = make_trial(METHOD, files=pairs, ema=0.9, **{**SETTINGS, "steps": 40})
    first, second = run_here(trial), run_here(trial)
    assert first.status == "done", first.reason
    for name, column in first.artifacts.history.columns.items():
        np.testing.assert_array_equal(column, second.artifacts.history.columns[name])
    silent = run_here(make_trial(METHOD, files=pairs, ema=0.9, diagnoses=[], **{**SETTINGS, "steps": 40}))
    for name, weight in silent.artifacts.weights.items():
        np.testing.assert_array_equal(weight, first.artifacts.weights[name])


HEADS = """
import ganbench, torch
from torch import nn


class Eight(nn.Module):
    \"\"\"Eight heads, of which the fifth sees all of a sample and the others blurred numbers of it.\"\"\"

    def __init__(self, data):
        super().__init__()
        self.sharp = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
        self.blurred = nn.ModuleList(nn.Linear(1, 1) for _ in range(7))

    def forward(self, x, labels=None):
        heads = [net(x[:, :1] + torch.randn_like(x[:, :1])).squeeze(1) for net in self.blurred]
        return [*heads[:4], self.sharp(4 * x).squeeze(1), *heads[4:]]


@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("eight", Eight)
"""


def test_one_head_of_eight_that_is_too_strong_is_named(tmp_path, monkeypatch, plugin_file):
    """In a suite run, as a user would see it."""
    plugin_file(HEADS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heads.toml").write_text("""
datasets = ["ring"]
metrics = ["modes"]
seeds = 1
executor = "inline"
reports = ["csv"]
diagnoses = ["overpowering-discriminator"]
[training]
steps = 150
batch_size = 64
observations = 15
[evaluation]
samples = 200
[methods.slow]
generator = { name = "mlp", width = 32 }
discriminator = "eight"
loss = "non-saturating"
optimizer_g = { name = "adam", lr = 1e-6 }
optimizer_d = { name = "adam", lr = 2e-3 }
""")
    comparison = ganbench.run(tmp_path / "heads.toml", output=tmp_path / "out")
    found = comparison.findings[comparison.findings["diagnosis"] == "overpowering-discriminator"]
    assert len(found), comparison.findings
    assert found["summary"].str.contains("Head 5 of 8 is hardly ever wrong").all(), list(found["summary"])
    assert found["evidence"].str.contains("auc_d_head_5").all()


BAD = (
    PAIRS
    + '''

class MoreForG(PairCritic):
    """One head more for what a generator made."""
    def forward(self, x, labels=None, *, condition=None):
        logits = super().forward(x, labels, condition=condition)["logits"]
        return logits[:2] if float(x.abs().max()) < 0.7 else logits


class NoLogits(PairCritic):
    """Features alone."""
    def forward(self, x, labels=None, *, condition=None):
        return {"features": x}


class OneHeadShort(PairCritic):
    """A head with a row too few."""
    def forward(self, x, labels=None, *, condition=None):
        logits = super().forward(x, labels, condition=condition)["logits"]
        return [logits[0], logits[1][1:]]


class OtherConditions(Pairs):
    """Conditions of another shape than it states."""
    def training(self):
        batch = super().training()
        return ganbench.Batch(batch.x, condition=batch.condition[..., :3])


class EmptyLoader(Pairs):
    """A loader that is used up at once."""
    def training_loader(self, batch_size, seed):
        return iter(())


@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("pair-critic", PairCritic)
    for build in PairCritic.__subclasses__():
        yield ganbench.Component(build.__name__, build)


@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("pairs", Pairs)
    for build in Pairs.__subclasses__():
        yield ganbench.Component(build.__name__, build)
'''
)


@pytest.mark.parametrize(
    ("dataset", "discriminator", "said"),
    [
        (
            "pairs",
            {"name": "MoreForG", "heads": 3},
            "discriminator 'MoreForG' returns 3 heads for real samples and 2 for generated ones",
        ),
        ("pairs", "NoLogits", "discriminator 'NoLogits' returns a mapping of 'features', without 'logits'"),
        ("pairs", "OneHeadShort", "discriminator 'OneHeadShort' returns (7, 3) of float32 as head 2 of 2, and (8,) or"),
        ("pairs", {"name": "pair-critic", "combine": "most"}, "combine is 'mean' or 'sum', not 'most'"),
        (
            "OtherConditions",
            "pair-critic",
            "data set 'OtherConditions': training part: its conditions are (2000, 1, 3) for 2000 samples",
        ),
        (
            "EmptyLoader",
            "pair-critic",
            "data set 'EmptyLoader': its training_loader ends without a batch of 64 samples",
        ),
    ],
)
def test_what_cannot_be_trained_is_named_before_anything_is(
    make_trial, run_here, plugin_file, dataset, discriminator, said
):
    method = {**METHOD, "discriminator": discriminator}
    trial = make_trial(method, files=plugin_file(BAD), **{**SETTINGS, "datasets": [dataset]})
    result = run_here(trial)
    assert (result.status, result.steps) == ("error", 0)
    assert said in result.reason
    assert "\n" not in result.reason
