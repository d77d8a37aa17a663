"""Which of the tensors that a discriminator returns hold its logits, where nobody has said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_flatten

MIN_PACKS = 2  # in a batch, from which fewer outputs than samples are those of packs of samples


@dataclass(frozen=True)
class LogitTensors:
    """Where the logits are, as indices among the tensors of an output.

    Attributes:
        all: Every tensor that may hold logits, in order.
        counted: Those that D's verdict is read from: the mean over them is a sample's logit.
        pack: Samples that are judged together (PacGAN, https://arxiv.org/abs/1712.04086); 1 unless there are fewer rows
            than samples.
    """

    all: tuple[int, ...]
    counted: tuple[int, ...]
    pack: int = 1

    @property
    def heads(self) -> tuple[int, ...]:
        """Those that an area under the curve of their own is worth: several heads, or the one that counts."""
        return self.all if len(self.all) > 1 else self.counted


def list_tensors(output: Any) -> list[Tensor]:
    """Return the tensors of an output, however they are nested; those under `logits` alone, where a mapping has any."""
    if isinstance(output, Mapping) and list_tensors(logits := output.get("logits")):
        return list_tensors(logits)
    return [leaf for leaf in tree_flatten(output)[0] if isinstance(leaf, Tensor)]


def locate_logits(
    tensors: Sequence[Tensor], n: int, among: Sequence[int] | None = None, pack: int | None = None
) -> LogitTensors:
    """Find the logits of `n` samples among the tensors that D returns.

    These are the tensors with one value for each sample, (N,) or (N, 1), of which the first counts. If there are none:
    maps with one channel, (N, 1, height, width), as patch discriminators return, which count all. Where D returns a
    flattened view of a map beside it, among its features, the view is what losses are computed from, and is taken.

    Args:
        tensors: What `list_tensors` returns.
        n: Samples that D was given.
        among: Indices of the tensors that are looked at; all by default.
        pack: Samples that are judged together, where that is known.
    """
    usable = [(i, t) for i, t in enumerate(tensors) if t.is_floating_point() and t.ndim and t.numel()]
    usable = [(i, t) for i, t in usable if among is None or i in among]
    pack = pack or _pack([len(t) for _, t in usable], n)
    usable = [(i, t) for i, t in usable if len(t) * pack == n]
    single = tuple(i for i, t in usable if t.numel() == len(t))
    if single:
        return LogitTensors(single, single[:1], pack)
    views = {(t.data_ptr(), t.numel()): i for i, t in reversed(usable) if t.ndim == 2}
    maps = [(i, t) for i, t in usable if t.ndim > 2 and t.shape[1] == 1]
    found = tuple(sorted({views.get((t.data_ptr(), t.numel()), i) for i, t in maps}))
    return LogitTensors(found, found, pack)


def _pack(rows: list[int], n: int) -> int:
    """Return how many samples are judged together: 1 where any tensor has a row for each of them."""
    most = max((r for r in rows if r <= n), default=0)
    return n // most if n not in rows and most >= MIN_PACKS and n % most == 0 else 1
