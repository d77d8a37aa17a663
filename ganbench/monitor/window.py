"""What was seen of a loop between two looks: calls, and gradients that came back, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from .calls import Call

CALLS = 32  # of each network that a window remembers, the newest
Link = Literal["same", "through"]  # D was given G's samples as they are, or something made of them


@dataclass(frozen=True, eq=False)
class Made:
    """A call of the generator, the first rows of what it returned, and which state of its weights made it."""

    call: Call
    outputs: tuple[Tensor, ...]
    version: int


@dataclass(frozen=True, eq=False)
class Judged:
    """A call of the discriminator: on what `made` made, given in argument `slot`, where that is known."""

    call: Call
    made: Made | None
    link: Link | None
    slot: int | None
    output: int  # which of the tensors that G returned
    learns: bool  # a gradient of its logits would reach G
    tracked: bool  # a gradient was asked for: by G, or by a penalty


@dataclass(frozen=True, eq=False)
class Gradient:
    """What came back to `judged`'s samples: the sum of its norms over all of them, times the loss's scale."""

    judged: Judged
    total: Tensor
    rows: Tensor  # of the samples that are kept
    scale: Tensor | float


@dataclass
class Window:
    """Everything seen since the hooks were armed, in order."""

    made: deque[Made] = field(default_factory=lambda: deque(maxlen=CALLS))
    judged: deque[Judged] = field(default_factory=lambda: deque(maxlen=CALLS))
    gradients: deque[Gradient] = field(default_factory=lambda: deque(maxlen=CALLS))
