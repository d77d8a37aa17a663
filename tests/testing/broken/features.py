"""Feature extractors, each with one defect that its name states."""

import torch
from torch.nn import functional

import ganbench

WEIGHTS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Sound:
    """Projects the mean, the spread and the corner of a sample onto four directions, and keeps the contract."""

    dim = 4
    preprocessing = "mean, spread and first value"
    taps = {"summary": 3}

    def __call__(self, samples, tap=""):
        summary = self.summarize(samples.flatten(1))
        rows = summary if tap else summary @ WEIGHTS.T
        return rows.masked_fill(~samples.isfinite().flatten(1).all(dim=1)[:, None], torch.nan)

    def summarize(self, x):
        return torch.stack([x.mean(1), x.std(1), x[:, 0]], dim=1)


class NotCallable:
    """Has no __call__."""

    dim = 4
    preprocessing = "none"

    def extract(self, samples, tap=""):
        return samples.flatten(1)[:, :2].repeat(1, 2)


class NoPreprocessing(Sound):
    """States nothing of what it does to samples."""

    preprocessing = ""


class ChecksumIsAVersion(Sound):
    """States a version where a digest belongs."""

    checksum = "v1.2"


class Column(Sound):
    """Loses an axis of length one."""

    def __call__(self, samples, tap=""):
        return super().__call__(samples, tap).squeeze(0)


class WrongDim(Sound):
    """Returns more features than it states."""

    dim = 3


class Float64(Sound):
    """Returns float64."""

    def __call__(self, samples, tap=""):
        return super().__call__(samples, tap).double()


class NotFinite(Sound):
    """Takes a logarithm of values that may be negative."""

    def summarize(self, x):
        return torch.stack([x.mean(1), x.std(1), x[:, :1].clamp(max=-0.0).mul(0).log()[:, 0]], dim=1)


class WrongTap(Sound):
    """States another dimension of its tap than that has."""

    taps = {"summary": 4}


class IgnoresSamples(Sound):
    """Is constant."""

    def summarize(self, x):
        return torch.ones(len(x), 3) + 0 * x.sum(1, keepdim=True)


class Augments(Sound):
    """Adds noise of its own stream."""

    stream = torch.Generator().manual_seed(1)

    def summarize(self, x):
        return super().summarize(x) + 0.01 * torch.randn(len(x), 3, generator=self.stream)


class NormalizesByTheBatch(Sound):
    """Divides by the spread of the finite samples of the batch."""

    def summarize(self, x):
        rows = super().summarize(x)
        finite = rows[rows.isfinite().all(1)]
        return rows / finite.std(dim=0, correction=0).clamp_min(0.1)


class ClipsNaN(Sound):
    """Makes an ordinary sample of one with a NaN."""

    def __call__(self, samples, tap=""):
        return super().__call__(samples.nan_to_num().clamp(-3, 3), tap)


class SpreadsNaN(Sound):
    """Gives all samples NaN if one is."""

    def __call__(self, samples, tap=""):
        rows = super().__call__(samples, tap)
        return rows + 0 * samples.sum()


class KeepsAGraph(Sound):
    """Has weights that are not frozen."""

    weight = torch.nn.Parameter(torch.eye(3))

    def summarize(self, x):
        return super().summarize(x) @ self.weight


class InPlace(Sound):
    """Clips the samples in place."""

    def __call__(self, samples, tap=""):
        return super().__call__(samples.mul_(0.5), tap)


class DrawsWeights(Sound):
    """Draws initial weights that it overwrites."""

    def prepare(self):
        torch.nn.Linear(3, 4).weight.data.copy_(WEIGHTS)


class WeightsAreElsewhere(Sound):
    """Has weights that are not here."""

    def prepare(self):
        raise FileNotFoundError("fetch the weights to /nowhere")


class Images(ganbench.Features):
    """Averages pictures of 8x8 pixels, by the base class; its length depends on their channels."""

    dim = 0
    preprocessing = "averaged to 8x8"

    @staticmethod
    def skip(trial):
        return None if trial.data.kind == "images" else "it reads images"

    def __call__(self, samples, tap=""):
        rows = functional.adaptive_avg_pool2d(samples, 8).flatten(1)
        return rows.masked_fill(~samples.isfinite().flatten(1).all(dim=1)[:, None], torch.nan)


@ganbench.hookimpl
def ganbench_features():
    for build in [*Sound.__subclasses__(), Sound, NotCallable, Images]:
        yield ganbench.Component(build.__name__, build)
