"""torchgan's DCGAN and its plain losses (Pal and Das 2021) for ganbench."""

from typing import Literal

import torch
from torchgan import losses, models

import ganbench


def generator(data, *, latent_dim: int = 32, width: int = 8):
    """torchgan's DCGAN generator."""
    net = models.DCGANGenerator(latent_dim, data.shape[1], data.shape[0], width)
    net.latent_dim = latent_dim
    return net


def discriminator(data, *, width: int = 8):
    """torchgan's DCGAN discriminator."""
    return models.DCGANDiscriminator(data.shape[1], data.shape[0], width, last_nonlinearity=torch.nn.Identity())


class Loss:
    """torchgan's loss of the given kind."""

    def __init__(self, *, kind: Literal["Minimax", "LeastSquares", "Wasserstein"] = "Minimax"):
        self.of_d = getattr(losses, kind + "DiscriminatorLoss")()
        self.of_g = getattr(losses, kind + "GeneratorLoss")()

    def discriminator(self, d, real, fake):
        return self.of_d(d(real), d(fake))

    def generator(self, d, real, fake):
        return self.of_g(d(fake))


generator.skip = discriminator.skip = lambda t: None if t.data.shape[2:] in ((16,), (32,)) else "wants 16x16 or 32x32"
ganbench_generators = ganbench.hookimpl(lambda: [ganbench.Component("torchgan-dcgan", generator)])
ganbench_discriminators = ganbench.hookimpl(lambda: [ganbench.Component("torchgan-dcgan", discriminator)])
ganbench_losses = ganbench.hookimpl(lambda: [ganbench.Component("torchgan", Loss)])
