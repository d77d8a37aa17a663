"""Discriminators of a vocoder, a tokenizer, super-resolution and tables, as their programs have them, in forty lines each."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_suites import suite_table, trials_of

import ganbench
import ganbench.testing

DATA = """
import torch
import ganbench


class Sines:
    spec = ganbench.DataSpec("waveforms", (1, 64), value_range=(-1.0, 1.0))
    training = lambda self: self.draw(1000, 0)
    held_out = lambda self: self.draw(300, 1)

    def draw(self, n, seed):
        pitch, phase = 0.2 + torch.rand(2, n, 1, 1, generator=torch.Generator().manual_seed(seed))
        return ganbench.Batch(0.8 * torch.sin(pitch * torch.arange(64) + 6 * phase))


class Rows:  # of three categories, each with a mean of its own
    spec = ganbench.DataSpec("rows", (4,), condition=(3,))
    training = lambda self: self.draw(1000, 0)
    held_out = lambda self: self.draw(300, 1)

    def draw(self, n, seed):
        random = torch.Generator().manual_seed(seed)
        told = torch.nn.functional.one_hot(torch.randint(3, (n,), generator=random), 3).float()
        return ganbench.Batch(told @ torch.eye(3, 4) + 0.1 * torch.randn(n, 4, generator=random), condition=told)


@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("sines", Sines)
    yield ganbench.Component("rows", Rows)
"""
WRAPPERS = {path.stem: path for path in sorted((Path(__file__).parent / "foreign_programs").glob("*.py"))}
MLP = {"name": "mlp", "width": 32}
PICTURES = {"name": "shapes", "side": 16, "size": 500, "held_out": 300}

PROGRAMS = {  # data, method and batch size of each
    "vocoder": (
        "sines",
        {
            "generator": MLP,
            "discriminator": "hifi-gan",
            "loss": "least-squares",
            "terms": [{"name": "feature-matching", "match": "mean", "weight": 2}],
        },
        16,
    ),
    "tokenizer": (
        PICTURES,
        {"generator": {"name": "conv", "width": 8}, "discriminator": "taming", "loss": "hinge"},
        16,
    ),
    "super_resolution": (
        PICTURES,
        {"generator": {"name": "conv", "width": 8}, "discriminator": "real-esrgan", "loss": "non-saturating"},
        16,
    ),
    "table": (
        "rows",
        {"generator": "ctgan", "discriminator": "ctgan", "loss": "wasserstein", "regularizers": ["gradient-penalty"]},
        40,
    ),
}
HEADS = {"vocoder": 8}  # of those that have several

for name, path in WRAPPERS.items():
    globals()[f"test_contract_of_{name}"] = ganbench.testing.cases(str(path))


def test_each_wrapper_has_at_most_forty_lines():
    assert set(WRAPPERS) == set(PROGRAMS)
    assert all(len(path.read_text(encoding="utf-8").splitlines()) <= 40 for path in WRAPPERS.values())


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_trains_in_a_suite(program, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text(DATA, encoding="utf-8")
    dataset, method, batch_size = PROGRAMS[program]
    table = suite_table(
        datasets={"data": {"dataset": dataset}},
        metrics=["sliced-wasserstein"],
        diagnoses="all",
        seeds=[0],
        methods={program: method},
        training={"steps": 30, "batch_size": batch_size, "observations": 3},
        evaluation={"at": [1.0], "samples": 200},
    )
    (trial,) = trials_of(table, (str(WRAPPERS[program]), str(tmp_path / "ganbench_plugins.py")))
    result = ganbench.run_trial(trial, threads=1)
    assert (result.status, result.steps) == ("done", 30), result.reason
    columns = result.artifacts.history.columns
    assert 0 <= columns["auc_d"][-1] <= 1
    heads = [name for name in columns if name.startswith("auc_d_head_")]
    assert len(heads) == HEADS.get(program, 0)
