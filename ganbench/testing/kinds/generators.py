"""What is asked of a generator."""

from __future__ import annotations

from typing import Any

import torch

from ..candidate import Candidate
from ..check import ContractError, behaviour, check
from ..helpers import networks

TOLERANCE = 1e-4  # of the width of the value range: rounding of a tanh


@check("generator", basic=True)
def latent_dim_is_true(candidate: Candidate) -> None:
    """`latent_dim` is the width of the latents that forward takes, and its prior is one there is."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).eval()
    dim = getattr(network, "latent_dim", None)
    if not isinstance(dim, int) or dim < 1:
        raise ContractError(
            f"latent_dim is {dim!r}",
            cause="the attribute is missing",
            fix="set self.latent_dim in __init__ to the width of the latents, a positive int",
        )
    if getattr(network, "prior", "normal") not in ("normal", "uniform"):
        raise ContractError(
            f"prior is {network.prior!r}",
            cause="a prior that the loop cannot draw from",
            fix='declare prior = "normal" or prior = "uniform", or transform the latents in forward',
        )
    labels = networks.inputs_for(candidate, network, spec, 4)[1]
    with torch.no_grad():
        try:
            network(torch.randn(4, dim), labels)
        except Exception as error:
            raise ContractError(
                f"latents of shape (4, latent_dim) = (4, {dim}) are refused: {error}",
                cause="latent_dim states another width than forward takes",
                fix="build the first layer from self.latent_dim",
            ) from error
        try:
            network(torch.randn(4, dim + 1), labels)
        except Exception:
            return  # as it should: the width means something
    raise ContractError(
        f"takes latents of width {dim + 1} as well as of latent_dim = {dim}",
        cause="forward cuts or ignores its latents",
        fix="use all of the latents, and state their width in latent_dim",
    )


@check("generator", basic=True)
def makes_samples_of_the_data_spec(candidate: Candidate) -> None:
    """(N, latent_dim) gives (N, *shape) in finite float32 on the same device, for N of 1, 2 and 64."""
    networks.check_sizes(candidate, lambda network, spec, n: (n, *spec.shape))


@check("generator")
def stays_in_the_value_range(candidate: Candidate) -> None:
    """Samples lie in the value range that the data states."""
    for spec in candidate.specs():
        if spec.value_range is None:
            continue
        network = candidate.build(spec).eval()
        z, labels = networks.inputs_for(candidate, network, spec, 64)
        with torch.no_grad():
            x = network(10 * z, labels)
        low, high = spec.value_range
        slack = TOLERANCE * (high - low)
        if x.min() < low - slack or x.max() > high + slack:
            raise ContractError(
                f"makes values from {float(x.min()):.3g} to {float(x.max()):.3g} for data in [{low:g}, {high:g}]",
                cause="the last layer is unbounded, or bounded to another range",
                fix="end in tanh or sigmoid, scaled to data.value_range",
            )


@check("generator")
def latents_matter(candidate: Candidate) -> None:
    """Different latents give different samples."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).eval()
    z, labels = networks.inputs_for(candidate, network, spec, 8)
    with torch.no_grad():
        x = network(z, None if labels is None else torch.zeros_like(labels))
    if torch.equal(x[0], x[1]):
        raise ContractError(
            "makes the same sample of different latents",
            cause="forward does not use its latents",
            fix="start from z",
        )


@check("generator")
def gradients_reach_every_weight(candidate: Candidate) -> None:
    """Every weight that learns gets a finite gradient."""
    networks.check_gradients(candidate)


@check("generator")
def can_be_frozen(candidate: Candidate) -> None:
    """Frozen, it computes no gradient for its weights, and still passes one to its input."""
    networks.check_frozen(candidate)


@check("generator")
def state_survives_saving(candidate: Candidate) -> None:
    """Saved and loaded into another copy, it makes the same samples."""
    networks.check_state(candidate)


@check("generator")
def keeps_no_hidden_state(candidate: Candidate) -> None:
    """As a function of its weights, as a copy and a second time, it makes the same samples in evaluation mode."""
    networks.check_functional(candidate)


@behaviour("generator")
def behaves(candidate: Candidate) -> Any:
    """Its first samples."""
    return networks.behaviour_of(candidate)
