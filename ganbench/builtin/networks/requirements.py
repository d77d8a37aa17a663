"""What networks for square images ask of data and labels, and how they say what does not suit."""

from __future__ import annotations

from collections.abc import Sequence

import torch

import ganbench


def why_not_images(network: str, data: ganbench.DataSpec, sides: Sequence[int]) -> str | None:
    """Return why a network for square images of these sides, in pixels, cannot be built for `data`; None if it can."""
    if data.kind != "images" or len(data.shape) != 3:
        return f"{network} needs images, and these samples are {data.kind} of shape {data.shape}"
    _, height, width = data.shape
    if height != width or height not in sides:
        nearest = min(sides, key=lambda side: abs(side - height))
        return (
            f"{network} is for squares of {', '.join(map(str, sides))} pixels, and these samples have {height}x{width}; "
            f"the nearest is {nearest}x{nearest}"
        )
    return None


def why_no_classes(data: ganbench.DataSpec, conditional: bool) -> str | None:
    """Return why a network cannot be conditional on the classes of `data`, if it is to be; None if it can."""
    if conditional and not data.classes:
        return "conditional = true needs labels, and the data has no classes; conditional = false needs none"
    return None


def refuse(player: str, name: str, why: str | None) -> None:
    """Raise ValueError in the name of the component if there is a reason."""
    if why:
        raise ValueError(f"{player} {name!r}: {why}")


def labels_for(player: str, name: str, classes: int, labels: torch.Tensor | None) -> torch.Tensor | None:
    """Return `labels` if the network has `classes`, else None. Raises ValueError if they are needed and missing."""
    if classes and labels is None:
        raise ValueError(f"{player} {name!r} is conditional and was given no labels")
    return labels if classes else None


def option(trial: ganbench.Trial, player: str, name: str, default: object = None) -> object:
    """Return an option of the trial's generator or discriminator."""
    ref: ganbench.ComponentRef = getattr(trial.components, player)
    return ref.options.get(name, default)


def why_no_room(network: str, data: ganbench.DataSpec, smallest: int, multiple: int = 1) -> str | None:
    """Return why a network for images of any shape cannot be built for `data`; None if it can.

    Args:
        network: Its name, as it begins a sentence.
        data: What samples look like.
        smallest: Fewest pixels of a side.
        multiple: What both sides are multiples of.
    """
    if data.kind != "images" or len(data.shape) != 3:
        return f"{network} needs images, and these samples are {data.kind} of shape {data.shape}"
    _, height, width = data.shape
    if min(height, width) < smallest:
        return f"{network} needs at least {smallest}x{smallest} pixels, and these samples have {height}x{width}"
    if height % multiple or width % multiple:
        return f"{network} needs sides that are multiples of {multiple}, and these samples have {height}x{width}"
    condition = data.condition
    if condition is not None and (len(condition) != 3 or condition[1:] != data.shape[1:]):
        return (
            f"{network} sees an image beside its condition, which has to be of shape (channels, {height}, {width}); this "
            f"data's has {condition}"
        )
    return None


def channels_with_condition(data: ganbench.DataSpec) -> int:
    """Return the channels of an image with its condition beside it, if the data has one."""
    condition = data.condition
    return int(data.shape[0] + (condition[0] if condition is not None else 0))


def join_condition(x: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
    """Return images with their conditions as more channels, or as they are."""
    return x if condition is None else torch.cat([x, condition], dim=1)
