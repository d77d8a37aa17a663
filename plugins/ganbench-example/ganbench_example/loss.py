"""A logistic loss with a margin."""

import torch
import torch.nn.functional as F

import ganbench


class SoftplusMargin(ganbench.Loss):
    """Logistic loss in which D is trained to separate real from generated samples by a margin."""

    def __init__(self, *, margin: float = 1.0) -> None:
        self.margin = margin

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return E softplus(margin - (d(x) - d(G(z)))), over pairs."""
        return F.softplus(self.margin - d(real) + d(fake)).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> torch.Tensor:
        """Return E softplus(d(x) - d(G(z))), over pairs."""
        return F.softplus(d(real) - d(fake)).mean()
