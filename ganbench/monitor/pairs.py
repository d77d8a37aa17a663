"""Which calls of D were given what G made: by memory, by value, or by what was made of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .calls import Call
from .window import Judged, Made, Window


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
