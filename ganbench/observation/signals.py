"""Signals: what a few forward passes show, at every observation, whatever loss is in use."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from ..contract.records import Batch
from ..contract.view import View
from ..training.schedule import MAX_SIGNAL_SAMPLES, MIN_SIGNAL_SAMPLES

MAX_SIGNAL_VALUES = 2**22  # of samples that are passed through D together, so that large ones do not fill the memory
SMALL_MOVE = 1e-2  # of noise, behind G's steepness
MAX_STEEPNESS_SAMPLES = 16  # behind G's steepness, a mean of much the same numbers
MIN_LARGE_SAMPLES = 8  # behind a signal, however large they are


def count_signal_samples(affordable: int, values: int) -> int:
    """Return how many samples are behind each signal.

    Args:
        affordable: How many a probe may take.
        values: In a sample.
    """
    fitting = max(MIN_LARGE_SAMPLES, MAX_SIGNAL_VALUES // max(values, 1))
    return min(MAX_SIGNAL_SAMPLES, max(MIN_SIGNAL_SAMPLES, affordable // 5), fitting)


class SignalBatch:
    """The samples and logits that the signals of one observation share."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.n = view.round_to_pack(count_signal_samples(view.affordable, math.prod(view.data.shape)))

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
        if self.view.is_sparing and not self.view.has_held_out:  # then these are of the same data
            return self.real_logits
        return self.view.logits(self.view.held_out(self.n)).detach()


def textbook_signals(batch: SignalBatch) -> dict[str, Tensor]:
    """Return the quantities of the textbook: mean D(x) and D(G(z)), the value V(D, G), and the largest |logit|.

    V(D, G) = E log D(x) + E log(1 - D(G(z))), -log 4 at equilibrium (Goodfellow et al. 2014).
    """
    d_real, d_fake = batch.view.probabilities(batch.real_logits, batch.fake_logits)
    smallest = torch.finfo(d_real.dtype).tiny
    value = d_real.clamp_min(smallest).log().mean() + (1 - d_fake).clamp_min(smallest).log().mean()
    largest = torch.cat([batch.real_logits, batch.fake_logits]).abs().max()
    return {"d_real": d_real.mean(), "d_fake": d_fake.mean(), "value": value, "logit_max": largest}


def auc(positive: Tensor, negative: Tensor) -> Tensor:
    """Return P(positive > negative) over all pairs, ties counting half."""
    return (1 + torch.sign(positive[:, None] - negative[None, :]).mean()) / 2


def auc_d(batch: SignalBatch) -> Tensor:
    """Return P(D(x) > D(G(z))) on held-out reals: 1/2 if D cannot tell them apart, 1 if it is never wrong."""
    return auc(batch.held_out_logits, batch.fake_logits)


def auc_d_train(batch: SignalBatch) -> Tensor:
    """Return the same on training reals; what it has over `auc_d` is memorized."""
    return auc(batch.real_logits, batch.fake_logits)


def auc_by_head(batch: SignalBatch) -> dict[str, Tensor]:
    """Return the AUC of each of D's heads on held-out reals, where there are several: one may see nothing."""
    with torch.no_grad():
        fake = batch.view.head_logits(batch.fake)
        if fake is None:  # nothing more is drawn, so that what is drawn later stays the same
            return {}
        real = batch.view.head_logits(batch.view.held_out(batch.n))
    assert real is not None
    return {f"auc_d_head_{i}": auc(*pair) for i, pair in enumerate(zip(real, fake, strict=True), start=1)}


def accuracy_d(batch: SignalBatch) -> Tensor:
    """Return the share of samples that D classifies correctly, training reals and generated ones: the usual heuristic."""
    d_real, d_fake = batch.view.probabilities(batch.real_logits, batch.fake_logits)
    return ((d_real > 0.5).float().mean() + (d_fake < 0.5).float().mean()) / 2


def input_gradient_of_g(batch: SignalBatch) -> Tensor:
    """Return the mean gradient norm of G's loss at each generated sample, over the data's standard deviation.

    G learns from nothing else. The loss is a mean over the batch, hence the factor N. Where only the loop knows the loss,
    the view returns what was measured there.
    """
    if (measured := batch.view.measured_input_gradient()) is not None:
        return measured
    x = batch.fake.x.detach().requires_grad_()
    with torch.enable_grad():
        loss = batch.view.generator_loss(batch.view.discriminator, batch.real, batch.fake.with_x(x))
        (gradient,) = torch.autograd.grad(loss, x, allow_unused=True)
    if gradient is None:  # a loss that does not depend on the samples teaches G nothing
        return torch.zeros((), device=x.device)
    return gradient.flatten(1).norm(dim=1).mean() * len(x) / batch.view.data_std


def literature_signals(batch: SignalBatch) -> dict[str, Tensor]:
    """Return what rules of the literature read, beside what is measured already.

    `sign_d` is E sign D(x) on training data, and `mean_logit_...` are the means of D that its overfitting is read from
    (Karras et al. 2020, https://arxiv.org/abs/2006.06676); `steepness` is how far G's samples move for a small move of
    their noise (Gao et al. 2025, https://openreview.net/forum?id=58gPkcVbFL), of a trial. It draws, so that it comes last.
    """
    logits = {"train": batch.real_logits, "held_out": batch.held_out_logits, "fake": batch.fake_logits}
    values = {"sign_d": batch.real_logits.sign().mean()}
    values |= {f"mean_logit_{part}": of_part.mean() for part, of_part in logits.items()}
    view = batch.view
    if view.game is None or not view.has_noise:
        return values
    return values | {"steepness": _steepness(view, min(batch.n, MAX_STEEPNESS_SAMPLES))}


@torch.no_grad()
def _steepness(view: View, n: int) -> Tensor:
    """The mean of |G(z + e) - G(z)| / |e| for a small e, over the standard deviation of the data."""
    given, z, direction = view.real(n), view.noise(n), view.noise(n)
    length = direction.flatten(1).norm(dim=1).clamp_min(1e-12)
    move = SMALL_MOVE * direction / length.view(-1, *[1] * (direction.ndim - 1))
    here, there = (view.generate(noise, given).x.flatten(1) for noise in (z, z + move))
    return (there - here).norm(dim=1).mean() / SMALL_MOVE / view.data_std


SIGNALS: dict[str, Callable[[SignalBatch], Tensor]] = {
    "auc_d": auc_d,
    "auc_d_train": auc_d_train,
    "accuracy_d": accuracy_d,
    "input_gradient": input_gradient_of_g,
}
