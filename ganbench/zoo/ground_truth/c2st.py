"""A classifier two-sample test (Lopez-Paz and Oquab 2017), by a strong classifier trained apart from the run."""

from __future__ import annotations

import torch
from scipy.stats import rankdata
from torch import Tensor, nn

STEPS, BATCH_SIZE, WIDTH, LR = 200, 256, 96, 7e-3
MAX_FEATURE = 10.0  # standard deviations at which inputs are clamped


def auc(positive: Tensor, negative: Tensor) -> float:
    """Return P(positive > negative), ties counting half, by the rank sum (Mann and Whitney 1947)."""
    both = torch.cat([positive, negative]).double().numpy()
    ranks = rankdata(both)[: len(positive)].sum()
    return float((ranks - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


@torch.enable_grad()
def c2st_auc(real: Tensor, fake: Tensor) -> float:
    """Return the AUC of a classifier trained on two thirds of `real` and `fake`, of shape (N, *shape), on the rest.

    It is 1 if generated samples are not finite.
    """
    real, fake = real.flatten(1), fake.flatten(1)
    if not torch.isfinite(fake).all():
        return 1.0
    n = 2 * min(len(real), len(fake)) // 3
    centre, spread = real.mean(0), real.std(0).clamp_min(0.05 * real.std())
    scaled = [(part - centre) / spread for part in (real, fake)]
    x = torch.cat([part[:n] for part in scaled]).clamp(-MAX_FEATURE, MAX_FEATURE)
    is_real = torch.cat([torch.ones(n), torch.zeros(n)])
    critic = _critic(x.shape[1])
    optimizer = torch.optim.Adam(critic.parameters(), lr=LR, weight_decay=1e-4, fused=True)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH_SIZE,))
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(critic(x[rows]).squeeze(1), is_real[rows]).backward()
        optimizer.step()
        rate.step()
    with torch.no_grad():
        return auc(*(critic(part[n:].clamp(-MAX_FEATURE, MAX_FEATURE)).squeeze(1) for part in scaled))


def _critic(dimensions: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(dimensions, WIDTH), nn.SiLU()),
        *(nn.Linear(WIDTH, WIDTH), nn.SiLU()),
        *(nn.Linear(WIDTH, WIDTH), nn.SiLU()),
        nn.Linear(WIDTH, 1),
    )
