"""Probes: what a fresh look tells, a few times a run, each beside its floor (real against real)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from ..records import Batch
from .signals import auc
from .view import RunView

PROBED = 512  # held-out samples of each kind
TIMES = 4  # generated samples for each real one where reaching a place is the question
BALL = 0.03  # share of the real samples inside a real sample's ball: about as wide as a mode, whatever the scale
CRITIC_STEPS, CRITIC_BATCH, CRITIC_WIDTH, CRITIC_LR = 75, 128, 64, 7e-3


class Probing:
    """One probing of a run: samples as they would be evaluated, against held-out real ones.

    With `floor`, training samples stand in for the generated ones.
    """

    def __init__(self, view: RunView, floor: bool) -> None:
        self.view = view
        self.n = view.whole_packs(min(PROBED, view.held_out_size // 2))
        held_out = view.held_out(2 * self.n)
        self.real, self.more_real = _split(held_out, self.n)
        made = view.real(TIMES * self.n) if floor else view.evaluated(TIMES * self.n)
        self.fake, rest = _split(made, self.n)
        self.more_fake, _ = _split(rest, self.n)
        self.all_fake = made

    @cached_property
    def radius(self) -> Tensor:
        """The reach of each real sample's ball."""
        real = self.real.x.flatten(1)
        k = max(1, round(BALL * len(real)))
        return torch.cdist(real, real).topk(k + 1, dim=1, largest=False).values[:, -1]


def fresh_critic_auc(probing: Probing) -> Tensor:
    """How well a critic that the generator never met tells real from generated: 1/2 not at all, 1 always.

    A classifier two-sample test (Lopez-Paz and Oquab 2017): a small network learns on one half of the samples
    and is tried on the other.
    """
    real, fake, more_real, more_fake = (
        batch.x.flatten(1) for batch in (probing.real, probing.fake, probing.more_real, probing.more_fake)
    )
    centre, spread = real.mean(0), real.std(0).clamp_min(1e-3 * real.std())
    x = (torch.cat([real, fake]) - centre) / spread
    is_real = torch.cat([torch.ones(len(real)), torch.zeros(len(fake))]).to(x.device)
    critic = _fit_critic(x, is_real)
    with torch.no_grad():
        return auc(critic((more_real - centre) / spread).squeeze(1), critic((more_fake - centre) / spread).squeeze(1))


def known_critic_auc(probing: Probing) -> Tensor:
    """How well D itself tells the same samples from the same real ones."""
    with torch.no_grad():
        return auc(probing.view.judge(probing.more_real), probing.view.judge(probing.more_fake))


def coverage(probing: Probing) -> Tensor:
    """Share of real samples with a generated one in their ball (Naeem et al. 2020, with wide balls).

    Balls as wide as a mode, and more generated samples than real ones, make it ask whether a region is reached at
    all, not whether it is reached well.
    """
    nearest = torch.cdist(probing.real.x.flatten(1), probing.all_fake.x.flatten(1)).min(dim=1).values
    return (nearest <= probing.radius).float().mean()


PROBES: dict[str, Callable[[Probing], Tensor]] = {
    "fresh_critic_auc": fresh_critic_auc,
    "known_critic_auc": known_critic_auc,
    "coverage": coverage,
}


def _split(batch: Batch, n: int) -> tuple[Batch, Batch]:
    labels = batch.labels
    if labels is None:
        return Batch(batch.x[:n]), Batch(batch.x[n:])
    return Batch(batch.x[:n], labels[:n]), Batch(batch.x[n:], labels[n:])


@torch.enable_grad()
def _fit_critic(x: Tensor, is_real: Tensor) -> nn.Module:
    """A fresh network fitted to `x`. It draws from torch's global stream, which the view puts back."""
    width = CRITIC_WIDTH
    critic = nn.Sequential(
        nn.Linear(x.shape[1], width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
    ).to(x.device)
    optimizer = torch.optim.Adam(critic.parameters(), lr=CRITIC_LR, fused=True)
    batches = torch.randint(len(x), (CRITIC_STEPS, min(CRITIC_BATCH, len(x))), device=x.device)
    for rows in batches:
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(critic(x[rows]).squeeze(1), is_real[rows]).backward()
        optimizer.step()
    return critic
