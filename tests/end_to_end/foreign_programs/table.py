"""CTGAN's pair (Xu et al. 2019): G is told a category beside its noise, and D judges ten rows with theirs, for ganbench."""

import torch
from foreign_networks import PackedDiscriminator, ResidualGenerator

import ganbench

ROWS = ganbench.DataSpec("rows", (4,), condition=(3,))


class Generator(ResidualGenerator):
    """Residual layers."""

    check_data = (ROWS,)
    latent_dim = 16

    def __init__(self, data):
        super().__init__(self.latent_dim + data.condition[0], (32,), data.shape[0])

    def forward(self, z, labels=None, condition=None):
        return super().forward(torch.cat([z, condition], dim=1))


class Discriminator(PackedDiscriminator):
    """Ten rows at once."""

    check_data = (ROWS,)
    pack = 10

    def __init__(self, data):
        super().__init__(data.shape[0] + data.condition[0], (32,), self.pack)

    def forward(self, x, labels=None, condition=None):
        return super().forward(torch.cat([x, condition], dim=1)).squeeze(1)


ganbench_generators = ganbench.hookimpl(lambda: [ganbench.Component("ctgan", Generator)])
ganbench_discriminators = ganbench.hookimpl(lambda: [ganbench.Component("ctgan", Discriminator)])
