"""What a discriminator returns, and how losses and regularizers see it; torch is not imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from .records import Batch

Combine = Literal["mean", "sum"]
COMBINE: tuple[Combine, ...] = ("mean", "sum")


class DiscriminatorFn(Protocol):
    """D as losses, regularizers and terms see it.

    Attributes:
        head: Which of several heads `d(batch)` gives, counted from 0; None for all of them. A loss that remembers
            something of the logits keeps it by head.
    """

    head: int | None

    def __call__(self, batch: Batch) -> Tensor:
        """Return logits, N first: as D returns them, (N,) or a map (N, ...).

        Of several heads, where `head` is None: one logit a sample, (N,), as `DiscriminatorOutputs.of_samples`.
        """
        ...

    def outputs(self, batch: Batch) -> DiscriminatorOutputs:
        """Return everything that D returns for a batch; D runs once where `d(batch)` is asked for as well."""
        ...


@dataclass(frozen=True, eq=False)
class DiscriminatorOutputs(Mapping[str, Any]):
    """Everything that D returned for a batch; as a mapping, what it returned beside its logits, and `"logits"`.

    Attributes:
        heads: The logits of each head, N first: (N,), or a map (N, ...). N / pack where D judges packs of samples.
        combine: Whether the heads' logits, losses and penalties are averaged or added.
        others: Whatever else D returned, by its name: features, classes.
    """

    heads: tuple[Tensor, ...]
    combine: Combine = "mean"
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def logits(self) -> Tensor:
        """Logits, N first: exactly what D returned where it has one head, else one a sample."""
        return self.heads[0] if len(self.heads) == 1 else self.of_samples

    @property
    def of_samples(self) -> Tensor:
        """One logit a sample, (N,): the mean over each map, the heads combined."""
        return combine_heads(self.of_heads, self.combine)

    @property
    def of_heads(self) -> list[Tensor]:
        """One logit a sample of each head, (N,) each: the mean over its map."""
        return [mean_over_map(head) for head in self.heads]

    def __getitem__(self, name: str) -> Any:
        return self.logits if name == "logits" else self.others[name]

    def __iter__(self) -> Iterator[str]:
        yield from ("logits", *self.others)

    def __len__(self) -> int:
        return 1 + len(self.others)


def read_outputs(returned: Any, combine: Combine = "mean") -> DiscriminatorOutputs:
    """Return what a discriminator returned, in one form.

    Args:
        returned: A tensor of logits (N,) or a map (N, ...); a list or tuple of these, one a head; or a mapping with any of
            them under `"logits"`.
        combine: What D declares.

    Raises:
        TypeError: It is none of these.
    """
    if getattr(returned, "ndim", 0):  # a tensor, as most return; to ask an abstract class first would be slow
        return DiscriminatorOutputs((returned,), combine, {})
    others: Mapping[str, Any] = {}
    if isinstance(returned, Mapping):
        if "logits" not in returned:
            names = ", ".join(repr(name) for name in returned) or "nothing"
            raise TypeError(f"the discriminator returns a mapping of {names}, without 'logits'")
        others = {name: value for name, value in returned.items() if name != "logits"}
        returned = returned["logits"]
    heads = tuple(returned) if isinstance(returned, list | tuple) else (returned,)
    if not heads:
        raise TypeError("the discriminator returns no logits: the list of its heads is empty")
    for i, head in enumerate(heads, start=1):
        if not hasattr(head, "ndim") or head.ndim < 1:
            where = f" as head {i} of {len(heads)}" if len(heads) > 1 else ""
            what = "a scalar" if hasattr(head, "ndim") else type(head).__name__
            raise TypeError(
                f"the discriminator returns {what}{where}, not a tensor of logits with one row for each sample"
            )
    return DiscriminatorOutputs(heads, combine, others)


def mean_over_map(logits: Tensor) -> Tensor:
    """Return the mean over all but the first dimension, (N,); logits of shape (N,) are returned as they are."""
    return logits if logits.ndim == 1 else logits.flatten(1).mean(1)


def combine_heads(values: Sequence[Tensor], combine: Combine) -> Tensor:
    """Return the mean or the sum of what was computed of each head; of one head exactly that."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values) if combine == "mean" and len(values) > 1 else total
