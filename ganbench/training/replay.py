"""Finds the step and the layer at which a run's numbers stopped being finite, by replaying its last steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..contract.records import REAL_SAMPLES, NonFinite, Player
from .game import GAN


class _NonFiniteFound(Exception):
    """Carries the place out of the middle of a step."""

    def __init__(self, player: Player, layer: str, what: str) -> None:
        super().__init__(layer)
        self.place = (player, layer, what)


def replay_to_first_nonfinite(
    gan: GAN, checkpoint: Mapping[str, Any], seen_at: int, losses: Sequence[tuple[Tensor, Tensor]]
) -> NonFinite:
    """Return where the numbers stopped being finite.

    The steps are replayed with hooks on every layer, so that a checkpoint run pays nothing for them. If a component does not
    behave the same again, the losses alone decide. The GAN is left as it is when the place is found.

    Args:
        gan: The run.
        checkpoint: Its state when the numbers were last known to be finite (`GAN.state_dict`).
        seen_at: The step at which they were found not to be.
        losses: Losses of D and G at the steps up to `seen_at`, scalars.
    """
    first_loss = _first_nonfinite_loss(seen_at, losses)
    gan.load_state_dict({**checkpoint, "components": {}})  # a loss that counts its calls is not replayed, but believed
    with _finiteness_hooks(gan):
        while gan.steps_done < first_loss.step:
            try:
                gan.step()
            except _NonFiniteFound as found:
                step = gan.steps_done + 1
                if not torch.isfinite(
                    gan.last_batch[0]
                ).all():  # a loader's: what is held in memory was looked at before
                    return NonFinite(step, "discriminator", "", REAL_SAMPLES)
                # Weights that are not finite show in the losses of the same step or of the next.
                return NonFinite(step, *found.place) if first_loss.step - step <= 1 else first_loss
    return first_loss


def _first_nonfinite_loss(seen_at: int, losses: Sequence[tuple[Tensor, Tensor]]) -> NonFinite:
    """The first loss that was not finite; if there is none, D's output, which the observation has seen."""
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
            if module is network or not list(module.children()):
                handles.append(module.register_forward_hook(_output_hook(player, name)))
        before, after = _weight_hook(player, network, "gradient"), _weight_hook(player, network, "weight")
        handles += [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _output_hook(player: Player, layer: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and not torch.isfinite(output).all():
            raise _NonFiniteFound(player, layer, "output")

    return hook


def _weight_hook(player: Player, network: nn.Module, what: str) -> Any:
    def hook(*_: Any) -> None:
        for name, weight in network.named_parameters():
            value = weight.grad if what == "gradient" else weight
            if value is not None and not torch.isfinite(value).all():
                raise _NonFiniteFound(player, name, what)

    return hook
