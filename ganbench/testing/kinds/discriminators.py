"""Checks of discriminators."""

from __future__ import annotations

from typing import Any

import torch

from ...contract.records import Batch
from ...training.input_gradient import input_gradient
from ..candidate import Candidate
from ..check import ContractError, behaviour, check
from ..helpers import networks


@check("discriminator", basic=True)
def gives_one_logit_a_sample(candidate: Candidate) -> None:
    """(N, *shape) gives finite float32 logits (N,), or (N / pack,) if it declares `pack`, for N of 1, 2 and 64."""
    networks.check_sizes(candidate, lambda network, spec, n: (n // int(getattr(network, "pack", 1)),))


@check("discriminator")
def gives_logits_not_probabilities(candidate: Candidate) -> None:
    """It returns logits, not probabilities: losses apply their own sigmoid."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    with torch.no_grad():
        outputs = []
        for scale in (1.0, 30.0):
            for name, weight in network.named_parameters():
                if name.endswith("bias"):
                    weight.copy_(torch.randn_like(weight))
            x, labels = networks.inputs_for(
                candidate, network, spec, networks.round_up_to_pack(network, 16), seed=int(scale)
            )
            outputs.append(network(x * scale, labels))
    values = torch.cat(outputs)
    if values.min() >= 0 and values.max() <= 1:
        raise ContractError(
            "all of its outputs are in [0, 1], also for inputs 30 times too large: they look like probabilities",
            cause="a sigmoid at the end of the network",
            fix="remove the last sigmoid and return logits",
        )


@check("discriminator")
def input_matters(candidate: Candidate) -> None:
    """Different samples get different logits."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).eval()
    n = networks.round_up_to_pack(network, 16)
    x, labels = networks.inputs_for(candidate, network, spec, n)
    with torch.no_grad():
        logits = network(x, None if labels is None else torch.zeros_like(labels))
    if torch.equal(logits, logits[:1].expand_as(logits)):
        raise ContractError(
            "gives every sample the same logit",
            cause="forward does not use x",
            fix="compute the logits from x",
        )


@check("discriminator")
def gradients_reach_every_weight(candidate: Candidate) -> None:
    """Every trainable weight gets a finite gradient."""
    networks.check_gradients(candidate)


@check("discriminator", needs=("input-matters",))
def can_be_frozen(candidate: Candidate) -> None:
    """With frozen weights, these get no gradient and the samples do."""
    networks.check_frozen(candidate)


@check("discriminator", needs=("can-be-frozen",))
def gradient_penalties_reach_its_weights(candidate: Candidate) -> None:
    """Its input gradient can be differentiated again, so that gradient penalties work."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    x, labels = networks.inputs_for(candidate, network, spec, networks.round_up_to_pack(network, 16))
    gradient = input_gradient(lambda batch: network(batch.x, batch.labels), Batch(x, labels))
    if gradient.requires_grad:
        gradient.square().sum().backward()
    if not any(weight.grad is not None and weight.grad.any() for weight in network.parameters()):
        raise ContractError(
            "the gradient of its input gradient reaches no weight",
            cause="an operation without a second derivative, or a detach()",
            fix="use twice differentiable operations, or declare this check in expected_failures",
        )


@check("discriminator", needs=("keeps-no-hidden-state",))
def state_survives_saving(candidate: Candidate) -> None:
    """Its state_dict, loaded into another copy, gives the same logits."""
    networks.check_state(candidate)


@check("discriminator")
def keeps_no_hidden_state(candidate: Candidate) -> None:
    """Functional calls, copies and repeated calls give the same logits in evaluation mode."""
    networks.check_functional(candidate)


@check("discriminator")
def is_built_in_training_mode(candidate: Candidate) -> None:
    """It is in training mode when it is built, if it has layers that depend on the mode."""
    networks.check_training_mode(candidate)


@behaviour("discriminator")
def behaves(candidate: Candidate) -> Any:
    """Return its first logits."""
    return networks.describe(candidate)
