"""Why no gradient reaches a player, said by the component that cuts it off."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..contract.components import Regularizer

CUT = "detached, taken as a number (float(), .item()) or computed under torch.no_grad()"


class NoGradient(ValueError):
    """No gradient reaches a player's weights.

    Attributes:
        component: What cuts it off.
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
    component: Any, player: str, samples: Tensor, logits: Tensor, generator: Any, discriminator: Any
) -> NoGradient:
    """Return why a loss or a penalty has no gradient to a player.

    Args:
        component: The loss or the regularizer.
        player: "D" or "G".
        samples: What G returned.
        logits: D's for these samples.
        generator: G.
        discriminator: D.
    """
    if player == "G" and not samples.requires_grad:
        return NoGradient(
            generator, f"G's samples have no gradient to G's weights: they are {CUT}; return them as they are"
        )
    if not logits.requires_grad:
        to = "D's weights" if player == "D" else "the samples that D is given, and so none to G"
        return NoGradient(
            discriminator, f"D's logits have no gradient to {to}: they are {CUT}; return them as they are"
        )
    if isinstance(component, Regularizer):
        return NoGradient(component, f"its penalty has no gradient to {player} and changes nothing: it is {CUT}")
    alone = "" if player == "D" else ", or of real samples alone"
    of = "d(real) and d(fake) as they are" if player == "D" else "d(fake) as it is, which alone leads to G"
    return NoGradient(component, f"{player}'s loss has no gradient to {player}: it is {CUT}{alone}; compute it of {of}")
