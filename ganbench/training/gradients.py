"""Why no gradient reaches a player, said by the component that cuts it off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..contract.components import Regularizer, Term

CUT = "detached, taken as a number (float(), .item()) or computed under torch.no_grad()"
EARLIER = "or kept from an earlier call"
OTHERS = "by layers that are built in forward(), or by a copy of the network"
GRAPH_FREED = "Trying to backward through the graph a second time"  # as torch says it


class NoGradient(ValueError):
    """No gradient reaches a player's weights.

    Attributes:
        component: What cuts it off; None where that is not known.
    """

    def __init__(self, component: Any, text: str) -> None:
        super().__init__(text)
        self.component = component


def check_weights(network: nn.Module, player: str) -> None:
    """Raise NoGradient for a network without a weight that is trained.

    Args:
        network: The network.
        player: "D" or "G".
    """
    weights = list(network.parameters())
    if not weights:
        raise NoGradient(
            network,
            f"{player} has no weights to train: layers in a plain list or dict are not seen; keep them in nn.ModuleList or "
            "nn.ModuleDict",
        )
    if not any(weight.requires_grad for weight in weights):
        raise NoGradient(
            network,
            f"none of {player}'s weights requires a gradient, so that {player} cannot learn; call requires_grad_(True)",
        )


def explain_no_gradient(
    component: Any,
    player: str,
    samples: Tensor,
    seen: Tensor,
    logits: Tensor,
    generator: Any,
    discriminator: Any,
    augmentation: Any,
    weights: Sequence[Tensor],
) -> NoGradient:
    """Return why a loss, a penalty or a term has no gradient to a player.

    Args:
        component: The loss, the regularizer or the term.
        player: "D" or "G".
        samples: What G returned.
        seen: The same as D is given them, augmented where they are.
        logits: D's for these samples.
        generator: G.
        discriminator: D.
        augmentation: What samples go through before D sees them; None if they go through nothing.
        weights: The player's weights that are trained.
    """
    if player == "G" and not samples.requires_grad:
        how = f"they are {CUT}, {EARLIER}; return them as they are"
        return NoGradient(generator, f"G's samples have no gradient to G's weights: {how}")
    if player == "G" and not _leads_to(samples, weights):
        return NoGradient(generator, f"G's samples have no gradient to G's weights: they are computed {OTHERS}")
    if player == "G" and not seen.requires_grad:
        return NoGradient(
            augmentation, f"it passes no gradient on to the samples that it is given, and so none to G: they are {CUT}"
        )
    if not logits.requires_grad:
        to = "D's weights" if player == "D" else "the samples that D is given, and so none to G"
        return NoGradient(
            discriminator, f"D's logits have no gradient to {to}: they are {CUT}; return them as they are"
        )
    if player == "D" and not _leads_to(logits, weights):
        return NoGradient(discriminator, f"D's logits have no gradient to D's weights: they are computed {OTHERS}")
    if isinstance(component, Term):
        return NoGradient(component, f"it has no gradient to {player} and changes nothing: it is {CUT}")
    if isinstance(component, Regularizer):
        return NoGradient(component, f"its penalty has no gradient to {player} and changes nothing: it is {CUT}")
    alone = "" if player == "D" else ", or of real samples alone"
    of = "d(real) and d(fake) as they are" if player == "D" else "d(fake) as it is, which alone leads to G"
    return NoGradient(component, f"{player}'s loss has no gradient to {player}: it is {CUT}{alone}; compute it of {of}")


def _leads_to(output: Tensor, weights: Sequence[Tensor]) -> bool:
    """Return whether any of the weights is in the graph of an output, which has one."""
    found = torch.autograd.grad(output.sum(), list(weights), allow_unused=True, retain_graph=True)
    return any(gradient is not None for gradient in found)


def explain_freed_graph(player: str) -> NoGradient:
    """Return what a backward pass of a player's loss means that finds a part of its graph gone."""
    return NoGradient(
        None,
        f"a part of the graph of {player}'s loss is gone: it was gone through before; call no backward() in a loss, a penalty "
        "or a network, and keep no tensor with its graph from one call to the next",
    )
