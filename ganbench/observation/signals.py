"""Signals: what a few forward passes tell, at every observation. Loss-free, so they hold for every objective."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from ..contract.records import Batch
from ..contract.view import View
from ..training.schedule import MAX_SIGNAL_SAMPLES, MIN_SIGNAL_SAMPLES


class SignalBatch:
    """One look at a run: the samples and logits that the signals of this moment share."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.n = view.round_to_pack(min(MAX_SIGNAL_SAMPLES, max(MIN_SIGNAL_SAMPLES, view.affordable // 5)))

    @cached_property
    def real(self) -> Batch:
        return self.view.real(self.n)

    @cached_property
    def fake(self) -> Batch:
        return self.view.fake(self.n)

    @cached_property
    def real_logits(self) -> Tensor:
        return self.view.logits(self.real).detach()

    @cached_property
    def fake_logits(self) -> Tensor:
        return self.view.logits(self.fake).detach()

    @cached_property
    def held_out_logits(self) -> Tensor:
        return self.view.logits(self.view.held_out(self.n)).detach()


def textbook_signals(glance: SignalBatch) -> dict[str, Tensor]:
    """What the textbook speaks of, in every history: mean D(x) and D(G(z)), the value V(D, G), the largest |logit|.

    V(D, G) = E log D(x) + E log(1 - D(G(z))), -log 4 at equilibrium (Goodfellow et al. 2014).
    """
    d_real, d_fake = glance.view.probabilities(glance.real_logits, glance.fake_logits)
    smallest = torch.finfo(d_real.dtype).tiny
    value = d_real.clamp_min(smallest).log().mean() + (1 - d_fake).clamp_min(smallest).log().mean()
    largest = torch.cat([glance.real_logits, glance.fake_logits]).abs().max()
    return {"d_real": d_real.mean(), "d_fake": d_fake.mean(), "value": value, "logit_max": largest}


def auc(positive: Tensor, negative: Tensor) -> Tensor:
    """P(positive > negative), ties half, over all pairs."""
    return (1 + torch.sign(positive[:, None] - negative[None, :]).mean()) / 2


def auc_d(glance: SignalBatch) -> Tensor:
    """P(D(x) > D(G(z))) on held-out reals: 1/2 is a D that cannot tell, 1 one that is never wrong."""
    return auc(glance.held_out_logits, glance.fake_logits)


def auc_d_train(glance: SignalBatch) -> Tensor:
    """The same on training reals; what it has over `auc_d` was memorized."""
    return auc(glance.real_logits, glance.fake_logits)


def accuracy_d(glance: SignalBatch) -> Tensor:
    """Share of training reals that D calls real and of generated samples that it calls generated: folklore's measure."""
    d_real, d_fake = glance.view.probabilities(glance.real_logits, glance.fake_logits)
    return ((d_real > 0.5).float().mean() + (d_fake < 0.5).float().mean()) / 2


def input_gradient_of_g(glance: SignalBatch) -> Tensor:
    """Mean norm of the gradient of G's loss at each generated sample, over the data's standard deviation.

    It is all that G learns from. The loss is a mean over the batch, hence the factor N. A view of a loop whose loss is
    not known gives what was measured there.
    """
    if (measured := glance.view.measured_input_gradient()) is not None:
        return measured
    x = glance.fake.x.detach().requires_grad_()
    with torch.enable_grad():
        loss = glance.view.generator_loss(glance.view.logits, glance.real, Batch(x, glance.fake.labels))
        (gradient,) = torch.autograd.grad(loss, x, allow_unused=True)
    if gradient is None:  # a loss that does not look at the samples teaches G nothing
        return torch.zeros(())
    return gradient.flatten(1).norm(dim=1).mean() * len(x) / glance.view.data_std


SIGNALS: dict[str, Callable[[SignalBatch], Tensor]] = {
    "auc_d": auc_d,
    "auc_d_train": auc_d_train,
    "accuracy_d": accuracy_d,
    "input_gradient": input_gradient_of_g,
}
