"""Checks of optimizers, on a small quadratic problem."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ..candidate import Candidate, example_parameters
from ..check import ContractError, behaviour, check

STEPS = 20


def build(candidate: Candidate) -> tuple[list[nn.Parameter], Any]:
    """Return some weights, and the optimizer over them."""
    weights = example_parameters()
    return weights, candidate.build(weights)


def descend(weights: list[nn.Parameter], optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """Minimize half the sum of squares of the weights; return its value before each step."""
    values = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = sum((weight.square().sum() / 2 for weight in weights), torch.zeros(()))
        value.backward()
        optimizer.step()
        values.append(float(value.detach()))
    return values


@check("optimizer", basic=True)
def is_a_torch_optimizer(candidate: Candidate) -> None:
    """It is a `torch.optim.Optimizer` that holds every weight it was given, each group with a learning rate."""
    weights, optimizer = build(candidate)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ContractError(
            f"builds {type(optimizer).__name__}, which is no torch.optim.Optimizer",
            cause="a wrapper, or a function that does not return the optimizer",
            fix="return a subclass of torch.optim.Optimizer",
        )
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    if held != {id(weight) for weight in weights}:
        raise ContractError(
            f"holds {len(held)} weights, and was given {len(weights)}",
            cause="the parameters are filtered, or an iterator was gone through twice",
            fix="hand all of `parameters` to the optimizer, as list(parameters)",
        )
    for group in optimizer.param_groups:
        if not isinstance(group.get("lr"), float) or not group["lr"] > 0:
            raise ContractError(
                f"has a group with lr = {group.get('lr')!r}",
                cause="the learning rate is kept elsewhere than in param_groups, or is no number",
                fix="give each group a float 'lr', which a suite's lr_decay scales",
            )


@check("optimizer")
def descends(candidate: Candidate) -> None:
    """It reduces a convex function of its weights."""
    weights, optimizer = build(candidate)
    values = descend(weights, optimizer, STEPS)
    if not values[-1] < values[0]:
        raise ContractError(
            f"half the sum of squares of its weights goes from {values[0]:.6g} to {values[-1]:.6g} in {STEPS} steps",
            cause="a wrong sign, a learning rate that is far too large, or step() changes copies",
            fix="step against the gradient, in place",
        )


@check("optimizer")
def steps_in_place(candidate: Candidate) -> None:
    """It changes weights in place, and leaves those without a gradient as they are."""
    weights, optimizer = build(candidate)
    pointers = [weight.data_ptr() for weight in weights]
    descend(weights[:1], optimizer, 1)
    if [weight.data_ptr() for weight in weights] != pointers:
        raise ContractError(
            "moves a weight to other memory",
            cause="an assignment to `weight.data`",
            fix="change weights in place, as with weight.add_(...)",
        )
    if not torch.equal(weights[1], example_parameters()[1]):
        raise ContractError(
            "changes a weight that has no gradient",
            cause="weights without a gradient are not passed over",
            fix="skip weights whose .grad is None",
        )


@check("optimizer")
def resumes(candidate: Candidate) -> None:
    """Built anew and given its `state_dict`, it goes on bit for bit as it would have."""
    weights, optimizer = build(candidate)
    descend(weights, optimizer, 3)
    others = [nn.Parameter(weight.detach().clone()) for weight in weights]
    again = candidate.build(others)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    descend(weights, optimizer, 3)
    descend(others, again, 3)
    if not all(torch.equal(a, b) for a, b in zip(weights, others, strict=True)):
        raise ContractError(
            "goes on otherwise from its state_dict than without a break",
            cause="something that steps depend on is kept outside of `state` and `param_groups`",
            fix="keep it in self.state or in the groups, which state_dict saves",
        )


@behaviour("optimizer")
def behaves(candidate: Candidate) -> Any:
    """Return the weights after some steps."""
    weights, optimizer = build(candidate)
    return [descend(weights, optimizer, 5), [weight.detach().flatten().tolist() for weight in weights]]
