"""All that a step of a game may change, kept apart: to go back to it in place, and to compare another outcome with it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .game import GAN
from .seeding import restore_rng_state, rng_state


class Moment:
    """A game at a moment.

    Tensors are gone back to in place, since what is recorded refers to them by where they are in memory. Components are
    taken to remember nothing in Python (`PythonState`).

    Args:
        gan: The game.
        tensors: Tensors whose contents a step may change, beside those of the networks and optimizers.
        generators: Random number generators beside those of the game.
        in_place: Optimizers whose averages are gone back to in place; the others by `load_state_dict`.
        losses: Losses of the step that led here.
    """

    def __init__(
        self,
        gan: GAN,
        tensors: Iterable[Tensor] = (),
        generators: Sequence[torch.Generator] = (),
        in_place: Sequence[torch.optim.Optimizer] = (),
        losses: Sequence[Tensor] = (),
    ) -> None:
        self._gan = gan
        self._attributes = dict(vars(gan))
        found = [*_tensors_of(gan), *tensors, *(value for one in in_place for value in _averages(one))]
        self._tensors = list({id(tensor): tensor for tensor in found}.values())
        self._contents = [tensor.detach().clone() for tensor in self._tensors]
        self._optimizers = [
            (one, copy.deepcopy(one.state_dict()))
            for one in (gan.optimizer_d, gan.optimizer_g)
            if not any(one is other for other in in_place)
        ]
        self._generators = [*gan.generators, *generators]
        self._random = [generator.get_state() for generator in self._generators]
        self._global = rng_state(gan.device)
        self._gradients = [(weight, weight.grad) for weight in _weights_of(gan)]
        self._losses = [loss.clone() for loss in losses]

    @torch.no_grad()
    def restore(self) -> None:
        """Let the game be as it was."""
        for tensor, content in zip(self._tensors, self._contents, strict=True):
            tensor.copy_(content)
        for optimizer, state in self._optimizers:
            optimizer.load_state_dict(copy.deepcopy(state))
        for generator, place in zip(self._generators, self._random, strict=True):
            generator.set_state(place)
        restore_rng_state(self._global, self._gan.device)
        for weight, gradient in self._gradients:
            weight.grad = gradient
        vars(self._gan).clear()
        vars(self._gan).update(self._attributes)

    def first_difference(self, losses: Sequence[Tensor]) -> str | None:
        """Return what of the game, and of the losses of the step that led to it, is not the same bit for bit as here."""
        gan = self._gan
        for number, (loss, before) in enumerate(zip(losses, self._losses, strict=True)):
            if not is_identical(loss, before):
                return f"the loss of {'DG'[number]}"
        for tensor, content in zip(self._tensors, self._contents, strict=True):
            if not is_identical(tensor, content):
                return f"{self._name_of(tensor)} of shape {tuple(tensor.shape)}"
        for optimizer, state in self._optimizers:
            if not _is_same_tree(optimizer.state_dict(), state):
                return f"the state of {type(optimizer).__name__}"
        for weight, gradient in self._gradients:
            if not _is_same_tree(weight.grad, gradient):
                return f"the gradient of {self._name_of(weight)}"
        now = [generator.get_state() for generator in self._generators]
        if not _is_same_tree(now, self._random) or not _is_same_tree(rng_state(gan.device), self._global):
            return "how many random numbers are drawn"
        counted = ("steps_done", "d_updates")
        if any(getattr(gan, name) != self._attributes[name] for name in counted):
            return "how many updates are made"
        return None if _is_same_tree(gan.last_batch, _last_batch(self._attributes)) else "the batch that was drawn"

    def _name_of(self, tensor: Tensor) -> str:
        for player, network in (("G", self._gan.generator), ("D", self._gan.discriminator)):
            for name, value in [*network.named_parameters(), *network.named_buffers()]:
                if value is tensor:
                    return f"{name} of {player}"
        return "a tensor"


def is_identical(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are the same bit for bit, values that are no numbers included."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    bits_a, bits_b = (tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (a, b))
    return torch.equal(bits_a, bits_b)


def _last_batch(attributes: dict[str, Any]) -> tuple[Any, ...]:
    real = attributes["_real"]
    return real.x, real.labels, real.condition


def _weights_of(gan: GAN) -> Iterator[Tensor]:
    yield from gan.discriminator.parameters()
    yield from gan.generator.parameters()


def _tensors_of(gan: GAN) -> Iterator[Tensor]:
    for network in (gan.generator, gan.discriminator, gan.average):
        if network is not None:
            yield from network.parameters()
            yield from network.buffers()


def _averages(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor))


def _is_same_tree(a: Any, b: Any) -> bool:
    """Whether two trees of containers, tensors, arrays and plain values are the same."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return is_identical(a, b)
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_is_same_tree(value, b[key]) for key, value in a.items())
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_is_same_tree, a, b))
    if hasattr(a, "tobytes"):
        return bool(a.tobytes() == b.tobytes())
    return bool(a == b or (a != a and b != b))
