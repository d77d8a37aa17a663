"""Probes: what a fresh look tells, a few times a run, each beside its floor (real against real)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from ..contract.records import Batch
from ..contract.view import View
from .signals import auc

MAX_PROBE_SAMPLES = 512  # held-out samples of each kind, at most
TIMES = 2  # generated samples for each real one where reaching a place is the question
BINS = 32
BALL = 0.03  # share of the real samples inside a real sample's ball: about as wide as a mode, whatever the scale
FEATURES, SCALES, RIDGE = 256, (0.25, 1.0), 1e-2  # of the fresh critic: waves, their lengths, and the penalty


class ProbeBatch:
    """One probing of a run: samples as they would be evaluated, against held-out real ones.

    With `floor`, other held-out samples stand in for the generated ones: the best that G could do. Training samples
    would not do: where they are few, or a part of what there is, a G as bad as they are would count as perfect.
    """

    def __init__(self, view: View, floor: bool) -> None:
        self.view = view
        parts = 2 + TIMES if floor else 2
        self.n = view.round_to_pack(min(MAX_PROBE_SAMPLES, view.affordable, max(view.held_out_size // parts, 1)))
        held_out = view.held_out(parts * self.n)  # drawn at once, so that no sample is its own floor
        self.real, rest = _split(held_out, self.n)
        self.more_real, made = _split(rest, self.n)
        made = made if floor else view.evaluated(TIMES * self.n)
        self.fake, rest = _split(made, self.n)
        self.more_fake, _ = _split(rest, self.n)
        self.all_fake = made

    @cached_property
    def seen(self) -> Batch:
        """Training samples; of a small training set nearly all."""
        return self.view.real(self.n)

    @cached_property
    def logits(self) -> tuple[Tensor, Tensor]:
        """D's own, of held-out and of generated samples."""
        with torch.no_grad():
            return self.view.logits(self.more_real), self.view.logits(self.more_fake)

    @cached_property
    def apart(self) -> Tensor:
        """Distances of real samples to generated ones, (n, TIMES * n)."""
        return torch.cdist(self.real.x.flatten(1), self.all_fake.x.flatten(1))

    @cached_property
    def radius(self) -> Tensor:
        """The reach of each real sample's ball."""
        real = self.real.x.flatten(1)
        k = max(1, round(BALL * len(real)))
        return torch.cdist(real, real).topk(k + 1, dim=1, largest=False).values[:, -1]


def fresh_critic_auc(probing: ProbeBatch) -> Tensor:
    """How well a critic that the generator never met tells real from generated: 1/2 not at all, 1 always.

    A classifier two-sample test (Lopez-Paz and Oquab 2017): the critic learns on one half of the samples and is tried
    on the other. It is fitted in closed form, by ridge regression on random waves (Rahimi and Recht 2007), which needs
    no training steps.
    """
    real, fake, more_real, more_fake = (
        batch.x.flatten(1) for batch in (probing.real, probing.fake, probing.more_real, probing.more_fake)
    )
    centre, spread = real.mean(0), real.std(0).clamp_min(1e-3 * real.std())
    seen, tried = (
        ((torch.cat(parts) - centre) / spread).clamp(-10, 10) for parts in ((real, fake), (more_real, more_fake))
    )
    waves = _random_waves(seen.shape[1], seen.device)
    x = waves(seen)
    is_real = torch.cat([torch.ones(len(real)), -torch.ones(len(fake))]).to(x.device)
    weights = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1], device=x.device), x.T @ is_real)
    logits = waves(tried) @ weights
    return auc(logits[: len(more_real)], logits[len(more_real) :])


def known_critic_auc(probing: ProbeBatch) -> Tensor:
    """How well D itself tells the same samples from the same real ones."""
    return auc(*probing.logits)


def coverage(probing: ProbeBatch) -> Tensor:
    """Share of real samples with a generated one in their ball (Naeem et al. 2020, with wide balls).

    Balls as wide as a mode, and more generated samples than real ones, make it ask whether a region is reached at
    all, not whether it is reached well.
    """
    return (probing.apart.min(dim=1).values <= probing.radius).float().mean()


def precision(probing: ProbeBatch) -> Tensor:
    """Share of generated samples inside the ball of some real one (Kynkäänniemi et al. 2019, with wide balls)."""
    return (probing.apart <= probing.radius[:, None]).any(dim=0).float().mean()


def empty_bins(probing: ProbeBatch) -> Tensor:
    """Share of bins that hold significantly fewer generated samples than real ones (Richardson and Weiss 2018).

    Bins are the neighbourhoods of a few real samples; a bin is short where the difference of its two proportions
    is beyond three standard errors and more than half of the real one.
    """
    centres = probing.real.x[:BINS].flatten(1)
    rest, fake = probing.more_real.x.flatten(1), probing.all_fake.x.flatten(1)
    shares = []
    for part in (rest, fake):
        nearest = torch.cdist(part, centres).argmin(dim=1)
        shares.append(
            torch.zeros(BINS, device=part.device).index_add_(0, nearest, torch.ones_like(nearest) / len(part))
        )
    real, made = shares
    both = (real * len(rest) + made * len(fake)) / (len(rest) + len(fake))
    error = (both * (1 - both) * (1 / len(rest) + 1 / len(fake))).sqrt()
    return ((real - made > 3 * error) & (made < real / 2)).float().mean()


def energy_distance(probing: ProbeBatch) -> Tensor:
    """Energy distance to held-out data (Székely and Rizzo 2013), unbiased, over the distance of two real samples."""
    real, fake = probing.real.x.flatten(1), probing.fake.x.flatten(1)
    of_real, of_fake = (torch.cdist(part, part).sum() / (len(part) * (len(part) - 1)) for part in (real, fake))
    return (2 * torch.cdist(real, fake).mean() - of_real - of_fake) / of_real


def spread(probing: ProbeBatch) -> Tensor:
    """Mean distance between two generated samples over that between two real ones."""
    real, fake = (
        torch.pdist(part.x[: MAX_PROBE_SAMPLES // 2].flatten(1)).mean() for part in (probing.real, probing.fake)
    )
    return fake / real


def nearest_training(probing: ProbeBatch) -> Tensor:
    """How near generated samples lie to training data, over how near held-out data does: 1 as new, 0 a copy.

    The ratio of median nearest-neighbour distances to a sample of the training data.
    """
    seen = probing.seen.x.flatten(1)
    made, new = (
        torch.cdist(part.x.flatten(1), seen).min(dim=1).values.median() for part in (probing.fake, probing.real)
    )
    return made / new.clamp_min(1e-12)


def memory_gap(probing: ProbeBatch) -> Tensor:
    """D's AUC on training data minus that on held-out data, against the same generated samples: what it memorized."""
    real, fake = probing.logits
    with torch.no_grad():
        return auc(probing.view.logits(probing.seen), fake) - auc(real, fake)


PROBES: dict[str, Callable[[ProbeBatch], Tensor]] = {
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


def _random_waves(dimensions: int, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Features of standardized samples: cosines in random directions, the samples, and their squares.

    It draws from torch's global stream, which the view puts back.
    """
    lengths = torch.tensor(SCALES, device=device).repeat_interleave(FEATURES // len(SCALES)) * dimensions**0.5
    directions = torch.randn(dimensions, FEATURES, device=device) / lengths
    phases = 2 * torch.pi * torch.rand(FEATURES, device=device)

    def features(x: Tensor) -> Tensor:
        waves = torch.cos(x @ directions + phases) * (2 / FEATURES) ** 0.5
        plain = x / dimensions**0.5
        return torch.cat([waves, plain, plain * x / 3, torch.ones(len(x), 1, device=device)], dim=1)

    return features
