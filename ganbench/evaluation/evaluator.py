"""Samples of a generator to judge it by.

Scores of generated samples against held-out real ones, and of real ones against the same: the floor.
"""

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
    """`n` samples from latents that are the same at every call, (n, *shape), float32 on the CPU.

    `labels` are those of the training data, to draw from in the same shares, where the data has any.
    """
    stream = torch.Generator().manual_seed(seed)  # on the CPU, so that every device judges from the same latents
    z = sample_noise(generator, n, stream).to(device)
    wanted = None
    if labels is not None:
        wanted = labels[torch.randint(len(labels), (n,), generator=stream).to(labels.device)].to(device)
    chunks = [
        generator(z[i : i + CHUNK_SAMPLES], None if wanted is None else wanted[i : i + CHUNK_SAMPLES]).float().cpu()
        for i in range(0, n, CHUNK_SAMPLES)
    ]
    return torch.cat(chunks)


class Evaluator:
    """Scores one run's samples with `metrics`, by name.

    `n` samples are judged against as many held-out ones, fewer where the data has fewer: the floor needs as many
    training samples as there are generated ones.
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
        stream = torch.Generator().manual_seed(seed)
        reals = held_out.take(torch.randperm(len(held_out), generator=stream)[:n]).x
        stand_ins = training.take(torch.randperm(len(training), generator=stream)[: self.n_fake]).x
        self._metrics = {name: adapt("metric", metric) for name, metric in metrics.items()}
        self._data, self._modes = data, modes
        self.reals, self._stand_ins = reals, stand_ins
        self._floors: dict[str, Mapping[str, float]] = {}
        self.scores: list[Score] = []

    def score(self, step: int, fake: Tensor, game: Game) -> list[Score]:
        """The scores of `fake`, (n_fake, *shape), made at `step` of `game`; also kept in `scores`."""
        new = []
        for name, metric in self._metrics.items():
            began = time.perf_counter()
            values = metric.score_game(self._samples(fake), game)
            seconds = time.perf_counter() - began
            if name not in self._floors:  # real data does not change while G trains
                self._floors[name] = metric.score(self._samples(self._stand_ins))
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
