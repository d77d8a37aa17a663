"""Finds the step and the layer at which a run's numbers stopped being finite, by living its last steps again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..contract.records import NonFinite, Player
from .game import GAN


class _NonFiniteFound(Exception):
    """Carries the place out of the middle of a step."""

    def __init__(self, player: Player, layer: str, what: str) -> None:
        super().__init__(layer)
        self.place = (player, layer, what)


def replay_to_first_nonfinite(
    gan: GAN, healthy: Mapping[str, Any], seen_at: int, losses: Sequence[tuple[Tensor, Tensor]]
) -> NonFinite:
    """Where the run broke down between the captured `healthy` state and step `seen_at`.

    The steps in between are lived again, this time with every layer watched: a healthy run pays nothing for it.
    `losses` of D and G at the steps up to `seen_at` say when it showed; a component that does not do the same
    twice leads nowhere else, and then they alone speak. The GAN is left as it is when the fault is met.
    """
    shown = _first_nonfinite_loss(seen_at, losses)
    gan.restore(healthy)
    with _finiteness_hooks(gan):
        while gan.steps_done < shown.step:
            try:
                gan.step()
            except _NonFiniteFound as broken:
                step = gan.steps_done + 1
                # Weights that break show in the losses of the same step or of the next.
                return NonFinite(step, *broken.place) if shown.step - step <= 1 else shown
    return shown


def _first_nonfinite_loss(seen_at: int, losses: Sequence[tuple[Tensor, Tensor]]) -> NonFinite:
    """The first loss that was not finite; where there is none, what the observation itself met."""
    for step, (loss_d, loss_g) in enumerate(losses, start=seen_at - len(losses) + 1):
        if not torch.isfinite(loss_d):
            return NonFinite(step, "discriminator", "", "loss")
        if not torch.isfinite(loss_g):
            return NonFinite(step, "generator", "", "loss")
    return NonFinite(seen_at, "discriminator", "", "output")


@contextmanager
def _finiteness_hooks(gan: GAN) -> Iterator[None]:
    players: dict[Player, tuple[nn.Module, torch.optim.Optimizer]] = {
        "generator": (gan.generator, gan.optimizer_g),
        "discriminator": (gan.discriminator, gan.optimizer_d),
    }
    handles: list[Any] = []
    for player, (network, optimizer) in players.items():
        for name, module in network.named_modules():
            if not list(module.children()):
                handles.append(module.register_forward_hook(_output_watch(player, name)))
        before, after = _weight_watch(player, network, "gradient"), _weight_watch(player, network, "weight")
        handles += [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _output_watch(player: Player, layer: str) -> Any:
    def watch(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not torch.isfinite(output).all():
            raise _NonFiniteFound(player, layer, "output")

    return watch


def _weight_watch(player: Player, network: nn.Module, what: str) -> Any:
    def watch(*_: Any) -> None:
        for name, weight in network.named_parameters():
            value = weight.grad if what == "gradient" else weight
            if value is not None and not torch.isfinite(value).all():
                raise _NonFiniteFound(player, name, what)

    return watch
