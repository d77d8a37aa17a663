"""Checks of generators."""

from __future__ import annotations

from typing import Any

import torch

from ...training.noise import has_noise
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check
from ..helpers import networks

ROUNDING = 1e-4  # of the width of the value range: rounding of a tanh


@check("generator", basic=True)
def latent_dim_is_true(candidate: Candidate) -> None:
    """`latent_dim` is the length of the noise vectors that forward takes, and `prior` a known distribution."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).eval()
    dim = getattr(network, "latent_dim", None)
    shape = dim if isinstance(dim, tuple) else (dim,)
    if not shape or not all(type(length) is int and length >= 0 for length in shape):
        raise ContractError(
            f"latent_dim is {dim!r}",
            cause="it is neither an int nor a tuple of them",
            fix="set self.latent_dim in __init__ to the length of the noise vectors, their shape, or 0 for none",
        )
    if getattr(network, "prior", "normal") not in ("normal", "uniform"):
        raise ContractError(
            f"prior is {network.prior!r}",
            cause="the training loop cannot sample from it",
            fix='declare prior = "normal" or prior = "uniform", or transform the noise in forward',
        )
    given = networks.inputs_for(candidate, network, spec, 4)
    longer = (*shape[:-1], shape[-1] + 1)
    with torch.no_grad():
        try:
            networks.run(candidate, network, given)
        except ContractError:
            raise
        except Exception as error:
            raise ContractError(
                f"raises {type(error).__name__} for noise of shape (4, latent_dim) = {(4, *shape)}: {error}",
                cause="latent_dim is not the length that forward takes",
                fix="build the first layer from self.latent_dim",
            ) from error
        if not has_noise(network):
            return  # what it is given says how many samples there are, and no more
        try:
            networks.run(candidate, network, given.with_x(torch.randn(4, *longer)))
        except Exception:
            return  # as it should
    raise ContractError(
        f"takes noise of {'length' if len(shape) == 1 else 'shape'} {longer if len(shape) > 1 else longer[0]} as well as "
        f"of latent_dim = {dim}",
        cause="forward truncates or ignores its input",
        fix="use the whole noise vector, and state its length in latent_dim",
    )


@check("generator", basic=True)
def makes_samples_of_the_data_spec(candidate: Candidate) -> None:
    """(N, latent_dim) gives (N, *shape) in finite float32 on the same device, for N of 1, 2 and 64."""
    networks.check_sizes(candidate, lambda network, spec, n, output: (n, *spec.shape))


@check("generator")
def stays_in_the_value_range(candidate: Candidate) -> None:
    """Samples are in the value range of the data."""
    for spec in candidate.specs():
        if spec.value_range is None:
            continue
        network = candidate.build(spec).eval()
        given = networks.inputs_for(candidate, network, spec, 64)
        with torch.no_grad():
            (x,) = networks.run(candidate, network, given.with_x(10 * given.x))
        low, high = spec.value_range
        slack = ROUNDING * (high - low)
        if x.min() < low - slack or x.max() > high + slack:
            raise ContractError(
                f"generates values from {float(x.min()):.3g} to {float(x.max()):.3g} for data in [{low:g}, {high:g}]",
                cause="the last layer is unbounded, or bounded to another range",
                fix="end in tanh or sigmoid, scaled to data.value_range",
            )


@check("generator")
def latents_matter(candidate: Candidate) -> None:
    """Different noise gives different samples; without noise, different conditions do."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).eval()
    given = networks.inputs_for(candidate, network, spec, 8)
    if not has_noise(network) and given.condition is None:
        raise NotApplicable("it takes no noise, and this data has no conditions")
    with torch.no_grad():
        same = networks.with_equal_conditions(given) if has_noise(network) else given
        (x,) = networks.run(candidate, network, same)
    if torch.equal(x[0], x[1]):
        raise ContractError(
            f"generates the same sample from different {'noise' if has_noise(network) else 'conditions'}",
            cause=f"forward does not use {'z' if has_noise(network) else 'condition'}",
            fix=f"compute the samples from {'z' if has_noise(network) else 'condition'}",
        )


@check("generator")
def gradients_reach_every_weight(candidate: Candidate) -> None:
    """Every trainable weight gets a finite gradient."""
    networks.check_gradients(candidate)


@check("generator", needs=("latents-matter",))
def can_be_frozen(candidate: Candidate) -> None:
    """With frozen weights, these get no gradient and its input does."""
    networks.check_frozen(candidate)


@check("generator", needs=("keeps-no-hidden-state",))
def state_survives_saving(candidate: Candidate) -> None:
    """Its state_dict, loaded into another copy, gives the same samples."""
    networks.check_state(candidate)


@check("generator")
def keeps_no_hidden_state(candidate: Candidate) -> None:
    """Functional calls, copies and repeated calls give the same samples in evaluation mode."""
    networks.check_functional(candidate)


@check("generator")
def is_built_in_training_mode(candidate: Candidate) -> None:
    """It is in training mode when it is built, if it has layers that depend on the mode."""
    networks.check_training_mode(candidate)


@behaviour("generator")
def behaves(candidate: Candidate) -> Any:
    """Return its first samples."""
    return networks.describe(candidate)
