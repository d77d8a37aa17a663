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
BINS = 32
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
    def seen(self) -> Batch:
        """Training samples; of a small training set all."""
        return self.view.real(2 * self.n)

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


def precision(probing: Probing) -> Tensor:
    """Share of generated samples inside the ball of some real one (Kynkäänniemi et al. 2019, with wide balls)."""
    apart = torch.cdist(probing.fake.x.flatten(1), probing.real.x.flatten(1))
    return (apart <= probing.radius).any(dim=1).float().mean()


def empty_bins(probing: Probing) -> Tensor:
    """Share of bins that hold significantly fewer generated samples than real ones (Richardson and Weiss 2018).

    Bins are the neighbourhoods of a few real samples; a bin is short where the difference of its two proportions
    is beyond three standard errors and more than half of the real one.
    """
    centres = probing.real.x[:BINS].flatten(1)
    rest, fake = probing.more_real.x.flatten(1), probing.all_fake.x.flatten(1)
    shares = []
    for part in (rest, fake):
        nearest = torch.cdist(part, centres).argmin(dim=1)
        shares.append(torch.zeros(BINS, device=part.device).index_add_(0, nearest, torch.ones_like(nearest) / len(part)))
    real, made = shares
    both = (real * len(rest) + made * len(fake)) / (len(rest) + len(fake))
    error = (both * (1 - both) * (1 / len(rest) + 1 / len(fake))).sqrt()
    return ((real - made > 3 * error) & (made < real / 2)).float().mean()


def energy_distance(probing: Probing) -> Tensor:
    """Energy distance to held-out data (Székely and Rizzo 2013), unbiased, over the data's standard deviation."""
    x, y = probing.real.x.flatten(1), probing.fake.x.flatten(1)
    within = sum(torch.cdist(part, part).sum() / (len(part) * (len(part) - 1)) for part in (x, y))
    return (2 * torch.cdist(x, y).mean() - within) / probing.view.data_std


def spread(probing: Probing) -> Tensor:
    """Mean distance between two generated samples over that between two real ones."""
    real, fake = (torch.pdist(part.x.flatten(1)).mean() for part in (probing.real, probing.fake))
    return fake / real


def nearest_training(probing: Probing) -> Tensor:
    """How near generated samples lie to training data, over how near held-out data does: 1 as new, 0 a copy.

    The ratio of median nearest-neighbour distances to a sample of the training data.
    """
    seen = probing.seen.x.flatten(1)
    made, new = (torch.cdist(part.x.flatten(1), seen).min(dim=1).values.median() for part in (probing.fake, probing.real))
    return made / new.clamp_min(1e-12)


def memory_gap(probing: Probing) -> Tensor:
    """D's AUC on training data minus that on held-out data, against the same generated samples: what it memorized."""
    with torch.no_grad():
        fake, real, seen = (
            probing.view.judge(batch) for batch in (probing.more_fake, probing.more_real, probing.seen)
        )
    return auc(seen, fake) - auc(real, fake)


PROBES: dict[str, Callable[[Probing], Tensor]] = {
    "fresh_critic_auc": fresh_critic_auc,
    "known_critic_auc": known_critic_auc,
    "coverage": coverage,
    "precision": precision,
    "empty_bins": empty_bins,
    "energy_distance": energy_distance,
    "spread": spread,
    "nearest_training": nearest_training,
    "memory_gap": memory_gap,
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
