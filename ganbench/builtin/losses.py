"""GAN losses.

D(x) and D(G(z)) are sigmoids of the logits d(x) and d(G(z)), unless a loss says otherwise; E is the mean over a batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

import ganbench


class Minimax(ganbench.Loss):
    """The original GAN's value V(D, G), which D maximizes and G minimizes (Goodfellow et al. 2014); it saturates."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -V(D, G) = -E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return E log(1 - D(G(z))), whose gradient vanishes where D is confident."""
        return -F.softplus(d(fake)).mean()


class NonSaturating(ganbench.Loss):
    """The original GAN's loss for D, and -log D(G(z)) for G, which does not saturate (Goodfellow et al. 2014)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -E log D(x) - E log(1 - D(G(z)))."""
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -E log D(G(z))."""
        return F.softplus(-d(fake)).mean()


class LeastSquares(ganbench.Loss):
    """Least squares to 1 for real and 0 for generated (LSGAN, Mao et al. 2017)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return (E (d(x) - 1)^2 + E d(G(z))^2) / 2."""
        return ((d(real) - 1).square().mean() + d(fake).square().mean()) / 2

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return E (d(G(z)) - 1)^2 / 2."""
        return (d(fake) - 1).square().mean() / 2

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits, clipped to [0, 1]: the optimal D outputs the probability of being real itself."""
        return real.clamp(0, 1), fake.clamp(0, 1)


class Hinge(ganbench.Loss):
    """Hinge loss (Lim and Ye 2017; Miyato et al. 2018)."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return E max(0, 1 - d(x)) + E max(0, 1 + d(G(z)))."""
        return F.relu(1 - d(real)).mean() + F.relu(1 + d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -E d(G(z))."""
        return -d(fake).mean()


class Wasserstein(ganbench.Loss):
    """Difference of the critic's means (WGAN, Arjovsky et al. 2017); needs a gradient penalty or weight clipping."""

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return E d(G(z)) - E d(x)."""
        return d(fake).mean() - d(real).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -E d(G(z))."""
        return -d(fake).mean()

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sigmoids about the midpoint of the means, since these logits are defined only up to a shift."""
        return _sigmoids_about_midpoint(real, fake)


class Relativistic(ganbench.Loss):
    """Relativistic paired loss: D compares each real sample with a generated one (Jolicoeur-Martineau 2019).

    With R1 and R2 it is the loss of R3GAN (Huang et al. 2024).
    """

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -E log sigmoid(d(x) - d(G(z)))."""
        return F.softplus(d(fake) - d(real)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return -E log sigmoid(d(G(z)) - d(x))."""
        return F.softplus(d(real) - d(fake)).mean()

    def probabilities(self, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sigmoids about the midpoint of the means, since these logits are defined only up to a shift."""
        return _sigmoids_about_midpoint(real, fake)


def _sigmoids_about_midpoint(real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sigmoids of the logits minus the midpoint of the two means: 1/2 each if D cannot distinguish them."""
    midpoint = (real.mean() + fake.mean()) / 2
    return torch.sigmoid(real - midpoint), torch.sigmoid(fake - midpoint)
