"""A step is timed as it is in the run, and leaves nothing behind."""

from __future__ import annotations

import torch

from ganbench.registry.plugins import load_plugins
from ganbench.registry.registry import Registry
from ganbench.training.first_step import load_first_samples, preserve_global_state, time_step
from ganbench.training.game import GAN
from tests.small_suites import MLP, suite_table, trials_of


def test_a_step_is_timed_over_a_turn_of_the_rarest_penalty(monkeypatch):
    taken = []
    step = GAN.step
    monkeypatch.setattr(GAN, "step", lambda game, *of: taken.append(game.settings.batch_size) or step(game, *of))
    method = {"loss": "non-saturating", "regularizers": [{"name": "r1", "every": 4}], **MLP}
    (trial,) = trials_of(suite_table(methods={"m": method}), ())
    registry = Registry(load_plugins(()))
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    with preserve_global_state():
        assert time_step(trial, load_first_samples(trial, registry), registry, threads=1) > 0
    assert 2 <= len(taken) <= 5 and set(taken) == {trial.training.batch_size}  # 1 + 4, unless time runs out
    assert torch.equal(torch.get_rng_state(), random) and torch.get_num_threads() == threads
