"""Some values of every weight of a network, bit for bit, to see whether training changes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

MAX_VALUES = 8192  # of a network
MIN_VALUES_PER_WEIGHT, MAX_VALUES_PER_WEIGHT = 4, 256


def hidden_weights(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights of modules that a network holds in plain lists, tuples or dicts, and does not know as its own."""
    known = {id(weight) for weight in network.parameters()}
    found: dict[str, nn.Parameter] = {}
    for owner, module in network.named_modules():
        for attribute, held in vars(module).items():
            if attribute.startswith("_"):  # of torch's own
                continue
            for place, hidden in _modules_in(held):
                for name, weight in hidden.named_parameters():
                    if id(weight) not in known:
                        known.add(id(weight))
                        found[".".join(filter(None, (owner, f"{attribute}[{place}]", name)))] = weight
    return found


def _modules_in(held: object) -> Iterator[tuple[str, nn.Module]]:
    pairs = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list | tuple) else ()
    for place, value in pairs:
        if isinstance(value, nn.Module):
            yield repr(place), value


class WeightSample:
    """Copies of some values of weights, spread over each of them.

    Args:
        weights: The weights. Those that are not there yet (lazy ones) are left out.
        values: Their values at an earlier moment; those of now by default.
    """

    def __init__(self, weights: Sequence[nn.Parameter], values: Sequence[Tensor] | None = None) -> None:
        self._weights = [weight for weight in weights if not nn.parameter.is_lazy(weight) and weight.numel()]
        each = MAX_VALUES // max(len(self._weights), 1)
        self._each = min(MAX_VALUES_PER_WEIGHT, max(MIN_VALUES_PER_WEIGHT, each))
        self.values = self._read() if values is None else list(values)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compare."""
        return not self.values

    def has_changed(self) -> bool:
        """Return whether any value has changed since, in any bit; waits for the device."""
        now = self._read()
        changed = [torch.ne(a, b.to(a.device, a.dtype)).any() for a, b in zip(self.values, now, strict=True)]
        return bool(torch.stack([flag.cpu() for flag in changed]).any()) if changed else False

    @torch.no_grad()
    def _read(self) -> list[Tensor]:
        """Return the values, all those of one device and type together."""
        groups: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
        for weight in self._weights:
            values = weight.detach().flatten()
            stride = max(1, len(values) // self._each)
            groups.setdefault((values.device, values.dtype), []).append(values[::stride][: self._each])
        return [torch.cat(values).clone() for values in groups.values()]
