"""Top-k training: G learns from those of its samples that D takes for real with the most confidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import torch

import ganbench

InnerLoss = Annotated[Callable[..., ganbench.Loss], ganbench.Part("loss")]


class TopK(ganbench.Loss):
    """Any loss, with G's part computed of the samples of a batch that have the highest logits (Sinha et al. 2020).

    https://arxiv.org/abs/2002.06224. G uses all of a batch at first; the share is multiplied by `decay` after each
    `interval` updates, down to `share`. How many updates there were is part of a checkpoint.

    Args:
        loss: The loss.
        share: The smallest share of a batch that G learns from.
        decay: What the share is multiplied by.
        interval: Updates of G between two of these; an epoch in the paper's runs on pictures.
    """

    def __init__(
        self,
        *,
        loss: InnerLoss = "non-saturating",  # type: ignore[assignment]
        share: float = 0.5,
        decay: float = 0.99,
        interval: int = 100,
    ) -> None:
        if not 0 < share <= 1 or not 0 < decay <= 1 or interval < 1:
            raise ValueError(
                f"share = {share} and decay = {decay} must be above 0 and at most 1, interval = {interval} at least 1"
            )
        self.inner = loss()
        self.per_head = self.inner.per_head
        self.share = share
        self.decay = decay
        self.interval = interval
        self.updates = 0

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return the loss of D, of all samples."""
        return self.inner.discriminator(d, real, fake)

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return the loss of G, of the k generated samples with the highest logits and as many real ones."""
        share = max(self.share, self.decay ** (self.updates // self.interval))
        if not d.head:  # counted once, however many heads there are
            self.updates += 1
        logits = d(fake).detach()
        scores = logits if logits.ndim == 1 else logits.flatten(1).mean(1)
        k = max(1, round(share * len(scores)))
        if k == len(scores):
            return self.inner.generator(d, real, fake)
        kept = _Kept(d, scores.topk(k).indices.sort().values, len(fake) // len(scores))
        return self.inner.generator(kept, kept.select(real), kept.select(fake))

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return D(x) and D(G(z)) as the loss reads them."""
        return self.inner.probabilities(real, fake)


class _Kept:
    """D as a loss sees it that is given a part of each batch. D runs on the whole batch, as its batch statistics want.

    Args:
        d: D of whole batches.
        rows: Which logits are kept.
        pack: Samples that a logit is of.
    """

    def __init__(self, d: ganbench.DiscriminatorFn, rows: torch.Tensor, pack: int) -> None:
        self.head = d.head
        self._d, self._rows = d, rows
        self._samples = (rows[:, None] * pack + torch.arange(pack, device=rows.device)).flatten()
        self._parts: list[tuple[ganbench.Batch, ganbench.Batch]] = []  # each with the batch that it is of

    def select(self, batch: ganbench.Batch) -> ganbench.Batch:
        """Return the samples of a batch whose logits are kept."""
        part = batch[self._samples]
        self._parts.append((part, batch))
        return part

    def __call__(self, batch: ganbench.Batch) -> torch.Tensor:
        """Return D's logits; of a part, those that D gives within the whole."""
        whole = self._whole(batch)
        return self._d(batch) if whole is None else self._d(whole)[self._rows]

    def outputs(self, batch: ganbench.Batch) -> ganbench.DiscriminatorOutputs:
        """Return everything that D returns; of a part, the rows that it has within the whole."""
        whole = self._whole(batch)
        if whole is None:
            return self._d.outputs(batch)
        outputs = self._d.outputs(whole)
        others = {name: self._take(value, len(whole)) for name, value in outputs.others.items()}
        return replace(outputs, heads=tuple(head[self._rows] for head in outputs.heads), others=others)

    def _whole(self, batch: ganbench.Batch) -> ganbench.Batch | None:
        return next((whole for part, whole in self._parts if part is batch), None)

    def _take(self, value: Any, n: int) -> Any:
        """The kept samples' rows of what D returned for `n` samples, in lists as well."""
        if isinstance(value, list | tuple):
            return [self._take(item, n) for item in value]
        is_by_sample = isinstance(value, torch.Tensor) and value.ndim > 0 and len(value) == n
        return value[self._samples] if is_by_sample else value
