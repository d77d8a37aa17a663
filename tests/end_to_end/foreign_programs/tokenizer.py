"""The patch discriminator of taming-transformers (Esser et al. 2021) for ganbench."""

from foreign_networks import NLayerDiscriminator

import ganbench


class Patches(NLayerDiscriminator):
    """A map of logits, one a patch."""

    check_data = (ganbench.DataSpec("images", (3, 16, 16), value_range=(-1.0, 1.0)),)

    def __init__(self, data, *, width: int = 8):
        super().__init__(data.shape[0], width)

    def forward(self, x, labels=None):
        return super().forward(x)


ganbench_discriminators = ganbench.hookimpl(lambda: [ganbench.Component("taming", Patches)])
