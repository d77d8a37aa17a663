"""Generators, each with one defect that its name states."""

import copy
import os
import tempfile

import numpy as np
import torch
from torch import nn

import ganbench


class Sound(nn.Module):
    """A linear generator that keeps the contract."""

    latent_dim = 4

    def __init__(self, data: ganbench.DataSpec, *, bias: bool = True) -> None:
        super().__init__()
        self.shape, self.range = data.shape, data.value_range
        self.net = nn.Linear(4, int(np.prod(data.shape)), bias=bias)

    def forward(self, z, labels=None):
        x = self.net(z).view(-1, *self.shape)
        return x if self.range is None else torch.tanh(x).clamp(*self.range)


class WrongLatentDim(Sound):
    """States another length than it takes."""

    latent_dim = 5

    def forward(self, z, labels=None):
        return super().forward(z[:, :4])


class LatentDimIsText(Sound):
    """States the length of its noise as text."""

    latent_dim = "4"


class WrongShape(Sound):
    """StateOutsideTheModule the shape of an image."""

    def forward(self, z, labels=None):
        return super().forward(z).flatten(1).unsqueeze(1)


class Float64(Sound):
    """Returns float64."""

    def forward(self, z, labels=None):
        return super().forward(z).double()


class OtherDevice(Sound):
    """Returns a tensor on another device."""

    def forward(self, z, labels=None):
        return super().forward(z).to("meta")


class NotFinite(Sound):
    """Standardizes over the batch, which is undefined for one sample."""

    def forward(self, z, labels=None):
        x = super().forward(z)
        return x if len(x) > 1 else x / (x - x.mean(0)).abs() * 0


class Unbounded(Sound):
    """Ignores the value range."""

    def forward(self, z, labels=None):
        return self.net(z).view(-1, *self.shape)


class IgnoresNoise(Sound):
    """Generates the same sample for all noise."""

    def forward(self, z, labels=None):
        return super().forward(z[:1].expand_as(z) + 0 * z)


class UnusedWeight(Sound):
    """Has a layer that forward does not use."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        self.unused = nn.Linear(2, 2)


class Unfreezes(Sound):
    """Unfreezes itself."""

    def forward(self, z, labels=None):
        self.requires_grad_(True)
        return super().forward(z)


class StateOutsideTheModule(Sound):
    """Keeps a random scale outside the state_dict."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        self.scale = [1 + torch.rand(())]

    def forward(self, z, labels=None):
        return super().forward(z * self.scale[0])


class CountsCalls(Sound):
    """Scales its output with the number of calls."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        self.calls = 0

    def forward(self, z, labels=None):
        self.calls += 1
        return super().forward(z / self.calls)

    def __deepcopy__(self, memo):
        made = CountsCalls.__new__(CountsCalls)
        nn.Module.__init__(made)
        made.shape, made.range, made.calls, made.net = self.shape, self.range, self.calls, copy.deepcopy(self.net)
        return made


class Seeds(Sound):
    """Seeds torch's global stream."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        torch.manual_seed(0)
        super().__init__(data)


class UsesNumpysStream(Sound):
    """Draws its weights from numpy's global stream."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        super().__init__(data)
        with torch.no_grad():
            self.net.bias += torch.from_numpy(np.random.rand(len(self.net.bias))).float()


class Positional(Sound):
    """Has a positional option."""

    def __init__(self, data: ganbench.DataSpec, width: int = 3) -> None:
        super().__init__(data)


class Unannotated(Sound):
    """Has an option without annotation."""

    def __init__(self, data: ganbench.DataSpec, *, width=3) -> None:
        super().__init__(data)


class DefaultOfAnotherType(Sound):
    """Has an int option whose default is text."""

    def __init__(self, data: ganbench.DataSpec, *, width: int = "3") -> None:
        super().__init__(data)


class OptionFails(Sound):
    """Fails for a value of its declared type."""

    def __init__(self, data: ganbench.DataSpec, *, deep: bool = False) -> None:
        super().__init__(data)
        if deep:
            self.net = self.netz


class NoDocstring(Sound):
    # no docstring of its own
    pass


NoDocstring.__doc__ = None


class SkipsAll(Sound):
    """Skips everything."""

    @staticmethod
    def skip(trial):
        return "not today"


class ChangesDirectory(Sound):
    """Changes the working directory."""

    def forward(self, z, labels=None):
        os.chdir(tempfile.gettempdir())
        return super().forward(z, labels)


@ganbench.hookimpl
def ganbench_generators():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
