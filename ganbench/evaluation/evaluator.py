"""Generates samples of a run and scores them against held-out real ones, beside the floor: real against real."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..contract.adapt import adapt
from ..contract.components import Metric
from ..contract.records import DataSpec, Direction, Modes, Samples, Score
from ..contract.view import Game
from ..training.data import DeviceDataset
from ..training.noise import sample_noise

CHUNK_SAMPLES = 1000  # samples generated at once


@torch.no_grad()
def generate(generator: Any, n: int, seed: int, labels: Tensor | None, device: torch.device) -> Tensor:
    """Generate `n` samples of the same noise at every call, of shape (n, *shape), float32 on the CPU.

    Args:
        generator: G in evaluation mode, on `device`.
        n: How many.
        seed: Seeds the noise and the labels.
        labels: Those of the training data, to draw from in the same proportions; None if it has none.
        device: Where G is.
    """
    random = torch.Generator().manual_seed(seed)  # on the CPU, so that the noise is the same for every device
    z = sample_noise(generator, n, random).to(device)
    drawn = None
    if labels is not None:
        drawn = labels[torch.randint(len(labels), (n,), generator=random).to(labels.device)].to(device)
    chunks = [
        generator(z[i : i + CHUNK_SAMPLES], None if drawn is None else drawn[i : i + CHUNK_SAMPLES]).float().cpu()
        for i in range(0, n, CHUNK_SAMPLES)
    ]
    return torch.cat(chunks)


class Evaluator:
    """Scores one run's samples, each score beside its floor.

    `n` generated samples are scored against as many held-out ones; fewer if the data has fewer, since the floor needs as
    many training samples as there are generated ones.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        data: DataSpec,
        training: DeviceDataset,
        held_out: DeviceDataset,
        modes: Modes | None,
        n: int,
        seed: int,
    ) -> None:
        self.n_fake = min(n, len(training))
        random = torch.Generator().manual_seed(seed)
        reals = held_out.take(torch.randperm(len(held_out), generator=random)[:n]).x
        floor_samples = training.take(torch.randperm(len(training), generator=random)[: self.n_fake]).x
        self._metrics = {name: adapt("metric", metric) for name, metric in metrics.items()}
        self._data, self._modes = data, modes
        self.reals, self._floor_samples = reals, floor_samples
        self._floors: dict[str, Mapping[str, float]] = {}
        self.scores: list[Score] = []

    def score(self, step: int, fake: Tensor, game: Game) -> list[Score]:
        """Score `fake`, of shape (n_fake, *shape), generated after `step` steps of `game`; also kept in `scores`."""
        new = []
        for name, metric in self._metrics.items():
            began = time.perf_counter()
            values = metric.score_game(self._samples(fake), game)
            seconds = time.perf_counter() - began
            if name not in self._floors:  # real data does not change while G trains
                self._floors[name] = metric.score(self._samples(self._floor_samples))
            for key, value in values.items():
                new.append(
                    Score(
                        step=step,
                        metric=name if key == name else f"{name}.{key}",
                        value=float(value),
                        better=_direction(metric.better, key),
                        floor=float(self._floors[name].get(key, math.nan)),
                        n_real=len(self.reals),
                        n_fake=len(fake),
                        seconds=seconds,
                    )
                )
        self.scores += new
        return new

    def _samples(self, fake: Tensor) -> Samples:
        return Samples(fake, self.reals, self._data, self._modes)


def _direction(better: Direction | Mapping[str, Direction], key: str) -> Direction:
    return better[key] if isinstance(better, Mapping) else better
