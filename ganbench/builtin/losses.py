"""Probabilities from logits that mean something only up to a shift.

Minimax loss.

Non-saturating loss.

Least-squares loss.

Hinge loss.

Wasserstein loss.

Relativistic paired loss.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

import ganbench


def around_midpoint(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sigmoids about the middle between the two means: 1/2 each where D cannot tell, as the textbook has it."""
    middle = (real.mean() + fake.mean()) / 2
    return torch.sigmoid(real - middle), torch.sigmoid(fake - middle)


class Minimax(ganbench.Loss):
    """The original GAN's value V(D, G), which D raises and G lowers (Goodfellow et al. 2014); saturates."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-V(D, G) = -E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E log(1 - D(G(z))), flat where D is sure."""
        return -F.softplus(d(fake)).mean()


class NonSaturating(ganbench.Loss):
    """The original GAN's loss for D, and -log D(G(z)) for G, which does not saturate (Goodfellow et al. 2014)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log D(G(z))."""
        return F.softplus(-d(fake)).mean()


class LeastSquares(ganbench.Loss):
    """Least squares to 1 for real and 0 for generated (LSGAN, Mao et al. 2017)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """(E (d(x) - 1)^2 + E d(G(z))^2) / 2."""
        return ((d(real) - 1).square().mean() + d(fake).square().mean()) / 2

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E (d(G(z)) - 1)^2 / 2."""
        return (d(fake) - 1).square().mean() / 2

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The least-squares optimum is itself the probability of being real."""
        return real.clamp(0, 1), fake.clamp(0, 1)


class Hinge(ganbench.Loss):
    """Hinge loss (Lim and Ye 2017; Miyato et al. 2018)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E max(0, 1 - d(x)) + E max(0, 1 + d(G(z)))."""
        return F.relu(1 - d(real)).mean() + F.relu(1 + d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()


class Wasserstein(ganbench.Loss):
    """Difference of critic means (WGAN, Arjovsky et al. 2017); needs a penalty or clipping."""

    probabilities = staticmethod(around_midpoint)

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """E d(G(z)) - E d(x)."""
        return d(fake).mean() - d(real).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E d(G(z))."""
        return -d(fake).mean()


class Relativistic(ganbench.Loss):
    """D tells a real sample from a generated one beside it (Jolicoeur-Martineau 2019; R3GAN, Huang et al. 2024)."""

    probabilities = staticmethod(around_midpoint)

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log sigmoid(d(x) - d(G(z)))."""
        return F.softplus(d(fake) - d(real)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """-E log sigmoid(d(G(z)) - d(x))."""
        return F.softplus(d(real) - d(fake)).mean()
