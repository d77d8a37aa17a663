"""What tests of components in training share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ganbench.contract.records import Trial
from ganbench.registry.registry import load_registry
from ganbench.training.game import GAN
from ganbench.trial import LiveTrial


@pytest.fixture
def train() -> Callable[[Trial, int], GAN]:
    """Build a trial on the CPU and train it so many steps, unobserved."""

    def run(trial: Trial, steps: int) -> GAN:
        registry = load_registry(trial.plugin_files)
        dataset = registry.build("dataset", trial.components.dataset)
        gan = LiveTrial.build(trial, dataset, registry, torch.device("cpu")).gan
        for _ in range(steps):
            gan.step()
        return gan

    return run


@pytest.fixture
def goes_on_as_if_never_left(train) -> Callable[[Trial], bool]:
    """Whether a trial that is saved after 5 steps and loaded has the same weights after 8, bit for bit."""

    def compare(trial: Trial) -> bool:
        whole, left = train(trial, 8), train(trial, 5)
        state = left.state_dict()
        for _ in range(3):
            left.step()  # so that nothing that was learned since is taken for what was loaded
        resumed = train(trial, 0)
        resumed.load_state_dict(state)
        for _ in range(3):
            resumed.step()
        return all(torch.equal(a, b) for a, b in zip(whole.weights().values(), resumed.weights().values(), strict=True))

    return compare
