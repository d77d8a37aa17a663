"""Augmentations, each with one defect that its name states."""

import torch

import ganbench


class Sound:
    """Noise, which keeps the contract."""

    def __init__(self, data, *, sigma: float = 0.1):
        self.sigma = sigma

    def noise(self, batch, stream):
        return self.sigma * torch.randn(batch.x.shape, generator=stream)

    def __call__(self, batch, stream):
        return batch.with_x(batch.x + self.noise(batch, stream))


class ReturnsATensor(Sound):
    """Returns the samples alone."""

    def __call__(self, batch, stream):
        return super().__call__(batch, stream).x


class DropsLabels(Sound):
    """Makes a new batch."""

    def __call__(self, batch, stream):
        return ganbench.Batch(super().__call__(batch, stream).x)


class InPlace(Sound):
    """Adds the noise in place."""

    def __call__(self, batch, stream):
        with torch.no_grad():
            batch.x.add_(self.noise(batch, stream))
        return batch


class Rounds(Sound):
    """Cuts the gradient off."""

    def __call__(self, batch, stream):
        return batch.with_x(super().__call__(batch, stream).x.round())


class OnceOnly(torch.autograd.Function):
    """The identity, with a first derivative alone."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, gradient):
        return gradient


class OnceDifferentiable(Sound):
    """Can be differentiated once."""

    def __call__(self, batch, stream):
        return batch.with_x(OnceOnly.apply(super().__call__(batch, stream).x))


class UsesTheGlobalStream(Sound):
    """Draws from torch's global stream."""

    def __call__(self, batch, stream):
        return batch.with_x(batch.x + self.sigma * torch.randn_like(batch.x))


@ganbench.hookimpl
def ganbench_augmentations():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
