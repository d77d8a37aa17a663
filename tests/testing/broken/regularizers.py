"""Regularizers, each with one defect that its name states."""

import torch

import ganbench


class Sound:
    """R1, which keeps the contract."""

    zero_for = "flat"

    def penalty(self, d, real, fake):
        return ganbench.input_gradient(d, real).flatten(1).square().sum(1).mean()


class Negative(Sound):
    """Pays the player."""

    def penalty(self, d, real, fake):
        return -super().penalty(d, real, fake)


class PerSample(Sound):
    """Forgets the mean."""

    def penalty(self, d, real, fake):
        return ganbench.input_gradient(d, real).flatten(1).square().sum(1)


class Shifted(Sound):
    """Is never zero."""

    def penalty(self, d, real, fake):
        return super().penalty(d, real, fake) + 1


class FirstOrder(Sound):
    """Cannot be differentiated again."""

    def penalty(self, d, real, fake):
        return super().penalty(d, real, fake).detach() + 0 * d(real).mean()


class DropsLabels(Sound):
    """Makes a batch anew."""

    def penalty(self, d, real, fake):
        return super().penalty(d, ganbench.Batch(real.x), fake)


class InPlace(Sound):
    """Adds noise to the batch itself."""

    def penalty(self, d, real, fake):
        real.x.add_(0.01)
        return super().penalty(d, real, fake)


class Referee(Sound):
    """Belongs to nobody."""

    player = "referee"


class Sometimes(Sound):
    """Applies at half an update."""

    every = 0.5


class Nothing:
    """Has a method that nobody calls."""

    def penalize(self, d, real, fake):
        return 0


class Replaces:
    """Gives the module new weights that its optimizer does not know."""

    def after_step(self, module):
        for layer in module.net:
            if hasattr(layer, "weight"):
                layer.weight = torch.nn.Parameter(layer.weight.detach().clamp(-0.1, 0.1))


class ActsOnCopies:
    """Clips copies."""

    def after_step(self, module):
        for weight in module.parameters():
            weight.detach().clone().clamp_(-0.1, 0.1)


@ganbench.hookimpl
def ganbench_regularizers():
    for build in [Sound, *Sound.__subclasses__(), Nothing, Replaces, ActsOnCopies]:
        yield ganbench.Component(build.__name__, build)
