"""Parts that do not fit each other: one line that names the component, exit code 2, nothing trained and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PLUGIN = '''
import time
import ganbench, torch
from torch import nn

POINTS = ganbench.DataSpec("points", (2,))


class Points(ganbench.Dataset):
    """Points, 64 of them held out."""
    spec = POINTS

    def training(self):
        return ganbench.Batch(torch.randn(256, 2))

    def held_out(self):
        return ganbench.Batch(torch.randn(64, 2))


class Pairs(Points):
    """Points with a condition of four numbers."""
    spec = ganbench.DataSpec("points", (2,), condition=(4,))

    def training(self):
        return ganbench.Batch(torch.randn(256, 2), condition=torch.randn(256, 4))

    def held_out(self):
        return ganbench.Batch(torch.randn(64, 2), condition=torch.randn(64, 4))


class OtherConditions(Pairs):
    """Held-out conditions of three numbers."""
    def held_out(self):
        return ganbench.Batch(torch.randn(64, 2), condition=torch.randn(64, 3))


class OtherSamples(Points):
    """Samples of three numbers."""
    def training(self):
        return ganbench.Batch(torch.randn(256, 3))


class OtherLabels(Points):
    """A label beyond the classes."""
    spec = ganbench.DataSpec("points", (2,), classes=3)

    def training(self):
        return ganbench.Batch(torch.randn(256, 2), torch.arange(256) % 4)

    def held_out(self):
        return ganbench.Batch(torch.randn(64, 2), torch.arange(64) % 3)


class Gone(Points):
    """Files that are damaged."""
    def training(self):
        raise OSError("points.bin is cut off")


class Ends(Points):
    """A loader with less than a batch."""
    def training_loader(self, batch_size, seed):
        return [ganbench.Batch(torch.randn(5, 2))]


class OtherShapes(Points):
    """A loader of samples of another shape."""
    def training_loader(self, batch_size, seed):
        while True:
            yield ganbench.Batch(torch.randn(batch_size, 3))


class G(nn.Module):
    """Linear."""
    def __init__(self, data, *, latent: int = 2, out: int = 2, conditions: int = 0):
        super().__init__()
        self.latent_dim, self.conditions = 2, conditions
        self.net = nn.Linear(latent + conditions, out)

    def forward(self, z, labels=None, condition=None):
        return self.net(torch.cat([z, condition], 1) if self.conditions else z)


class D(nn.Module):
    """Linear, and whatever `returns` names."""
    def __init__(self, data, *, returns: str = "logits", inputs: int = 2):
        super().__init__()
        self.net, self.returns = nn.Linear(inputs, 1), returns

    def forward(self, x, labels=None):
        logits = self.net(x).squeeze(1)
        if self.returns == "features":
            return {"features": x}
        if self.returns == "fewer":
            return [logits] * (3 if x.abs().max() > 2 else 2)
        return logits


class Picky(ganbench.Loss):
    """A loss that wants labels."""
    def discriminator(self, d, real, fake):
        return (d(fake) - d(real)).mean() + 0 * real.labels.sum()

    def generator(self, d, real, fake):
        return -d(fake).mean()


class Vector(Picky):
    """Forgets the mean."""
    def discriminator(self, d, real, fake):
        return d(fake) - d(real)


class Labels(ganbench.Regularizer):
    """A penalty that wants labels."""
    def penalty(self, d, real, fake):
        return (d(real) * real.labels).square().mean()


class Hangs(ganbench.Regularizer):
    """A penalty that never comes."""
    def penalty(self, d, real, fake):
        time.sleep(600)


@ganbench.hookimpl
def ganbench_datasets():
    for build in (Points, Pairs, OtherConditions, OtherSamples, OtherLabels, Gone, Ends, OtherShapes):
        yield ganbench.Component(build.__name__, build)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("G", G)

@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("D", D)

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("Picky", Picky)
    yield ganbench.Component("Vector", Vector)

@ganbench.hookimpl
def ganbench_regularizers():
    yield ganbench.Component("Labels", Labels)
    yield ganbench.Component("Hangs", Hangs)


class RAdamOnly(ganbench.Update):
    """Reads what other optimizers do not have."""
    def step(self, game):
        game.train_discriminator()
        game.optimizer_d.param_groups[0]["trust"]
        return game.train_discriminator(), game.train_generator()


@ganbench.hookimpl
def ganbench_updates():
    yield ganbench.Component("trusting", RAdamOnly)
'''

GOOD = {"generator": "G", "discriminator": "D", "loss": "hinge"}
CANNOT = {  # the data set, what a method has in place of good parts, and the line
    "heads": ("Points", {"discriminator": {"name": "D", "returns": "fewer"}}, "discriminator 'D' returns"),
    "mapping": (
        "Points",
        {"discriminator": {"name": "D", "returns": "features"}},
        "discriminator 'D' returns a mapping of 'features', without 'logits'",
    ),
    "condition": (
        "OtherConditions",
        {},
        "data set 'OtherConditions': held-out part: its conditions are (64, 3) for 64 samples",
    ),
    "condition of G": ("Pairs", {"generator": {"name": "G", "conditions": 3}}, "generator 'G': RuntimeError: mat1"),
    "features": ("Points", {"terms": ["feature-matching"]}, "term 'feature-matching': it needs a discriminator that"),
    "last layer": (
        "Points",
        {"terms": [{"name": "l1", "weight": "adaptive"}]},
        "the adaptive weight of term 'l1' needs the last layer of G, and the generator G names none",
    ),
    "augmentation": (
        "Points",
        {"augmentation": "ada"},
        "can serve no data set of the suite; on 'Points': augmentation",
    ),
    "pictures": ("Points", {"terms": ["perceptual"]}, "can serve no data set of the suite; on 'Points': term 'percept"),
    "loader that ends": ("Ends", {}, "data set 'Ends': its training_loader ends without a batch of 32 samples"),
    "loader of others": ("OtherShapes", {}, "'OtherShapes': its training_loader yields samples (32, 3), and (32, 2)"),
    "samples": (
        "OtherSamples",
        {},
        "data set 'OtherSamples': training part: its samples are of shape (3,), and its spec states (2,)",
    ),
    "labels": (
        "OtherLabels",
        {},
        "data set 'OtherLabels': training part: its labels run from 0 to 3, and its spec states 3 classes",
    ),
    "files": ("Gone", {}, "data set 'Gone': points.bin is cut off"),
    "output": ("Points", {"generator": {"name": "G", "out": 3}}, "generator 'G' returns (8, 3) of float32, and (8, 2)"),
    "noise": ("Points", {"generator": {"name": "G", "latent": 5}}, "generator 'G': RuntimeError: mat1 and mat2 shapes"),
    "input": (
        "Points",
        {"discriminator": {"name": "D", "inputs": 3}},
        "discriminator 'D': RuntimeError: mat1 and mat2",
    ),
    "loss": ("Points", {"loss": "Picky"}, "loss 'Picky': AttributeError: 'NoneType' object has no attribute 'sum'"),
    "vector": ("Points", {"loss": "Vector"}, "loss 'Vector': Vector returns (32,), and a scalar is expected"),
    "penalty": ("Points", {"regularizers": ["Labels"]}, "regularizer 'Labels': TypeError: "),
    "codes": (
        "Points",
        {"terms": [{"name": "mutual-information", "continuous": 1}]},
        "term 'mutual-information': it needs a discriminator that gives 'codes'",
    ),
    "options": (
        "Points",
        {"regularizers": [{"name": "r1", "weight": -1.0}]},
        "regularizer 'r1': weight = -1.0 must not",
    ),
    "no code": (
        "Points",
        {"terms": [{"name": "mutual-information", "continuous": 0}]},
        "term 'mutual-information': categories = 0 and continuous = 0 leave no code",
    ),
    "update": ("Points", {"update": "trusting"}, "update 'trusting': KeyError: 'trust'"),
    "updates": (
        "Points",
        {"update": "extragradient", "d_steps": 2},
        "can serve no data set of the suite; on 'Points': update 'extragradient': it updates each player once",
    ),
    "optimizer": (
        "Points",
        {"update": "unrolled", "optimizer_d": "rmsprop"},
        "can serve no data set of the suite; on 'Points': update 'unrolled': it unrolls the steps of adam",
    ),
}


def suite(dataset: str, method: dict, more: str = "") -> str:
    def inline(value):
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {inline(item)}" for key, item in value.items()) + " }"
        return json.dumps(value) if not isinstance(value, list) else f"[{', '.join(map(inline, value))}]"

    parts = "\n".join(f"{key} = {inline(value)}" for key, value in method.items())
    return f"""
datasets = ["{dataset}"]
metrics = ["energy-distance"]
seeds = 1
executor = "inline"
reports = ["csv"]
diagnoses = []
[training]
steps = 3
batch_size = 32
[evaluation]
samples = 50
{more}
[methods.tried]
{parts}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text(PLUGIN)
    return tmp_path


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize("case", CANNOT)
def test_what_cannot_take_a_step_is_refused_before_anything_is_trained(ganbench, folder, case):
    dataset, parts, line = CANNOT[case]
    (folder / "mine.toml").write_text(suite(dataset, GOOD | parts))
    before = files_in(folder)
    said = ganbench("run", "--suite", "mine.toml")
    assert said.code == 2, said
    assert len(said.err.splitlines()) == 1 and not said.out, said.err
    assert said.first_line.startswith("ganbench: mine.toml: ") and line in said.first_line
    assert files_in(folder) == before


def test_the_first_method_that_cannot_is_named_and_the_others_run_without_it(ganbench, folder):
    other = "\n".join(f'{key} = "{value}"' for key, value in GOOD.items())
    (folder / "mine.toml").write_text(suite("Points", GOOD | {"loss": "Vector"}, f"[methods.good]\n{other}"))
    said = ganbench("run", "--suite", "mine.toml")
    assert said.code == 2 and "method 'tried' on 'Points': loss 'Vector'" in said.first_line
    assert ganbench("run", "--suite", "mine.toml", "--only", "method=good").code == 0


def test_a_method_for_one_of_two_data_sets_is_skipped_on_the_other(ganbench, folder):
    parts = {"generator": "mlp", "discriminator": "mlp", "loss": "hinge", "augmentation": "ada"}
    text = suite("Points", parts).replace('["Points"]', '["Points", "digits"]')
    (folder / "mine.toml").write_text(text)
    said = ganbench("run", "--suite", "mine.toml", "--dry-run")
    assert said.code == 0 and "2 trials to do" in said.out
    said = ganbench("run", "--suite", "mine.toml", "--dry-run", "--only", "dataset=Points")
    assert said.code == 0, said.err  # it serves the suite


def test_methods_of_a_grid_may_serve_no_data_set(ganbench, folder):
    head, _, _ = suite("Points", GOOD).partition("[methods.tried]")
    (folder / "mine.toml").write_text(
        head + '[grid]\ngenerators = ["G"]\ndiscriminators = ["D"]\nlosses = ["hinge"]\nregularizers = [[], ["cr"]]\n'
    )
    assert ganbench("run", "--suite", "mine.toml", "--dry-run").code == 0


def test_a_method_that_hangs_is_left_to_its_trials(ganbench, folder, monkeypatch):
    monkeypatch.setattr("ganbench.pipeline.FIRST_STEPS_SECONDS", 0.5)
    (folder / "mine.toml").write_text(suite("Points", GOOD | {"regularizers": ["Hangs"]}))
    assert ganbench("run", "--suite", "mine.toml", "--dry-run").code == 0


HANGING = """
class HangingLoss(ganbench.Loss):
    def discriminator(self, d, real, fake): time.sleep(60)
    def generator(self, d, real, fake): time.sleep(60)
class HangingAtOnce(HangingLoss):
    def __init__(self): time.sleep(60)
class HangingNetwork(torch.nn.Module):
    def __init__(self, data):
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(2, 1))
        self.layer.register_forward_hook(lambda *_: time.sleep(60))
    def forward(self, x, y=None): return self.layer(x).squeeze(1)
@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("HangingLoss", HangingLoss)
    yield ganbench.Component("HangingAtOnce", HangingAtOnce)
@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("HangingNetwork", HangingNetwork)
"""


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"loss": "HangingLoss"}, "loss 'HangingLoss'"),
        ({"loss": "HangingAtOnce"}, "loss 'HangingAtOnce'"),
        ({"discriminator": "HangingNetwork"}, "discriminator 'HangingNetwork'"),
    ],
)
def test_what_hangs_is_named_while_it_is_waited_for(ganbench, tmp_path, monkeypatch, parts, named):
    monkeypatch.setattr("ganbench.pipeline.FIRST_STEPS_SECONDS", 6.0)
    monkeypatch.setattr("ganbench.pipeline.NOTICE_SECONDS", 1.0)
    (tmp_path / "ganbench_plugins.py").write_text("import time\nimport ganbench\nimport torch\n" + HANGING)
    good = {"generator": "mlp", "discriminator": "mlp", "loss": "hinge"}
    (tmp_path / "mine.toml").write_text(suite("ring", good | parts))
    said = ganbench("run", "--suite", "mine.toml", "--dry-run")
    last = [line for line in said.err.splitlines() if "waiting for" in line][-1]  # a first import may take as long
    assert last.startswith(f"ganbench: method 'tried' on 'ring': waiting for {named}, for ")
    assert said.code == 0


LATE = """
class Late(ganbench.Loss):
    def discriminator(self, d, real, fake):
        try:
            time.sleep(2)
        except Exception:
            pass
        pathlib.Path("went-on").touch()
        torch.manual_seed(11), torch.set_num_threads(2)
        return d(real).mean()
    def generator(self, d, real, fake): return d(fake).mean()
@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("Late", Late)
"""


def test_what_hangs_disturbs_no_trial_when_it_wakes_up(ganbench, tmp_path, monkeypatch):
    import random
    import threading
    import time

    import torch

    monkeypatch.setattr("ganbench.pipeline.FIRST_STEPS_SECONDS", 0.5)
    (tmp_path / "ganbench_plugins.py").write_text("import pathlib\nimport time\nimport ganbench\nimport torch\n" + LATE)
    (tmp_path / "mine.toml").write_text(suite("ring", {"generator": "mlp", "discriminator": "mlp", "loss": "Late"}))
    torch.manual_seed(5), random.seed(5)
    before, threads = (torch.get_rng_state(), random.getstate()), set(threading.enumerate())
    assert ganbench("run", "--suite", "mine.toml", "--dry-run").code == 0
    assert set(threading.enumerate()) - threads, "it hangs still"
    for _ in range(100):
        if not set(threading.enumerate()) - threads:
            break
        time.sleep(0.1)
    assert not set(threading.enumerate()) - threads, "it has ended with its sleep"
    assert not (tmp_path / "went-on").exists()
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]


def test_trying_methods_leaves_random_numbers_and_settings_as_they_are(folder, monkeypatch):
    import random

    import numpy as np
    import torch

    from ganbench.pipeline import Request, prepare

    monkeypatch.chdir(folder)
    (folder / "mine.toml").write_text(suite("Points", GOOD))
    torch.manual_seed(5), random.seed(5), np.random.seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    prepare(Request("mine.toml"))
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1]
    assert torch.equal(before[0], after[0]) and before[1] == after[1] and (before[2] == after[2]).all()
