"""Optimizers are components: those that ship are torch's, and any other comes from a plugin."""

from __future__ import annotations

import pytest
import torch

from ganbench.contract.errors import RequestError
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.results.reuse import _describe_changes
from ganbench.trial import LiveTrial

NADAM = '''
def nadam(parameters, *, lr: float = 2e-4, betas: tuple[float, float] = (0.5, 0.999)):
    """torch.optim.NAdam."""
    return torch.optim.NAdam(parameters, lr=lr, betas=betas)

def no_optimizer(parameters):
    """Something else."""
    return list(parameters)

@ganbench.hookimpl
def ganbench_optimizers():
    yield ganbench.Component("nadam", nadam)
    yield ganbench.Component("no-optimizer", no_optimizer)
'''


def live(trial):
    registry = load_registry(trial.plugin_files)
    return LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, torch.device("cpu"))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
    ],
)
def test_those_that_ship_are_torchs_with_the_given_options(name, cls):
    weights = [torch.nn.Parameter(torch.ones(3))]
    optimizer = load_registry().build("optimizer", ComponentRef(name, {"lr": 0.5, "weight_decay": 0.25}), weights)
    assert type(optimizer) is cls
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.25) and group["params"] == weights


def test_one_of_a_plugin_trains_a_trial_with_its_rate_decayed(make_trial, plugin_file):
    files = plugin_file(NADAM)
    trial = make_trial(optimizer={"name": "nadam", "lr": 1e-3}, lr_decay="linear", files=files)
    assert trial.training.optimizer_d == ComponentRef("nadam", {"lr": 1e-3, "betas": [0.5, 0.999]})
    gan = live(trial).gan
    for _ in range(31):
        gan.step()
    assert isinstance(gan.optimizer_d, torch.optim.NAdam)
    assert gan.optimizer_d.param_groups[0]["lr"] == pytest.approx(1e-3 * (1 - 30 / 60))
    assert gan.fork(0, lr_d=0.1).optimizer_d.param_groups[0]["lr"] == pytest.approx(1e-4 * (1 - 31 / 60))


def test_a_wrong_option_or_something_else_is_one_line_that_names_it(make_trial, plugin_file, run_here):
    files = plugin_file(NADAM)
    with pytest.raises(RequestError, match=r"optimizer_g: optimizer 'nadam' of .*: lr = \"fast\": expected float"):
        make_trial(optimizer={"name": "nadam", "lr": "fast"}, files=files)
    result = run_here(make_trial(optimizer="no-optimizer", files=files))
    assert result.status == "error" and "'no-optimizer' builds list" in result.reason


def test_results_stored_before_optimizers_had_an_origin_are_reused(make_trial):
    trial = make_trial()
    now = dict(load_registry().origins(trial))
    before = {part: origin for part, origin in now.items() if not part.startswith(("optimizer ", "update "))}
    assert before != now and _describe_changes(before, now, trial) == ""
    other = {**now, "optimizer adam": "mine 2.0"}
    assert _describe_changes(now, other, trial) == f"optimizer adam came from {now['optimizer adam']}, now mine 2.0"
