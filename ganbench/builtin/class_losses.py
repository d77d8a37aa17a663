"""Losses that also teach D the classes of samples, and G to make samples of their class.

Each adds a term to an adversarial loss, which D's logits are for; the term is of what D returns beside them. For data with
classes. E is the mean over a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch
import torch.nn.functional as F

import ganbench

AdversarialLoss = Annotated[Callable[..., ganbench.Loss], ganbench.Part("loss")]


class _ClassLoss(ganbench.Loss):
    """An adversarial loss and a term of classes: for D of real samples, for G of generated ones.

    Args:
        loss: The adversarial loss.
        weight: Weight of the term.
    """

    def __init__(self, loss: Callable[..., ganbench.Loss], weight: float) -> None:
        if weight < 0:
            raise ValueError(f"weight = {weight} must not be negative")
        self.adversarial = loss()
        self.per_head = self.adversarial.per_head
        self.weight = weight

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why there are no classes to learn in this trial, or None."""
        return None if trial.data.classes else f"it needs classes, and {trial.dataset} has none"

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return the adversarial loss + weight * the term of real samples."""
        return self.adversarial.discriminator(d, real, fake) + self.weight * self.term(d, real)

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return the adversarial loss + weight * the term of generated samples."""
        return self.adversarial.generator(d, real, fake) + self.weight * self.term(d, fake)

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return D(x) and D(G(z)) as the adversarial loss reads them."""
        return self.adversarial.probabilities(real, fake)

    def term(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
        """Return the term of a batch of either side, a scalar."""
        raise NotImplementedError

    def _output(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch, name: str) -> torch.Tensor:
        """What D returns under a name, which has a row for each sample; and ValueError if there is no such thing."""
        outputs = d.outputs(batch)
        given: torch.Tensor | None = outputs.get(name)
        if given is None:
            auxiliary = "classes" if name == "classes" else "embedding"
            raise ValueError(
                f"its loss needs {name!r} from the discriminator, which returns {' and '.join(map(repr, outputs))}; "
                f'a built-in one returns it with auxiliary = "{auxiliary}"'
            )
        return given


class AuxiliaryClassifier(_ClassLoss):
    """AC-GAN: D also tells the class, and G makes samples whose class D tells right (Odena et al. 2017).

    https://arxiv.org/abs/1610.09585. Needs a D that returns `classes`, logits of shape (N, classes).

    Args:
        loss: The adversarial loss.
        weight: Weight of the cross-entropy.
        on_generated: Whether D learns the classes of generated samples too, as in the paper; later programs leave that out,
            since those samples need not be of their class.
    """

    needs = ("classes",)

    def __init__(
        self,
        *,
        loss: AdversarialLoss = "non-saturating",  # type: ignore[assignment]
        weight: float = 1.0,
        on_generated: bool = True,
    ) -> None:
        super().__init__(loss, weight)
        self.on_generated = on_generated

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return the adversarial loss + weight * (cross-entropy of real samples + that of generated ones)."""
        value = super().discriminator(d, real, fake)
        return value + self.weight * self.term(d, fake) if self.on_generated else value

    def term(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
        """Return the cross-entropy -E log P(class | x)."""
        assert batch.labels is not None  # `skip` leaves data without classes out
        return F.cross_entropy(self._output(d, batch, "classes"), batch.labels)


class ConditionalContrastive(_ClassLoss):
    """ContraGAN: embeddings of one class pulled to each other and to their class's (2C loss, Kang and Park 2020).

    https://arxiv.org/abs/2006.12681. Needs a D that returns `embedding`, (N, dim), and `proxy`, the learned embedding of
    each sample's class, (N, dim). Both are used at length 1.

    Args:
        loss: The adversarial loss.
        weight: Weight of the term.
        temperature: What cosines are divided by.
    """

    needs = ("embedding", "proxy")

    def __init__(
        self,
        *,
        loss: AdversarialLoss = "hinge",  # type: ignore[assignment]
        weight: float = 1.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(loss, weight)
        if temperature <= 0:
            raise ValueError(f"temperature = {temperature} must be positive")
        self.temperature = temperature

    def term(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
        """Return -E log of (own class's embedding + samples of one's class) / (own class's embedding + all others).

        Each is a sum of exp(cosine / temperature), over the batch but the sample itself.
        """
        to_proxy, to_others, same_class = _cosines(self, d, batch)
        itself = torch.eye(len(batch), dtype=torch.bool, device=to_others.device)
        all_others = (to_others / self.temperature).masked_fill(itself, -torch.inf)
        of_class = all_others.masked_fill(~same_class, -torch.inf)
        own = to_proxy[:, None] / self.temperature
        return (torch.cat([own, all_others], 1).logsumexp(1) - torch.cat([own, of_class], 1).logsumexp(1)).mean()


class DataToDataCrossEntropy(_ClassLoss):
    """ReACGAN: a cross-entropy of embeddings, in which samples of other classes take the place of other classes' weights.

    D2D-CE (Kang et al. 2021, https://arxiv.org/abs/2111.01118). Needs a D that returns `embedding` and `proxy`, as for
    `2c`. Samples nearer to their class than the margin, and farther from other samples than its complement, are left alone.

    Args:
        loss: The adversarial loss.
        weight: Weight of the term.
        temperature: What cosines beyond the margins are divided by.
        margin: Cosine of a sample and its class's embedding that is enough; for samples of other classes it is 1 - margin.
    """

    needs = ("embedding", "proxy")

    def __init__(
        self,
        *,
        loss: AdversarialLoss = "hinge",  # type: ignore[assignment]
        weight: float = 0.5,
        temperature: float = 0.5,
        margin: float = 0.98,
    ) -> None:
        super().__init__(loss, weight)
        if temperature <= 0 or not 0 <= margin <= 1:
            raise ValueError(f"temperature = {temperature} must be positive, margin = {margin} between 0 and 1")
        self.temperature = temperature
        self.margin = margin

    def term(self, d: ganbench.DiscriminatorFn, batch: ganbench.Batch) -> torch.Tensor:
        """Return -E log of exp(p) / (exp(p) + sum of exp(n) over samples of other classes).

        With p = min(0, cosine to one's class - margin) / temperature, n = max(0, cosine - (1 - margin)) / temperature.
        """
        to_proxy, to_others, same_class = _cosines(self, d, batch)
        positive = (to_proxy - self.margin).clamp(max=0)[:, None] / self.temperature
        negative = F.relu(to_others - (1 - self.margin)) / self.temperature
        negative = negative.masked_fill(same_class, -torch.inf)
        return (torch.cat([positive, negative], 1).logsumexp(1) - positive[:, 0]).mean()


def _cosines(
    loss: _ClassLoss, d: ganbench.DiscriminatorFn, batch: ganbench.Batch
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return cosines of samples and their class's embedding (N,), of samples (N, N), and which are of one class (N, N)."""
    embedding = F.normalize(loss._output(d, batch, "embedding"), dim=1)
    proxy = F.normalize(loss._output(d, batch, "proxy"), dim=1)
    assert batch.labels is not None  # `skip` leaves data without classes out
    return (embedding * proxy).sum(1), embedding @ embedding.T, batch.labels[:, None] == batch.labels
