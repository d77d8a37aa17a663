"""What a monitor is made with: refused where it can only be a mistake."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from torch import nn

from ..contract.errors import RequestError, did_you_mean
from ..contract.records import ComponentRef
from ..registry.registry import load_registry
from .messages import format_error
from .wrappers import innermost


def check(generator: object, discriminator: object, average: object, budget: object) -> None:
    """Raises ValueError for what can only be a mistake in the call itself."""
    named = {"generator": generator, "discriminator": discriminator, "average": average}
    for name, module in named.items():
        if not isinstance(module, nn.Module) and not (name == "average" and module is None):
            raise ValueError(f"Monitor: {name} is a {type(module).__name__}; hand over the torch.nn.Module")
    assert isinstance(generator, nn.Module) and isinstance(discriminator, nn.Module)
    if innermost(generator) is innermost(discriminator):
        raise ValueError("Monitor: generator and discriminator are the same module; hand over one of each")
    if isinstance(average, nn.Module) and innermost(average) in (innermost(generator), innermost(discriminator)):
        raise ValueError(
            "Monitor: average is a network that is trained; hand over the copy that is averaged, or nothing"
        )
    if _whole(budget) < 1:
        shown = " ".join(repr(budget).split())
        raise ValueError(f"Monitor: budget is {shown}; give the number of steps that the loop will take, 1 or more")


def check_aids(scaler: object, logits: object, on_finding: object) -> None:
    """Raises ValueError for what could not be used when its turn comes."""
    if scaler is not None and not hasattr(scaler, "get_scale"):
        raise ValueError(f"Monitor: scaler is of type {type(scaler).__name__}; hand over the loop's GradScaler")
    functions = {
        "logits": (logits, "a function from what the discriminator returns to its logits"),
        "on_finding": (on_finding, "a function of a finding"),
    }
    for name, (given, wanted) in functions.items():
        if given is not None and not callable(given):
            raise ValueError(f"Monitor: {name} is of type {type(given).__name__}; hand over {wanted}, or nothing")


def built(names: Sequence[str] | None, say: Callable[[str], None]) -> dict[str, Any]:
    """The diagnoses, with their defaults: those named, or all that can be made, and `say` hears of the others.

    Raises ValueError for what are no names, RequestError for a name that is none, or whose diagnosis cannot be made.
    """
    registry = load_registry()
    every = [entry.name for entry in registry.entries("diagnosis")]
    made = {}
    for name in every if names is None else _listed(names, every):
        try:
            made[name] = registry.build("diagnosis", ComponentRef(name))
        except (Exception, SystemExit) as error:
            if names is None:
                say(f"left out: diagnosis {name!r}: {format_error(error)}")
            elif isinstance(error, RequestError):
                raise
            else:
                raise RequestError(f"Monitor: diagnosis {name!r} cannot be made: {format_error(error)}") from error
    return made


def _whole(number: object) -> int:
    """0 for what is no whole number."""
    try:
        return 0 if isinstance(number, bool) else operator.index(cast(int, number))
    except TypeError:
        return 0


def _listed(names: object, valid: Sequence[str]) -> list[str]:
    """Names in a list. Raises ValueError for one name that stands alone, and for what is no name."""
    if isinstance(names, str):  # would be read letter by letter
        hint = f", [{names!r}]" if names in valid else f"; {did_you_mean(names, valid)}"
        raise ValueError(f"Monitor: diagnoses is {names!r}; give a list of names{hint}")
    wanted = f"give a list of names; {did_you_mean('', valid)}"
    try:
        listed = list(cast(Iterable[object], names))
    except TypeError:
        raise ValueError(f"Monitor: diagnoses is of type {type(names).__name__}; {wanted}") from None
    for name in listed:
        if not isinstance(name, str):
            raise ValueError(f"Monitor: diagnoses holds something of type {type(name).__name__}; {wanted}")
    return cast(list[str], listed)
