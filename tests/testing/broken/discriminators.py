"""Discriminators, each with one defect that its name states."""

import math

import torch
from torch import nn

import ganbench


class Sound(nn.Module):
    """A small discriminator that keeps the contract."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(data.shape), 8), nn.Softplus(), nn.Linear(8, 1))

    def forward(self, x, labels=None):
        return self.net(x).squeeze(1)


class Evaluating(Sound):
    """Is in evaluation mode when it is built."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        self.net.insert(3, nn.Dropout(0.1))
        self.eval()


class Row(Sound):
    """Returns all logits as one row."""

    def forward(self, x, labels=None):
        return self.net(x).T


class HeadsAsSamples(Sound):
    """Returns a list with a tensor for each sample."""

    def forward(self, x, labels=None):
        logits = super().forward(x)
        return [logits.roll(i) for i in range(len(x))]


class WithoutLogits(Sound):
    """Returns a mapping without logits."""

    def forward(self, x, labels=None):
        return {"features": super().forward(x)}


class Multiplies(Sound):
    """Declares a way to combine heads that there is not."""

    combine = "product"


class Everything(Sound):
    """Keeps the contract with a map, two heads and features."""

    combine = "sum"

    def forward(self, x, labels=None):
        hidden = self.net[:3](x)
        return {"logits": [self.net[3](hidden).squeeze(1), hidden[:, None]], "features": [hidden]}


class Probability(Sound):
    """Ends in a sigmoid."""

    def forward(self, x, labels=None):
        return torch.sigmoid(super().forward(x))


class WrongPack(Sound):
    """Declares packs, and returns a logit for each sample."""

    pack = 2


class ReturnsATuple(Sound):
    """Returns logits and features."""

    def forward(self, x, labels=None):
        return super().forward(x), x


class IgnoresInput(Sound):
    """Does not use its input."""

    def forward(self, x, labels=None):
        return super().forward(0 * x)


class Detached(Sound):
    """Detaches its input."""

    def forward(self, x, labels=None):
        return super().forward(x.detach())


class FirstOrder(Sound):
    """Has an input gradient that does not depend on its weights."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x, labels=None):
        with torch.no_grad():
            weight = self.net[1].weight.clone()
        through_input = nn.functional.linear(x.flatten(1), weight).sum(1)
        return through_input + super().forward(x.detach()) * self.scale


class KeepsHiddenState(Sound):
    """Keeps a value of the batch before outside the state_dict."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        self.before = []

    def forward(self, x, labels=None):
        logits = super().forward(x)
        shift = self.before[-1] if self.before else 0.0
        self.before.append(float(logits.mean().detach()))
        return logits - shift


@ganbench.hookimpl
def ganbench_discriminators():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
