"""Scores of generated samples against held-out real ones, and of real ones against the same: the floor."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..pool import Pool
from ..protocols import Game
from ..records import DataSpec, Direction, Modes, Samples, Score


class Evaluator:
    """Scores one run's samples with `metrics`, by name.

    `n` samples are judged against as many held-out ones, fewer where the data has fewer: the floor needs as many
    training samples as there are generated ones.
    """

    def __init__(
        self,
        metrics: Mapping[str, Any],
        data: DataSpec,
        training: Pool,
        held_out: Pool,
        modes: Modes | None,
        n: int,
        seed: int,
    ) -> None:
        self.n_fake = min(n, len(training))
        stream = torch.Generator().manual_seed(seed)
        reals = held_out.take(torch.randperm(len(held_out), generator=stream)[:n]).x
        stand_ins = training.take(torch.randperm(len(training), generator=stream)[: self.n_fake]).x
        self._metrics = metrics
        self._data, self._modes = data, modes
        self.reals, self._stand_ins = reals, stand_ins
        self._floors: dict[str, Mapping[str, float]] = {}
        self.scores: list[Score] = []

    def score(self, step: int, fake: Tensor, game: Game) -> list[Score]:
        """The scores of `fake`, (n_fake, *shape), made at `step` of `game`; also kept in `scores`."""
        new = []
        for name, metric in self._metrics.items():
            of_game = hasattr(metric, "score_game")
            began = time.perf_counter()
            values = metric.score_game(self._samples(fake), game) if of_game else metric.score(self._samples(fake))
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
