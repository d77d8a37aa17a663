"""Put a player's loss together from the parts that a program logs it in.

Parts are one loss on real and one on generated samples, or one for each of several discriminators or scales. Penalties
and class terms are no parts: what tells how the players stand is the adversarial loss alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np

from .log import Series
from .names import D_WORDS, FAKE_WORDS, G_WORDS, IGNORED_WORDS, LOSS_WORDS, REAL_WORDS, bare_name, split_words

SIDES = REAL_WORDS | FAKE_WORDS | {"wrong", "mismatch", "mismatched"}  # what the samples are
D_NAMES = frozenset({"mpd", "msd", "mrd", "mbd", "mssbcqtd"})  # discriminators of vocoders
COPIES = frozenset({"a", "b", "f", "s", "global", "local", "coarse", "fine", "image", "video", "temporal"}) | D_NAMES
MIN_COMMON_SHARE = 0.5  # of the steps of the shortest part that all parts must have


@dataclass(frozen=True)
class LossPart:
    """What a part of a loss is of.

    Attributes:
        player: "d" or "g".
        sides: Which samples it is on, "real", "fake" or "wrong"; empty if it is on all.
        copies: Which of several discriminators, generators or scales it is of; empty if there is one.
    """

    player: str
    sides: frozenset[str]
    copies: frozenset[str]


@lru_cache(maxsize=4096)
def loss_part(raw: str) -> LossPart | None:
    """Return which part of a player's loss a column holds, None if it holds no such part.

    Example:
        >>> loss_part("errD_real").sides, loss_part("loss_D_A").copies, loss_part("D_loss_gp")
        (frozenset({'real'}), frozenset({'a'}), None)
    """
    words = set(split_words(bare_name(raw))) - IGNORED_WORDS
    if not words & LOSS_WORDS:
        return None
    words -= LOSS_WORDS
    sides = words & SIDES
    copies = {word for word in words if word in COPIES or word.isdigit()}
    others = words - SIDES - copies
    if others - D_WORDS and others - G_WORDS:
        return None
    player = "d" if others <= D_WORDS else "g"
    if player == "d" and not others and not (words <= SIDES or copies & D_NAMES):
        return None
    if not (sides or copies) or (player == "g" and sides):
        return None
    sides = {"real" if side in REAL_WORDS else "fake" if side in FAKE_WORDS else "wrong" for side in sides}
    return LossPart(player, frozenset(sides), frozenset(copies))


def choose_parts(raws: Iterable[str], player: str) -> list[str]:
    """Return the columns whose sum is a player's loss: the parts of the simplest kind that is complete, else nothing."""
    parts = {raw: part for raw in raws if (part := loss_part(raw)) and part.player == player}
    by_side = [raw for raw, part in parts.items() if part.sides and not part.copies]
    by_copy = [raw for raw, part in parts.items() if part.copies and not part.sides]
    by_both = [raw for raw, part in parts.items() if part.copies and part.sides]
    for group in (by_side, by_both):
        if {"real", "fake"} <= {side for raw in group for side in parts[raw].sides}:
            return group
    return by_copy if len(by_copy) > 1 else []


def losses_named_as_outputs(raws: Iterable[str]) -> list[str]:
    """Return `D_real` and `D_fake` where they stand beside `G_GAN`: programs after pix2pix call D's losses so."""
    words = {raw: split_words(bare_name(raw))[-2:] for raw in raws}
    if ["g", "gan"] not in words.values():
        return []
    named = {side: [raw for raw in words if words[raw] == ["d", side]] for side in ("real", "fake")}
    return [*named["real"][:1], *named["fake"][:1]] if named["real"] and named["fake"] else []


def add_parts(parts: Mapping[str, Series]) -> Series | None:
    """Return the sum of the parts at the steps that all of them have; None if that is less than half of the shortest.

    Example:
        >>> add_parts({raw: Series(raw, np.arange(3), np.ones(3)) for raw in ("errD_real", "errD_fake")}).values
        array([2., 2., 2.])
    """
    raw = " + ".join(series.raw for series in parts.values())
    first, *others = parts.values()
    if all(np.array_equal(first.steps, other.steps) for other in others):
        return Series(raw, first.steps, reduce(np.add, [series.values for series in parts.values()]))
    latest = [dict(zip(series.steps.tolist(), series.values.tolist(), strict=True)) for series in parts.values()]
    steps = sorted(set(latest[0]).intersection(*latest[1:]))
    if len(steps) < max(1.0, MIN_COMMON_SHARE * min(map(len, latest))):
        return None
    values = [np.array([part[step] for step in steps]) for part in latest]
    return Series(raw, np.array(steps), reduce(np.add, values))  # a sum would lose the sign of -0, which means < 0
