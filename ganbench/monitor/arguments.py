"""What a monitor is made with: refused where it can only be a mistake."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

from torch import nn

from .. import catalog as catalogs
from ..errors import RequestError
from ..records import ComponentRef
from .notices import told
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
    whole = hasattr(budget, "__index__") and not isinstance(budget, bool)
    if not whole or operator.index(cast(int, budget)) < 1:
        raise ValueError(f"Monitor: budget is {budget!r}; give the number of steps that the loop will take, 1 or more")


def built(names: Sequence[str] | None, say: Callable[[str], None]) -> dict[str, Any]:
    """The diagnoses, with their defaults: those named, or all that can be made, and `say` hears of the others.

    Raises RequestError for a name that is none, or whose diagnosis cannot be made.
    """
    catalog = catalogs.load()
    made = {}
    for name in [entry.name for entry in catalog.entries("diagnosis")] if names is None else names:
        try:
            made[name] = catalog.build("diagnosis", ComponentRef(name))
        except (Exception, SystemExit) as error:
            if names is None:
                say(f"left out: diagnosis {name!r}: {told(error)}")
            elif isinstance(error, RequestError):
                raise
            else:
                raise RequestError(f"Monitor: diagnosis {name!r} cannot be made: {told(error)}") from error
    return made
