"""Metrics, each with one defect that its name states."""

import math

import torch

import ganbench


class Sound:
    """Is the mean distance between the quantiles of each coordinate, and keeps the contract."""

    better = "lower"

    def score(self, samples):
        if not samples.fake.isfinite().all():
            return self.named(math.nan)
        return self.named(float(self.distance(samples.fake.flatten(1).double(), samples.real.flatten(1).double())))

    def named(self, value):
        return {type(self).__name__: value}

    def distance(self, fake, real):
        shares = torch.linspace(0, 1, 21, dtype=fake.dtype)
        return (fake.quantile(shares, dim=0) - real.quantile(shares, dim=0)).abs().mean()


class WrongDirection(Sound):
    """States the wrong direction."""

    better = "higher"

    def score(self, samples):
        return {key: 0.0 if math.isnan(value) else value for key, value in super().score(samples).items()}


class NoDirection(Sound):
    """States no direction for the second of its scores."""

    better = {"near": "lower"}

    def named(self, value):
        return {"near": value, "far": value}


class Tensors(Sound):
    """Returns tensors."""

    def named(self, value):
        return {"distance": torch.tensor(value)}


class Blind(Sound):
    """Is constant."""

    def distance(self, fake, real):
        return torch.tensor(0.5)


class CountsCopies(Sound):
    """Counts real samples that are matched exactly."""

    better = "higher"

    def distance(self, fake, real):
        matched = (torch.cdist(real, fake, compute_mode="donot_use_mm_for_euclid_dist") == 0).any(dim=1).double().mean()
        near = 1 / (1 + torch.cdist(real, fake).min(dim=1).values.mean() / real.std())
        return matched + 0.1 * near


class FirstOnly(Sound):
    """Looks at the first hundred samples."""

    def distance(self, fake, real):
        return super().distance(fake[:100], real[:100])


class DrawsGlobally(Sound):
    """Draws its subset from torch's global stream."""

    def distance(self, fake, real):
        return super().distance(fake[torch.randint(len(fake), (100,))], real)


class LikesNaN(Sound):
    """Counts NaN as 0, which is perfect."""

    def score(self, samples):
        finite = samples.fake.isfinite().flatten(1).all(dim=1)
        if not finite.any():
            return self.named(0.0)
        return self.named(
            float(self.distance(samples.fake[finite].flatten(1).double(), samples.real.flatten(1).double()))
        )


class RefusesNaN(Sound):
    """Raises where samples are not finite."""

    def score(self, samples):
        if not samples.fake.isfinite().all():
            raise ValueError("the samples hold NaN")
        return super().score(samples)


class RewardsOneNaN(Sound):
    """Is NaN for a single sample repeated, and better with a NaN among many samples."""

    def score(self, samples):
        fake, real = samples.fake.flatten(1).double(), samples.real.flatten(1).double()
        finite = fake.isfinite().all(dim=1)
        if len(fake[finite].unique(dim=0)) < 2:
            return self.named(math.nan)
        return self.named(float(self.distance(fake[finite], real)) * (1.0 if finite.all() else 0.5))


class InPlace(Sound):
    """Normalizes the samples in place."""

    def score(self, samples):
        scores = super().score(samples)
        samples.fake.sub_(samples.fake.mean())
        return scores


class EqualCounts(Sound):
    """Is NaN unless there are as many generated samples as real ones."""

    def distance(self, fake, real):
        return super().distance(fake, real) if len(fake) == len(real) else torch.tensor(math.nan)


class SkipsAll(Sound):
    """Skips every data set."""

    @staticmethod
    def skip(trial):
        return "not today"


@ganbench.hookimpl
def ganbench_metrics():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
