"""HiFi-GAN's discriminators (Kong et al. 2020), which take both signals and return four lists, for ganbench."""

from foreign_networks import OfPeriod, OfScale, Several
from torch import nn

import ganbench

SIGNALS = ganbench.DataSpec("waveforms", (1, 64), value_range=(-1.0, 1.0))


class Discriminators(nn.Module):
    """Five periods and three scales: a list of logits, and a list of lists of features."""

    check_data = (SIGNALS,)
    combine = "sum"

    def __init__(self, data):
        super().__init__()
        self.mpd = Several(*map(OfPeriod, (2, 3, 5, 7, 11)))
        self.msd = Several(OfScale(), OfScale(), OfScale(), pool=True)

    def forward(self, x, labels=None):
        (logits, _, features, _), (more, _, more_features, _) = (d(x, x[:1]) for d in (self.mpd, self.msd))
        return {"logits": logits + more, "features": features + more_features}


ganbench_discriminators = ganbench.hookimpl(lambda: [ganbench.Component("hifi-gan", Discriminators)])
