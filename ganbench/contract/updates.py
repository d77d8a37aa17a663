"""What an update rule may see of a game in training, and do with it; torch is not imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from .records import Batch, Training

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    Weights = Mapping[str, Tensor]  # of D, by name
    WeightsFor = Callable[
        [Batch, Batch], Weights
    ]  # real and generated samples to the weights of the D that judges them


class GameInTraining(Protocol):
    """A generator and a discriminator in training, as update rules see them (`ganbench.Update`).

    `train_discriminator` and `train_generator` are an update each. A rule that needs more takes them apart: gradients first,
    the optimizer's step later. Batch, noise and penalties are drawn where gradients are computed.

    Attributes:
        settings: How to train.
        steps_done: Steps done before this one.
        discriminator, generator: The networks.
        d_weights, g_weights: Their weights that are trained.
        optimizer_d, optimizer_g: The optimizers.
    """

    settings: Training
    steps_done: int
    discriminator: nn.Module
    generator: nn.Module
    d_weights: list[nn.Parameter]
    g_weights: list[nn.Parameter]
    optimizer_d: torch.optim.Optimizer
    optimizer_g: torch.optim.Optimizer

    def train_discriminator(self) -> Tensor:
        """Update D on real and generated samples; return its loss."""
        ...

    def train_generator(self, weights_for: WeightsFor | None = None) -> Tensor:
        """Update G on D's judgement; return its loss.

        Args:
            weights_for: Returns the weights of the D that judges, of D as it is by default. The gradient flows through them.
        """
        ...

    def differentiate_discriminator(self) -> Tensor:
        """Replace D's gradients by those of a new batch; return its loss. No weight changes."""
        ...

    def differentiate_generator(self, weights_for: WeightsFor | None = None) -> Tensor:
        """Replace G's gradients by those of new noise; return its loss. No weight changes."""
        ...

    def update_discriminator(self, adjust: Callable[[], None] | None = None, *, lookahead: bool = False) -> None:
        """Let D's optimizer step, its gradients clipped as the suite says.

        Args:
            adjust: Called once the weights have changed, before regularizers act on them.
            lookahead: Whether the step will be taken back, so that it does not count as an update.
        """
        ...

    def update_generator(self, adjust: Callable[[], None] | None = None, *, lookahead: bool = False) -> None:
        """Let G's optimizer step; as `update_discriminator`. The running average follows."""
        ...

    def discriminator_objective(self, real: Batch, fake: Batch, weights: Weights) -> Tensor:
        """Return what D minimizes, loss and penalties, if it had these weights."""
        ...
