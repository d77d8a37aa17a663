"""The arguments of a monitor: refused, before the loop starts, if they can only be a mistake."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsIndex

from torch import nn

from ..contract.components import Diagnosis
from ..contract.errors import RequestError, did_you_mean
from ..contract.records import ComponentRef
from ..registry.registry import load_registry
from .messages import format_error
from .networks import unwrap


def validate_networks(generator: object, discriminator: object, average: object) -> None:
    """Raise ValueError unless the networks are modules, and each is another one."""
    arguments = {"generator": generator, "discriminator": discriminator, "average": average}
    several = (list, tuple, dict, nn.ModuleList, nn.ModuleDict)  # none of which is called itself
    if isinstance(discriminator, several):
        raise ValueError(
            f"Monitor: discriminator is a {type(discriminator).__name__} of {len(discriminator)}, and a monitor watches one; "
            "make a monitor for each, and call step() of all"
        )
    for name, module in arguments.items():
        if not isinstance(module, nn.Module) and not (name == "average" and module is None):
            raise ValueError(f"Monitor: {name} is a {type(module).__name__}; pass the torch.nn.Module")
    assert isinstance(generator, nn.Module) and isinstance(discriminator, nn.Module)
    if unwrap(generator) is unwrap(discriminator):
        raise ValueError("Monitor: generator and discriminator are the same module; pass one of each")
    if isinstance(average, nn.Module) and unwrap(average) in (unwrap(generator), unwrap(discriminator)):
        raise ValueError("Monitor: average is a network that is trained; pass the copy that is averaged, or None")


def validate_budget(budget: object) -> int:
    """Return the budget as an int. Raise ValueError unless it is a whole number of steps, 1 or more."""
    try:
        steps = operator.index(budget) if isinstance(budget, SupportsIndex) and not isinstance(budget, bool) else 0
    except TypeError:  # a tensor of several values
        steps = 0
    if steps < 1:
        shown = " ".join(repr(budget).split())
        raise ValueError(f"Monitor: budget is {shown}; pass the number of steps that the loop will take, 1 or more")
    return steps


def validate_options(scaler: object, logits: object, on_finding: object) -> None:
    """Raise ValueError for options that could not be used when they are needed."""
    if scaler is not None and not hasattr(scaler, "get_scale"):
        raise ValueError(f"Monitor: scaler is of type {type(scaler).__name__}; pass the loop's GradScaler")
    functions = {
        "logits": (logits, "a function from what the discriminator returns to its logits"),
        "on_finding": (on_finding, "a function of a finding"),
    }
    for name, (value, wanted) in functions.items():
        if value is not None and not callable(value):
            raise ValueError(f"Monitor: {name} is of type {type(value).__name__}; pass {wanted}, or None")


def validate_start(adversarial_from: int, budget: int) -> int:
    """Return the step after which D is trained, below the budget. Raise ValueError if it is anything else."""
    if isinstance(adversarial_from, bool) or not isinstance(adversarial_from, int):
        kind = type(adversarial_from).__name__
        raise ValueError(f"Monitor: adversarial_from is of type {kind}; pass the number of steps before D is trained")
    if not 0 <= adversarial_from < budget:
        raise ValueError(
            f"Monitor: adversarial_from is {adversarial_from} with a budget of {budget}; pass a number of steps from 0 to "
            f"{budget - 1}"
        )
    return adversarial_from


def list_optimizers(optimizers: Any) -> list[Any]:
    """Return optimizers given as one, a sequence, or a mapping, without wrappers. Raise ValueError for anything else."""
    if optimizers is None:
        return []
    if isinstance(optimizers, Mapping):
        listed = list(optimizers.values())
    elif isinstance(optimizers, Sequence) and not isinstance(optimizers, str):
        listed = list(optimizers)
    else:
        listed = [optimizers]
    unwrapped = [getattr(optimizer, "optimizer", optimizer) for optimizer in listed]  # Fabric's wrapper has it there
    for optimizer in unwrapped:
        if not hasattr(optimizer, "param_groups"):
            raise ValueError(
                f"Monitor: optimizers holds a {type(optimizer).__name__}; pass the loop's torch optimizers"
            )
    return unwrapped


def build_diagnoses(names: Sequence[str] | None, add_note: Callable[[str], None]) -> dict[str, Diagnosis]:
    """Build diagnoses with their default options.

    Args:
        names: Those to build; None for every one that is installed and can be built.
        add_note: Called with a line for each diagnosis that is left out.

    Raises:
        ValueError: `names` is not a list of names.
        RequestError: A name is unknown, or its diagnosis cannot be built.
    """
    registry = load_registry()
    installed = [entry.name for entry in registry.entries("diagnosis")]
    diagnoses: dict[str, Diagnosis] = {}
    for name in installed if names is None else _validate_names(names, installed):
        try:
            diagnoses[name] = registry.build("diagnosis", ComponentRef(name))
        except (Exception, SystemExit) as error:
            if names is None:
                add_note(f"left out: diagnosis {name!r}: {format_error(error)}")
            elif isinstance(error, RequestError):
                raise
            else:
                raise RequestError(f"Monitor: diagnosis {name!r} cannot be built: {format_error(error)}") from error
    return diagnoses


def _validate_names(names: Sequence[str], valid: Sequence[str]) -> list[str]:
    """Return names as a list. Raise ValueError for a single name, and for what is not a name."""
    if isinstance(names, str):  # would be read letter by letter
        hint = f", [{names!r}]" if names in valid else f"; {did_you_mean(names, valid)}"
        raise ValueError(f"Monitor: diagnoses is {names!r}; pass a list of names{hint}")
    wanted = f"pass a list of names; {did_you_mean('', valid)}"
    try:
        listed = list(names)
    except TypeError:
        raise ValueError(f"Monitor: diagnoses is of type {type(names).__name__}; {wanted}") from None
    for name in listed:
        if not isinstance(name, str):
            raise ValueError(f"Monitor: diagnoses contains a value of type {type(name).__name__}; {wanted}")
    return listed
