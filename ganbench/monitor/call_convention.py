"""A forward call that the loop made, remembered well enough to be made again with other samples.

How a loop calls its networks, learned from calls that it made: what is a sample, a latent, a condition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .calls import Call
from .capture import Judged, Made, Window

ALIKE = 0.5  # of many samples: standard deviations that a mean may be off, and the logarithm of their ratio


class Unlike(ValueError):
    """D is given other things than G makes."""


@dataclass(frozen=True)
class Conventions:
    """A call of each network to be repeated with other samples, and the places of these in it.

    `sample` counts the tensors that G returns, `slot` the arguments of D; `shape` is that of one sample as D gets it.
    """

    made: Call
    sample: int
    judged: Call
    slot: int
    shape: tuple[int, ...]

    @property
    def conditions(self) -> tuple[int, ...]:
        """The arguments of D that have a row for each sample and are not the sample."""
        return tuple(i for i in self.judged.batched if i != self.slot)


@dataclass(frozen=True)
class CallConvention:
    """What a window taught: the conventions, and rows to draw from.

    A row of `made`: G's arguments of one sample, and then D's conditions for it. A row of `real`: a sample that D was
    given as real, and the conditions with it; none where real and generated cannot be told apart.
    """

    conventions: Conventions
    made: list[list[Tensor]]
    real: list[list[Tensor]]


def infer(window: Window) -> CallConvention:
    """The lesson of a window with calls of both networks. Raises Unlike where their samples have nothing in common."""
    pairs, rest = paired(window)
    pairs = pairs or made_of(window)
    conventions = _conventions(window, pairs)
    once = {pair.made: pair for pair in reversed(pairs)}.values()  # D is given the same samples more than once
    made = [
        [pair.made.call.leaves[i] for i in pair.made.call.batched]
        + [pair.call.leaves[i] for i in conventions.conditions]
        for pair in once
        if (pair.made.call.spec, pair.call.spec) == (conventions.made.spec, conventions.judged.spec)
        and pair.made.call.n == pair.call.n
    ]
    if not pairs and not conventions.conditions:
        made = [[seen.call.leaves[i] for i in seen.call.batched] for seen in window.made]
    told_apart = any(not pair.learns for pair in pairs)
    return CallConvention(conventions, [_even(row) for row in made], _real(conventions, rest) if told_apart else [])


def _conventions(window: Window, pairs: list[Pair]) -> Conventions:
    """From the last step of G that was seen, else from what there is."""
    if pairs:
        pair = next((p for p in reversed(pairs) if p.learns), pairs[-1])
        _check_alike(pair)
        return _of(pair.made, pair.output, pair.call, pair.slot)
    made = window.made[-1]
    for judged in window.judged:
        for slot in judged.call.batched:
            given = judged.call.leaves[slot]
            for i, output in enumerate(made.outputs):
                same = given.ndim > 1 and output.ndim > 1 and given[0].numel() == output[0].numel()
                if same and given.is_floating_point():
                    return _of(made, i, judged.call, slot)
    given = [tuple(judged.call.leaves[slot].shape[1:]) for judged in window.judged for slot in judged.call.batched]
    raise Unlike(
        f"the generator makes samples of shape {[tuple(o.shape[1:]) for o in made.outputs]} and the discriminator is "
        f"given {sorted(set(given))}: nothing that it is given could be a generated sample"
    )


def _of(made: Made, output: int, judged: Call, slot: int) -> Conventions:
    return Conventions(made.call, output, judged, slot, tuple(judged.leaves[slot].shape[1:]))


def _check_alike(pair: Pair) -> None:
    """Raises Unlike where D is given something else than what G made, such as another range of values."""
    made, given = pair.made.outputs[pair.output], pair.call.leaves[pair.slot]
    if made[0].numel() != given[0].numel():
        raise Unlike(
            f"the generator makes samples of shape {tuple(made.shape[1:])} and the discriminator is given "
            f"{tuple(given.shape[1:])} made of them; hand over a generator that includes that step"
        )
    if not alike(made, given):
        raise Unlike(
            f"the discriminator is not given what the generator makes, but values with mean {float(given.mean()):.3g} "
            f"and standard deviation {float(given.std()):.3g} where it makes {float(made.mean()):.3g} and "
            f"{float(made.std()):.3g}; hand over a generator that includes that step"
        )


def alike(a: Tensor, b: Tensor) -> bool:
    """Whether two sets of samples may have the same range: mean and standard deviation of all values are near."""
    a, b = a.detach().double(), b.detach().double()
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        return True  # what is broken is said elsewhere
    spread_a, spread_b = (max(float(values.std(correction=0)), 1e-12) for values in (a, b))
    allowed = ALIKE * (1 + 4 / math.sqrt(min(len(a), len(b))))
    far = abs(float(a.mean()) - float(b.mean())) / max(spread_a, spread_b)
    return far < allowed and abs(math.log(spread_a / spread_b)) < allowed


def _real(conventions: Conventions, rest: list[tuple[Call, bool]]) -> list[list[Tensor]]:
    """Samples that D was given and that are not G's; those that want a gradient may be interpolations."""
    slot = conventions.slot
    fitting = [
        (call, tracked)
        for call, tracked in rest
        if call.spec == conventions.judged.spec and tuple(call.leaves[slot].shape[1:]) == conventions.shape
    ]
    plain = [call for call, tracked in fitting if not tracked] or [call for call, _ in fitting]
    return [_even([call.leaves[slot].float(), *(call.leaves[i] for i in conventions.conditions)]) for call in plain]


def _even(columns: list[Tensor]) -> list[Tensor]:
    """Columns cut to the shortest: of what takes more memory fewer rows are kept."""
    n = min((len(column) for column in columns), default=0)
    return [column[:n] for column in columns]


@dataclass(frozen=True)
class Pair:
    """A call of D, or a part of one, and the call of G whose samples it was given."""

    made: Made
    call: Call
    slot: int
    output: int
    learns: bool


def paired(window: Window) -> tuple[list[Pair], list[tuple[Call, bool]]]:
    """What D was given of G's as it is, by memory or by value, and the calls that are left, each with `tracked`."""
    pairs, rest = [], []
    for judged in window.judged:
        if judged.link == "same" and judged.made is not None and judged.slot is not None:
            pairs.append(Pair(judged.made, judged.call, judged.slot, judged.output, judged.learns))
        elif judged.link is None:
            for call in _parts(judged, window):
                pair = _equal(call, window)
                if pair is None:
                    rest.append((call, judged.tracked))
                else:
                    pairs.append(pair)
    return pairs, rest


def made_of(window: Window) -> list[Pair]:
    """What D was given that was made of G's samples, as the autograd graph tells."""
    return [
        Pair(j.made, j.call, j.slot, _output(j.made, j.call, j.slot), j.learns)
        for j in window.judged
        if j.link == "through" and j.made is not None and j.slot is not None
    ]


def _parts(judged: Judged, window: Window) -> list[Call]:
    """The call; or its two halves, where D may have been given real and generated samples in one batch."""
    call = judged.call
    half = call.n // 2
    if call.n != 2 * half or all(made.call.n != half for made in window.made):
        return [call]
    return [part for part in (call.cut(slice(0, half)), call.cut(slice(half, None))) if part.kept]


def _equal(call: Call, window: Window) -> Pair | None:
    """The pair that a call makes with a call of G that returned its samples."""
    for made in reversed(window.made):
        for slot in call.batched:
            for i, output in enumerate(made.outputs):
                given = call.leaves[slot]
                rows = min(len(given), len(output)) if output.ndim and given.is_floating_point() else 0
                if not rows or given[0].numel() != output[0].numel():
                    continue
                a, b = given[:rows].flatten(1).float(), output[:rows].flatten(1).float()
                if a.shape == b.shape and torch.equal(a, b.to(a.device)):
                    return Pair(made, call, slot, i, learns=False)
    return None


def _output(made: Made, call: Call, slot: int) -> int:
    """Which of G's tensors is the sample that D was given something made of."""
    size = call.leaves[slot][0].numel()
    return next((i for i, o in enumerate(made.outputs) if o.ndim and len(o) and o[0].numel() == size), 0)
