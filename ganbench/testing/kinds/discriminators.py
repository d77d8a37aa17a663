"""Checks of discriminators."""

from __future__ import annotations

from typing import Any

import torch

from ...contract.outputs import combine_heads, mean_over_map
from ...contract.records import Batch
from ...training.input_gradient import input_gradient
from ..candidate import Candidate
from ..check import ContractError, behaviour, check
from ..helpers import networks


@check("discriminator", basic=True)
def gives_one_logit_a_sample(candidate: Candidate) -> None:
    """(N, *shape) gives finite float32 logits (N,), maps (N, ...) or a list of these, for N of 1, 2 and 64.

    They have N / pack rows if it declares `pack`. Each head is computed from its weights, and there are as many for any N.
    """
    networks.check_sizes(
        candidate, lambda network, spec, n, head: (n // int(getattr(network, "pack", 1)), *head.shape[1:])
    )
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    few, many = (networks.inputs_for(candidate, network, spec, networks.round_up_to_pack(network, n)) for n in (4, 16))
    heads, n_heads = networks.run(candidate, network, few), len(networks.run(candidate, network, many))
    if len(heads) != n_heads:
        raise ContractError(
            f"returns {len(heads)} heads for {len(few)} samples and {n_heads} for {len(many)}",
            cause="the batch is returned as a list of samples",
            fix="return one tensor for each head, with all samples",
        )
    has_weights = any(weight.requires_grad for weight in network.parameters())
    for i, head in enumerate(heads, start=1):
        if has_weights and not head.requires_grad:
            raise ContractError(
                f"what it returns as head {i} of {len(heads)} depends on none of its weights",
                cause="a tuple of logits and features, which is read as a list of heads",
                fix='return {"logits": ..., "features": ...}',
            )


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
            n = networks.round_up_to_pack(network, 16)
            given = networks.inputs_for(candidate, network, spec, n, seed=int(scale))
            outputs += networks.run(candidate, network, given.with_x(given.x * scale))
    values = torch.cat([output.flatten() for output in outputs])
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
    given = networks.inputs_for(candidate, network, spec, n)
    with torch.no_grad():
        heads = networks.run(candidate, network, networks.with_equal_conditions(given))
    if all(torch.equal(logits, logits[:1].expand_as(logits)) for logits in heads):
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
    given = networks.inputs_for(candidate, network, spec, networks.round_up_to_pack(network, 16))

    def logits(batch: Batch) -> torch.Tensor:
        return combine_heads([mean_over_map(head) for head in networks.run(candidate, network, batch)], "sum")

    gradient = input_gradient(logits, given)
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
