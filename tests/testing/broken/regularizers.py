"""Regularizers, each with one defect that its name states."""

import torch

import ganbench


class Sound:
    """R1, which keeps the contract."""

    zero_for = "flat"

    def penalty(self, d, real, fake):
        return ganbench.input_gradient(d, real).flatten(1).square().sum(1).mean()


class Negative(Sound):
    """Is negative."""

    def penalty(self, d, real, fake):
        return -super().penalty(d, real, fake)


class PerSample(Sound):
    """Lacks the mean."""

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
    """Makes a new batch without labels."""

    def penalty(self, d, real, fake):
        return super().penalty(d, ganbench.Batch(real.x), fake)


class InPlace(Sound):
    """Adds noise to the batch in place."""

    def penalty(self, d, real, fake):
        real.x.add_(0.01)
        return super().penalty(d, real, fake)


class NotOfWeights(Sound):
    """Takes the player's network, and computes a penalty of a copy of its weights."""

    zero_for = None

    def penalty(self, d, real, fake, *, module):
        return sum(weight.detach().square().sum() for weight in module.parameters()) + 0 * d(real).mean()


class NotOfG(Sound):
    """Is G's, and computes a penalty of what G made without G."""

    zero_for = None
    player = "generator"

    def penalty(self, d, real, fake, *, generate):
        return generate(fake.z, fake).x.detach().square().mean()


class UnknownPlayer(Sound):
    """Declares an unknown player."""

    player = "referee"


class FractionalInterval(Sound):
    """Declares half an update as interval."""

    every = 0.5


class Rewards:
    """Is negative, as it declares, and made from G's neighbouring samples; keeps the contract."""

    player = "generator"
    may_be_negative = True

    def penalty(self, d, real, fake, *, generate, module):
        assert isinstance(module, torch.nn.Module)
        return -(generate(fake.z + 0.1, fake).x - generate(fake.z, fake).x).square().mean()


class MisspeltPenalty:
    """Has no method that is called."""

    def penalize(self, d, real, fake):
        return 0


class ReplacesWeights:
    """Replaces weights that the optimizer has."""

    def after_step(self, module):
        for layer in module.net:
            if hasattr(layer, "weight"):
                layer.weight = torch.nn.Parameter(layer.weight.detach().clamp(-0.1, 0.1))


class ChangesCopies:
    """Clips copies."""

    def after_step(self, module):
        for weight in module.parameters():
            weight.detach().clone().clamp_(-0.1, 0.1)


@ganbench.hookimpl
def ganbench_regularizers():
    for build in [Sound, *Sound.__subclasses__(), Rewards, MisspeltPenalty, ReplacesWeights, ChangesCopies]:
        yield ganbench.Component(build.__name__, build)
