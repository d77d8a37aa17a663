"""A run in the middle of its training, to be looked at and played on under other rules. The run itself stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from ..observation import RunView
from ..records import ComponentRef
from ..seeding import undisturbed
from .gan import GAN


class Game:
    """A game and a view of it (see `protocols.Game`)."""

    def __init__(self, gan: GAN, view: RunView) -> None:
        self.view = view
        self._gan = gan

    @property
    def steps_done(self) -> int:
        """Steps played so far."""
        return self._gan.steps_done

    @property
    def steps(self) -> int:
        """The budget."""
        return self._gan.settings.steps

    def play_on(
        self,
        steps: int,
        *,
        lr_d: float = 1.0,
        lr_g: float = 1.0,
        more_regularizers: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Game:
        """A copy of the game `steps` further on; with the defaults, what the run itself will be by then."""
        rules = self._gan.settings
        rules = replace(
            rules,
            optimizer_d=_slower(rules.optimizer_d, lr_d),
            optimizer_g=_slower(rules.optimizer_g, lr_g),
            **settings,
        )
        with undisturbed(self._gan.device), torch.enable_grad():
            other = self._gan.branch(rules, {**self._gan.regularizers, **(more_regularizers or {})})
            for _ in range(steps):
                other.step()
        view = self.view.of(other.generator, other.discriminator, other.average)
        view.game = game = Game(other, view)
        return game


def _slower(optimizer: ComponentRef, factor: float) -> ComponentRef:
    return replace(optimizer, options={**optimizer.options, "lr": optimizer.options["lr"] * factor})
