"""Misspelt members are named, with the member that is meant; other names of a component's own are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

OPTIONAL, REQUIRED = "members-are-spelt-right", "has-required-members"

BODIES = {
    "loss": """
    def discriminator(self, d, real, fake):
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d, real, fake):
        return F.softplus(-d(fake)).mean()
""",
    "regularizer": """
    def penalty(self, d, real, fake):
        return ganbench.input_gradient(d, real).flatten(1).square().sum(1).mean()
""",
    "dataset": """
    spec = ganbench.DataSpec("points", (2,))

    def training(self):
        return ganbench.Batch(torch.randn(200, 2, generator=torch.Generator().manual_seed(1)))

    def held_out(self):
        return ganbench.Batch(torch.randn(200, 2, generator=torch.Generator().manual_seed(2)))
""",
    "metric": """
    better = "lower"

    def score(self, samples):
        return {"gap": float((samples.fake.flatten(1).std(0) - samples.real.flatten(1).std(0)).abs().mean())}
""",
    "diagnosis": """
    loud_on = "mode-collapse"

    def diagnose(self, history):
        return []
""",
    "report": """
    def write(self, comparison, folder):
        (folder / "empty.txt").write_text("", encoding="utf-8")
        return [folder / "empty.txt"]
""",
    "executor": """
    expected_failures = {"survives-a-trial-that-dies": "runs trials in the calling process"}

    def run(self, trials, emit):
        for trial in trials:
            yield ganbench.run_trial(trial, emit, threads=1)
""",
    "generator": """
    def __init__(self, data, *, width: int = 4):
        super().__init__()
        self.latent_dim = 3
        self.shape, self.range = data.shape, data.value_range
        self.net = nn.Linear(3, math.prod(data.shape))

    def forward(self, z, labels=None):
        x = self.net(z).view(-1, *self.shape)
        return x if self.range is None else torch.tanh(x).clamp(*self.range)
""",
    "discriminator": """
    def __init__(self, data, *, width: int = 4):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(data.shape), 4), nn.Softplus(), nn.Linear(4, 1))

    def forward(self, x, labels=None):
        return self.net(x).squeeze(1)
""",
}
PLUGIN = '''
import math

import torch
import torch.nn.functional as F
from torch import nn

import ganbench


class Mine({base}):
    """A component under check."""
{body}
{more}


@ganbench.hookimpl
def ganbench_{hook}():
    yield ganbench.Component("mine", Mine)
'''
HOOKS = {"loss": "losses", "diagnosis": "diagnoses"}
BASES = {"generator": ("nn.Module",), "discriminator": ("nn.Module",)}


def outcomes(folder: Path, kind: str, more: str, base: str, body: str | None = None) -> dict[str, tuple[str, str]]:
    """Status and message of the two checks of members."""
    path = folder / "ganbench_plugins.py"
    hook = HOOKS.get(kind, f"{kind}s")
    text = PLUGIN.format(base=base, body=body or BODIES[kind], more=more, hook=hook)
    path.write_text(text, encoding="utf-8")
    (candidate,) = select_candidates([str(path)])
    checks = {}
    for outcome in run_checks(candidate):
        checks[outcome.check] = (outcome.status, outcome.message)
        if {OPTIONAL, REQUIRED} <= checks.keys():
            break
    return checks


def bases(kind: str) -> tuple[str, ...]:
    """What a component of a kind may be derived from: nothing, or the base class."""
    return BASES.get(kind, ("object", f"ganbench.{kind.capitalize()}"))


MISSPELT = [
    ("loss", "def probabilites(self, real, fake): return real, fake", "probabilites", "probabilities"),
    ("loss", "def probability(self, real, fake): return real, fake", "probability", "probabilities"),
    ("regularizer", "def after_steps(self, module): pass", "after_steps", "after_step"),
    ("regularizer", "every_ = 4", "every_", "every"),
    ("regularizer", 'plyer = "generator"', "plyer", "player"),
    ("regularizer", 'zero_four = "flat"', "zero_four", "zero_for"),
    ("dataset", "mode = None", "mode", "modes"),
    ("metric", "def score_games(self, samples, game): return {}", "score_games", "score_game"),
    ("diagnosis", 'folows = ("divergence",)', "folows", "follows"),
    ("diagnosis", 'detect = "mode-collapse"', "detect", "detects"),
    ("diagnosis", "def observ(self, view): return {}", "observ", "observe"),
    ("diagnosis", 'probs = ("coverage",)', "probs", "probes"),
    ("diagnosis", "def scores(self, history, horizon): return 0.0", "scores", "score"),
    ("report", "@staticmethod\n    def skp(trial): return None", "skp", "skip"),
    ("executor", "check_option = {}", "check_option", "check_options"),
    ("generator", 'piror = "uniform"', "piror", "prior"),
    ("generator", "@staticmethod\n    def skips(trial): return None", "skips", "skip"),
    ("discriminator", "packs = 2", "packs", "pack"),
    ("discriminator", "expected_failure = {}", "expected_failure", "expected_failures"),
]


@pytest.mark.parametrize(("kind", "more", "name", "meant"), MISSPELT, ids=[f"{k}-{n}" for k, _, n, _ in MISSPELT])
def test_a_misspelt_optional_member_is_named_with_the_right_one(tmp_path, kind, more, name, meant):
    for i, base in enumerate(bases(kind)):
        (tmp_path / str(i)).mkdir()
        status, message = outcomes(tmp_path / str(i), kind, f"    {more}", base)[OPTIONAL]
        assert status == "failed", base
        assert f"has a member {name!r}" in message and f"did you mean {meant!r}?" in message


REQUIRED_ONES = [
    ("loss", "def discriminator", "def discrimnator", "discrimnator", "discriminator"),
    ("dataset", "def held_out", "def heldout", "heldout", "held_out"),
    ("metric", "def score", "def compute_score", "compute_score", "score"),
    ("metric", "better =", "beter =", "beter", "better"),
    ("diagnosis", "def diagnose", "def diagnoze", "diagnoze", "diagnose"),
    ("report", "def write", "def wirte", "wirte", "write"),
    ("executor", "def run", "def runs", "runs", "run"),
    ("generator", "self.latent_dim", "self.latent_size", "latent_size", "latent_dim"),
    ("generator", "def forward", "def foward", "foward", "forward"),
    ("discriminator", "def forward", "def forwards", "forwards", "forward"),
]


@pytest.mark.parametrize(
    ("kind", "right", "wrong", "name", "meant"), REQUIRED_ONES, ids=[f"{k}-{n}" for k, _, _, n, _ in REQUIRED_ONES]
)
def test_a_misspelt_required_member_is_the_one_failure(tmp_path, kind, right, wrong, name, meant):
    for i, base in enumerate(bases(kind)):
        (tmp_path / str(i)).mkdir()
        checks = outcomes(tmp_path / str(i), kind, "", base, BODIES[kind].replace(right, wrong))
        status, message = checks[REQUIRED]
        assert (status, checks[OPTIONAL]) == ("failed", ("blocked", f"not run: needs {REQUIRED}"))
        assert f"has no {meant!r}, but {name!r}" in message and "is misspelt" in message
        assert [check for check, (status, _) in checks.items() if status == "failed"] == [REQUIRED]


HARMLESS = [
    ("loss", "def __init__(self, *, probability: float = 0.5): self.probability = probability"),
    ("loss", "scale = 2.0\n    _probabilites = None"),
    ("regularizer", "layer = 3\n    def gradients(self): pass"),
    ("dataset", 'def __init__(self, *, mode: str = "all"): self.mode, self.held_out_size = mode, 3'),
    ("dataset", "model = None"),
    ("metric", "def distance(self): pass\n    scorer = None\n    features = None"),
    ("diagnosis", "prob = 0.5\n    def detect(self): pass\n    observed = ()"),
    ("generator", "never = 1\n    def sample(self): pass"),
    ("discriminator", "def back(self): pass\n    packing = None"),
]


@pytest.mark.parametrize(("kind", "more"), HARMLESS)
def test_other_names_are_not_reported(tmp_path, kind, more):
    for i, base in enumerate(bases(kind)):
        (tmp_path / str(i)).mkdir()
        assert outcomes(tmp_path / str(i), kind, f"    {more}", base)[OPTIONAL] == ("passed", "")


def test_a_layer_may_have_the_name_of_a_declaration(tmp_path):
    body = BODIES["generator"].replace("self.net = ", "self.skip = nn.Identity()\n        self.net = ")
    assert outcomes(tmp_path, "generator", "", "nn.Module", body)[OPTIONAL] == ("passed", "")


def test_the_old_name_of_a_member_is_not_reported(tmp_path):
    more = "    def suspicion(self, history, horizon): return 0.0"
    assert outcomes(tmp_path, "diagnosis", more, "object")[OPTIONAL] == ("passed", "")
