"""Which samples D was given in each call: G's, others, or both in one batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch

from .events import Argument, DiscriminatorEvent, GeneratorEvent, Record, Rows

# "pair": two batches at once, each of which could be samples; "other-fake": one batch, whose second half is G's;
# "mixed": some rows of both.
Kind = Literal["fake", "other", "pair", "other-fake", "fake-other", "mixed"]
RECENT_CALLS = 6  # of G, among which D's samples are looked for


@dataclass(frozen=True)
class Calls:
    """The calls of both networks, and where D's samples come from.

    Attributes:
        of_g: Calls of G.
        of_d: Calls of D, each with what it was given.
        given_to_d: Those calls of G whose samples D was given.
        given_as_made: Whether D is given what G returns as it is, wherever that is known.
        real_varies: Whether the other samples differ from step to step.
    """

    of_g: list[GeneratorEvent]
    of_d: list[tuple[DiscriminatorEvent, Kind]]
    given_to_d: list[GeneratorEvent]
    given_as_made: bool
    real_varies: bool


def trace_calls(record: Record) -> Calls:
    """Trace the samples of every call of D back to G, by their values and by the autograd graph."""
    of_d: list[tuple[DiscriminatorEvent, Kind]] = []
    given: list[GeneratorEvent] = []
    derived: list[DiscriminatorEvent] = []
    for call in record.discriminator_calls:
        recent = [g for g in record.generator_calls if g.order < call.order][-RECENT_CALLS:]
        kind, source = _origin(call, recent)
        if call.trains_g and source is None:
            derived.append(call)
        if source is not None and source not in given:
            given.append(source)
        of_d.append((call, kind))
    of_d = [(call, "fake" if kind == "other" and _is_repeated(call, derived) else kind) for call, kind in of_d]
    others = [call.arguments[0].rows for call, kind in of_d if kind == "other" and call.arguments]
    real_varies = any(not _equal(rows, others[0]) for rows in others[1:])
    return Calls(record.generator_calls, of_d, given, not derived, real_varies)


def _origin(call: DiscriminatorEvent, recent: list[GeneratorEvent]) -> tuple[Kind, GeneratorEvent | None]:
    candidates = [
        argument
        for argument in call.arguments
        if any(math.prod(argument.shape) == math.prod(shape) for g in recent for _, shape in g.outputs)
    ]
    kind: Kind = "other"
    source = None
    for generated in reversed(recent):
        for argument in candidates:
            for rows, _ in generated.outputs:
                if (found := _compare(argument, rows, generated.n)) is not None:
                    kind, source = found, generated
                    break
            if source is not None:
                break
        if source is not None:
            break
    if kind == "other" and call.trains_g:
        kind = "fake"
    if len(candidates) > 1 and kind != "other":
        kind = "pair"
    return kind, source


def _is_repeated(call: DiscriminatorEvent, derived: list[DiscriminatorEvent]) -> bool:
    """Whether D is given the same as in a call that would train G: what was made of G's samples, and detached."""
    return bool(call.arguments) and any(
        len(call.arguments) == len(other.arguments)
        and all(
            a.n == b.n and all(_matches(x, y) for x, y in zip(a.rows, b.rows, strict=True))
            for a, b in zip(call.arguments, other.arguments, strict=True)
        )
        for other in derived
    )


def _compare(argument: Argument, made: Rows, n: int) -> Kind | None:
    """What a batch is, beside `n` samples that G made; None if it holds none of them."""
    first, middle = (_matches(row, made[0]) for row in argument.rows)
    if argument.n == 2 * n and first != middle:
        return "fake-other" if first else "other-fake"
    if argument.n != n:
        return "mixed" if first or middle else None
    at_middle = _matches(argument.rows[1], made[1])
    if first and at_middle:
        return "fake"
    return "mixed" if first or at_middle else None


def _matches(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two rows are one sample; rows of one value could be anything."""
    if a.shape != b.shape:
        return False
    a, b = a.cpu(), b.cpu()
    varied = len(a) == 1 or bool((a != a[0]).any())
    return varied and bool(torch.equal(a, b))


def _equal(a: Rows, b: Rows) -> bool:
    return all(x.shape == y.shape and torch.equal(x.cpu(), y.cpu()) for x, y in zip(a, b, strict=True))
