"""Whether a gentler D sets G free: the run played on from where it stands, with a D that is kept smooth."""

from __future__ import annotations

from typing import Any

import torch

import ganbench

D_STEPS = 2  # a smooth D is one that may learn fast


class Smooth:
    """D's squared gradient at real and generated samples, scaled to the data (R1 and R2, Mescheder et al. 2018)."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def penalty(self, d: ganbench.Judge, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """weight / 2 * E |grad D|^2, at both."""
        squares = [ganbench.input_gradient(d, batch).flatten(1).square().sum(1).mean() for batch in (real, fake)]
        return self.weight / 2 * (squares[0] + squares[1])


def rescued(game: Any, steps: int) -> Any:
    """The game `steps` further on with a D that stays smooth."""
    smooth = Smooth(float(game.view.data_std) ** 2)
    return game.play_on(steps, d_steps=D_STEPS, more_regularizers={"smooth": smooth})
