"""Advice in the words of the loop that was seen: settings of a suite mean nothing to a program of somebody's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..contract.failures import Failure
from ..contract.records import Finding, Player, Remedy

UNBALANCED = 4.0  # ratio of learning rates from which it is worth a word
LOSSES = {
    "relativistic": "the relativistic loss softplus(D(G(z)) - D(x)) for D and softplus(D(x) - D(G(z))) for G",
    "non-saturating": "the non-saturating loss softplus(-D(x)) + softplus(D(G(z))) for D and softplus(-D(G(z))) for G",
    "wasserstein": "the Wasserstein loss with a gradient penalty",
    "hinge": "the hinge loss",
    "least-squares": "the least-squares loss",
}
PENALTIES = {
    "r1": "R1 (half of the weight times the squared norm of D's gradient at real samples)",
    "r2": "R2 (the same at generated samples)",
    "gradient-penalty": "a gradient penalty between real and generated samples",
}
FASTER: dict[str, Player] = {  # the player that is too fast where a failure is found
    Failure.OVERPOWERING_DISCRIMINATOR: "discriminator",
    Failure.WEAK_DISCRIMINATOR: "generator",
    Failure.MODE_COLLAPSE: "generator",
}
LETTERS: dict[Player, str] = {"discriminator": "D", "generator": "G"}


def in_words_of_loop(finding: Finding, learning_rates: Mapping[Player, float]) -> Finding:
    """Return a finding whose remedy names what to change in a program, instead of settings of a suite.

    Args:
        finding: The finding.
        learning_rates: Those that were seen, by player.
    """
    parts = [*_on_rates(finding.diagnosis, learning_rates), *_from_settings(finding.remedy.settings, learning_rates)]
    if finding.remedy.advice:
        parts.append(finding.remedy.advice)
    return replace(finding, remedy=Remedy(advice="; ".join(parts)))


def _on_rates(diagnosis: str, rates: Mapping[Player, float]) -> Iterator[str]:
    """Say which player learns much faster, where that fits what was found."""
    faster = FASTER.get(diagnosis)
    if faster is None or len(rates) < 2:
        return
    slower: Player = "generator" if faster == "discriminator" else "discriminator"
    if rates[slower] > 0 and (ratio := rates[faster] / rates[slower]) >= UNBALANCED:
        yield (
            f"{LETTERS[faster]}'s learning rate ({rates[faster]:.3g}) is {ratio:.0f} times {LETTERS[slower]}'s "
            f"({rates[slower]:.3g}): give both the same"
        )


def _from_settings(settings: Mapping[str, Any], rates: Mapping[Player, float]) -> Iterator[str]:
    """Say what settings of a suite mean, where they mean something outside of one."""
    if (loss := settings.get("loss")) is not None:
        name = loss["name"] if isinstance(loss, Mapping) else str(loss)
        yield LOSSES.get(name, f"the {name} loss")
    if settings.get("d_warmup") == 0 or settings.get("d_steps") == 1 or settings.get("g_steps") == 1:
        yield "one update of D for each update of G"
    penalties = settings.get("regularizers") or settings.get("images", {}).get("regularizers") or ()
    names = [penalty["name"] if isinstance(penalty, Mapping) else str(penalty) for penalty in penalties]
    if names:
        yield "a penalty on D: " + " and ".join(PENALTIES.get(name, name) for name in names)
    optimizer = settings.get("optimizer")
    if isinstance(optimizer, Mapping) and "betas" in optimizer:
        yield f"{str(optimizer.get('name', 'adam')).capitalize()} with betas {tuple(optimizer['betas'])} for both"
