"""Data sets, each with one defect that its name states."""

import os

import torch

import ganbench


def draw(seed, n=1000):
    stream = torch.Generator().manual_seed(seed)
    return torch.rand(n, 1, 8, 8, generator=stream), torch.randint(3, (n,), generator=stream)


class Sound:
    """Random grey pictures in three classes, which keep the contract."""

    spec = ganbench.DataSpec("images", (1, 8, 8), value_range=(0.0, 1.0), classes=3)

    def training(self):
        return ganbench.Batch(*draw(1))

    def held_out(self):
        return ganbench.Batch(*draw(2))


class MissingValue(Sound):
    """Has one value that is not a number, in one of many samples."""

    def training(self):
        x, labels = draw(1, 5000)
        x[3333, 0, 2, 2] = float("nan")
        return ganbench.Batch(x, labels)


class NoSpec(Sound):
    """Has no spec."""

    spec = None


class ChannelsLast(Sound):
    """Has the channels last."""

    def training(self):
        x, labels = draw(1)
        return ganbench.Batch(x.movedim(1, -1), labels)


class BatchInSpec(Sound):
    """Has the batch size in its shape."""

    spec = ganbench.DataSpec("images", (1000, 1, 8, 8), value_range=(0.0, 1.0), classes=3)

    def training(self):
        x, labels = draw(1)
        return ganbench.Batch(x[:, None].expand(-1, 1000, -1, -1, -1)[:2], labels[:2])

    held_out = training


class Float64(Sound):
    """Returns float64."""

    def training(self):
        x, labels = draw(1)
        return ganbench.Batch(x.double(), labels)

    def held_out(self):
        x, labels = draw(2)
        return ganbench.Batch(x.double(), labels)


class OutOfRange(Sound):
    """States a wrong range."""

    spec = ganbench.DataSpec("images", (1, 8, 8), value_range=(-1.0, 0.5), classes=3)


class LabelsFromOne(Sound):
    """Numbers classes from one."""

    def training(self):
        x, labels = draw(1)
        return ganbench.Batch(x, labels + 1)


class ClassesNotStated(Sound):
    """Has labels, and no classes in its spec."""

    spec = ganbench.DataSpec("images", (1, 8, 8), value_range=(0.0, 1.0))


class SharesHeldOut(Sound):
    """Holds out training samples."""

    def held_out(self):
        return ganbench.Batch(*(part[:300] for part in draw(1)))


class PartsDiffer(Sound):
    """Holds out brighter pictures."""

    def held_out(self):
        x, labels = draw(2)
        return ganbench.Batch(x / 2 + 0.5, labels)


class RandomAtEveryCall(Sound):
    """Draws from the global stream at every call."""

    def training(self):
        return ganbench.Batch(torch.rand(1000, 1, 8, 8), torch.randint(3, (1000,)))


class ModesElsewhere:
    """States modes of another scale."""

    spec = ganbench.DataSpec("points", (2,), modes=2)
    modes = ganbench.Modes(torch.tensor([[10.0, 0.0], [0.0, 10.0]]), 0.1)

    def training(self, seed=1):
        stream = torch.Generator().manual_seed(seed)
        centre = self.modes.centres[torch.randint(2, (500,), generator=stream)] / 10
        return ganbench.Batch(centre + 0.1 * torch.randn(500, 2, generator=stream))

    def held_out(self):
        return self.training(2)


class ModesUncounted(ModesElsewhere):
    """States three modes and has two."""

    spec = ganbench.DataSpec("points", (2,), modes=3)


class CountsInstances(Sound):
    """Gives other samples with every object built."""

    made = []

    def __init__(self):
        self.made.append(self)

    def training(self):
        x, labels = draw(1)
        return ganbench.Batch((x + len(self.made) * 0.001).clamp(0, 1), labels)


class DependsOnItsProcess(Sound):
    """Gives other samples in every process."""

    def training(self):
        x, labels = draw(1)
        return ganbench.Batch((x + os.getpid() % 97 * 1e-5).clamp(0, 1), labels)


@ganbench.hookimpl
def ganbench_datasets():
    for build in [Sound, *Sound.__subclasses__(), ModesElsewhere, ModesUncounted]:
        yield ganbench.Component(build.__name__, build)
