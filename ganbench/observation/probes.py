"""Probes: what takes a distance matrix to tell, a few times a run, each beside its floor (real against real)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from .signals import auc
from .view import RunView

PROBED = 512  # samples of each side
NEIGHBOURS = 10  # of the fresh critic
BALL = 0.03  # share of the real samples inside a real sample's ball: about as wide as a mode, whatever the scale


class Probing:
    """One probing of a run: generated samples against held-out real ones, flattened."""

    def __init__(self, view: RunView, floor: bool) -> None:
        n = min(PROBED, view.held_out_size)
        self.real = view.held_out(n).x.flatten(1)
        self.fake = (view.real(n) if floor else view.fake(n)).x.flatten(1)

    @cached_property
    def real_to_real(self) -> Tensor:
        return torch.cdist(self.real, self.real)

    @cached_property
    def real_to_fake(self) -> Tensor:
        return torch.cdist(self.real, self.fake)

    @cached_property
    def fake_to_fake(self) -> Tensor:
        return torch.cdist(self.fake, self.fake)


def fresh_critic_auc(probing: Probing) -> Tensor:
    """How well a critic that the generator never met tells real from generated: 1/2 not at all, 1 always.

    A classifier two-sample test (Lopez-Paz and Oquab 2017) by nearest neighbours, each sample judged by the
    others: nothing to train, no scale to choose.
    """
    pooled = torch.cat(
        [
            torch.cat([probing.real_to_real, probing.real_to_fake], dim=1),
            torch.cat([probing.real_to_fake.T, probing.fake_to_fake], dim=1),
        ]
    )
    pooled.fill_diagonal_(torch.inf)
    n = len(probing.real)
    nearest = pooled.topk(NEIGHBOURS, largest=False).indices
    realness = (nearest < n).float().mean(dim=1)
    return auc(realness[:n], realness[n:])


def coverage(probing: Probing) -> Tensor:
    """Share of real samples with a generated one in their ball (Naeem et al. 2020, with wide balls).

    Balls as wide as a mode make it ask whether a region is reached at all, not whether it is reached well.
    """
    k = max(1, round(BALL * len(probing.real)))
    radius = probing.real_to_real.kthvalue(k + 1, dim=1).values
    return (probing.real_to_fake.min(dim=1).values <= radius).float().mean()


PROBES: dict[str, Callable[[Probing], Tensor]] = {"fresh_critic_auc": fresh_critic_auc, "coverage": coverage}
