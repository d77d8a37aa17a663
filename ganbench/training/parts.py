"""The components of a trial, built: what is put together into a game."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..contract.components import Augmentation, Loss, Regularizer
from ..contract.records import Trial
from .data import DeviceDataset
from .game import GAN
from .loader import BatchStream
from .objective import WeightedTerm
from .optimizers import Build
from .seeding import seed_everything, seed_for
from .view import RunView


@dataclass(frozen=True)
class GameParts:
    """Networks, loss, regularizers, terms and augmentation of a trial."""

    generator: Any
    discriminator: Any
    loss: Loss
    regularizers: Mapping[str, Regularizer]
    terms: Sequence[WeightedTerm]
    augmentation: Augmentation | None

    @classmethod
    def build(cls, trial: Trial, build: Build, device: torch.device) -> GameParts:
        """Build them, each network under a seed of its own; `build` as `Registry.build`."""
        parts = trial.components
        seed_everything(seed_for(trial.seed, "generator"))
        generator = build("generator", parts.generator, trial.data).to(device)
        seed_everything(seed_for(trial.seed, "discriminator"))
        discriminator = build("discriminator", parts.discriminator, trial.data).to(device)
        return cls(
            generator=generator,
            discriminator=discriminator,
            loss=build("loss", parts.loss),
            regularizers={ref.name: build("regularizer", ref) for ref in parts.regularizers},
            terms=[WeightedTerm(ref.name, build("term", ref), ref.weight) for ref in parts.terms],
            augmentation=None if parts.augmentation is None else build("augmentation", parts.augmentation, trial.data),
        )

    def into_game(
        self,
        trial: Trial,
        training: DeviceDataset,
        held_out: DeviceDataset,
        build: Build,
        stream: Callable[[int], BatchStream] | None = None,
    ) -> GAN:
        """Return the game of a trial on such data, with its view; torch's global stream is seeded for it."""
        seed_everything(seed_for(trial.seed, "components"))  # for components that draw random numbers, such as dropout
        gan = GAN(
            self.generator,
            self.discriminator,
            self.loss,
            self.regularizers,
            training,
            trial.training,
            trial.seed,
            build,
            stream,
            self.augmentation,
            self.terms,
        )
        gan.view = RunView(
            self.generator,
            self.discriminator,
            self.loss,
            training,
            held_out,
            trial.data,
            seed=seed_for(trial.seed, "observation"),
            steps=trial.training.steps,
            average=gan.average,
        )
        gan.view.game = gan
        return gan
