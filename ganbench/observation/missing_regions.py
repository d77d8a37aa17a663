"""Regions of the real data that generated samples are missing from, whatever they look like elsewhere.

A spatial scan statistic (Kulldorff 1997, https://doi.org/10.1080/03610929708831995) over clusters of real samples: of the
neighbourhoods of clusters that hold less than two fifths of the generated samples that they should, the one that most
clearly holds too few. A class that is missing is such a region; one that is made half as often as it should be is none.

A generator that is not good yet moves all of its samples, in brightness, contrast and sharpness. So a region counts as
reached by as many of them as they are, or as they are with the mean and the spread of the real ones, direction by
direction, whichever is more.
"""

from __future__ import annotations

import torch
from torch import Tensor

DIRECTIONS = 32  # leading principal ones, in which clusters are looked for
MAX_CLUSTERS, SAMPLES_PER_CLUSTER = 48, 24
MAX_SHARE = 0.5  # of the real samples in a region
MISSED = 0.4  # of the generated samples that a region should have: with more it is reached, if too rarely
MAX_STRETCH = 2.0  # of generated samples along a direction: a collapsed generator is not made to look like the data
MAX_DISTANCE = 1e4  # of a value from the mean, in standard deviations, so that no square overflows
ROUNDS = 12  # of k-means, and a third as many of the search for principal directions


def scan_regions(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return the clearest deficit of generated samples in a region of real ones that they miss.

    Args:
        real: (n, d).
        fake: (m, d).

    Returns:
        How many standard errors the region's share of generated samples lies below that of real ones, and how far; 0
        and 0 if none is missed.
    """
    random = torch.Generator().manual_seed(0)
    real, fake = (part.nan_to_num(0.0, 0.0, 0.0) for part in (real, fake))  # that they are not finite is said elsewhere
    scale, centre = real.std().clamp_min(1e-12), real.mean(0)
    real, fake = (((part - centre) / scale).clamp(-MAX_DISTANCE, MAX_DISTANCE) for part in (real, fake))
    directions = _principal_directions(real, random)
    real, fake = real @ directions, fake @ directions
    spread = real.std(0)
    stretch = (spread / fake.std(0).clamp_min(1e-12)).clamp(1 / MAX_STRETCH, MAX_STRETCH)
    aligned = (fake - fake.mean(0)) * stretch

    centres = _cluster(real, random)
    order = torch.cdist(centres, centres).argsort(dim=1)  # a row for each cluster: the others by their distance to it
    in_real, *in_fake = (_count_nearest(part, centres)[order].cumsum(1) for part in (real, fake, aligned))
    n, m = len(real), len(fake)
    reached = torch.maximum(*in_fake) / m  # what is missed is missed either way
    share = in_real / n
    both = (in_real + reached * m) / (n + m)
    error = (both * (1 - both) * (1 / n + 1 / m)).sqrt().clamp_min(1e-12)
    is_missed = (share <= MAX_SHARE) & (reached <= MISSED * share)
    deviation = torch.where(is_missed, (share - reached) / error, torch.zeros_like(error)).flatten()
    worst = deviation.argmax()
    return deviation[worst], torch.where(is_missed, share - reached, torch.zeros_like(error)).flatten()[worst]


def _principal_directions(centred: Tensor, random: torch.Generator) -> Tensor:
    """Return orthonormal directions (d, k) of nearly the largest variance, by subspace iteration."""
    kept = min(DIRECTIONS, *centred.shape)
    basis = torch.randn(centred.shape[1], kept, generator=random).to(centred)
    for _ in range(ROUNDS // 3):
        basis = torch.linalg.qr(centred.T @ (centred @ basis)).Q
    # Rotated so that each direction is a principal one: spreads are matched direction by direction.
    projected = centred @ basis
    rotation = torch.linalg.eigh(projected.T @ projected).eigenvectors
    return basis @ rotation


def _cluster(samples: Tensor, random: torch.Generator) -> Tensor:
    """Return the centres of clusters of `samples`, by k-means; one without samples stays where it is."""
    k = max(2, min(MAX_CLUSTERS, len(samples) // SAMPLES_PER_CLUSTER))
    centres = samples[torch.randperm(len(samples), generator=random)[:k].to(samples.device)]
    for _ in range(ROUNDS):
        nearest = torch.cdist(samples, centres).argmin(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, samples)
        counts = torch.zeros(len(centres), device=samples.device).index_add_(0, nearest, torch.ones_like(samples[:, 0]))
        centres = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp_min(1), centres)
    return centres


def _count_nearest(samples: Tensor, centres: Tensor) -> Tensor:
    nearest = torch.cdist(samples, centres).argmin(dim=1)
    return torch.zeros(len(centres), device=samples.device).index_add_(0, nearest, torch.ones_like(samples[:, 0]))
