"""Losses, each with one defect that its name states."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F

import ganbench


class Sound:
    """The non-saturating loss, which keeps the contract."""

    def discriminator(self, d, real, fake):
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d, real, fake):
        return F.softplus(-d(fake)).mean()


class OfClasses(Sound):
    """Reads classes of D beside its logits, as it says, for data with classes; keeps the contract."""

    needs = ("classes",)

    @staticmethod
    def skip(trial):
        return None if trial.data.classes else "it needs classes"

    def generator(self, d, real, fake):
        return super().generator(d, real, fake) + F.cross_entropy(d.outputs(fake)["classes"], fake.labels)


class NeedsUnsaid(Sound):
    """Reads classes of D beside its logits without saying so."""

    def generator(self, d, real, fake):
        return super().generator(d, real, fake) + d.outputs(fake)["classes"].square().mean()


class Vector(Sound):
    """Lacks the mean."""

    def generator(self, d, real, fake):
        return F.softplus(-d(fake))


class PythonFloat(Sound):
    """Returns a Python float."""

    def generator(self, d, real, fake):
        return super().generator(d, real, fake).item()


class Sums(Sound):
    """Returns a sum."""

    def generator(self, d, real, fake):
        return F.softplus(-d(fake)).sum()


class FirstSampleOnly(Sound):
    """Uses the first sample of each batch."""

    def generator(self, d, real, fake):
        return F.softplus(-d(fake)[0])


class PartIsMissing(Sound):
    """Has an option that defaults to an unknown component."""

    def __init__(self, *, of: Annotated[Callable[..., Any], ganbench.Part("loss")] = "hinged") -> None: ...


class Overflows(Sound):
    """Takes the logarithm of a sigmoid."""

    def discriminator(self, d, real, fake):
        return -torch.log(torch.sigmoid(d(real))).mean() - torch.log(1 - torch.sigmoid(d(fake))).mean()


class WrongSignForG(Sound):
    """Has the wrong sign in G's loss."""

    def generator(self, d, real, fake):
        return F.softplus(d(fake)).mean()


class SwapsRealAndFake(Sound):
    """Swaps real and generated samples."""

    def discriminator(self, d, real, fake):
        return super().discriminator(d, fake, real)


class Detached(Sound):
    """Detaches G's loss."""

    def generator(self, d, real, fake):
        return F.softplus(-d(fake).detach()).mean() + 0 * d(real).mean()


class BlindTerm(Sound):
    """Computes the adversarial term of G's loss without gradients."""

    def generator(self, d, real, fake):
        with torch.no_grad():
            adversarial = super().generator(d, real, fake)
        return adversarial - fake.x.flatten(1)[:, 0].mean()


class IgnoresReal(Sound):
    """Does not use real samples."""

    def discriminator(self, d, real, fake):
        return F.softplus(d(fake)).mean()


class CallsBackward(Sound):
    """Leaves gradients behind in the frozen player."""

    def generator(self, d, real, fake):
        shown = ganbench.Batch(fake.x.detach().requires_grad_(True), fake.labels)
        known = getattr(d._run, "__closure__", None) or ()
        for weight in known[0].cell_contents.parameters() if known else ():
            weight.grad = torch.zeros_like(weight)
        return super().generator(d, real, fake) + 0 * d(shown).mean()


class DropsLabels(Sound):
    """Makes new batches without labels."""

    def generator(self, d, real, fake):
        return F.softplus(-d(ganbench.Batch(fake.x))).mean()


class InPlace(Sound):
    """Adds noise to the batch in place."""

    def discriminator(self, d, real, fake):
        with torch.no_grad():
            real.x.add_(0.01)
        return super().discriminator(d, real, fake)


class NoProbabilities(Sound):
    """Returns logits as probabilities."""

    def probabilities(self, real, fake):
        return real, fake


class CountsCalls(Sound):
    """Keeps a class-wide counter."""

    calls = [0]

    def generator(self, d, real, fake):
        self.calls[0] += 1
        return super().generator(d, real, fake) * (1 + 1e-3 * self.calls[0])


class SeedsInUse(Sound):
    """Seeds torch with a constant."""

    def discriminator(self, d, real, fake):
        torch.manual_seed(0)
        return super().discriminator(d, real, fake)


class SeedsAtRandom(Sound):
    """Seeds torch at random."""

    def generator(self, d, real, fake):
        torch.seed()
        return super().generator(d, real, fake)


class SetsAnomalyMode(Sound):
    """Leaves anomaly detection on."""

    def discriminator(self, d, real, fake):
        torch.autograd.set_detect_anomaly(True)
        return super().discriminator(d, real, fake)


class SetsMatmulPrecision(Sound):
    """Reduces the precision of all matrix products."""

    def __init__(self):
        torch.set_float32_matmul_precision("medium")


class DrawsInUse(Sound):
    """Draws from the stream that the training loop has seeded, which is allowed."""

    def discriminator(self, d, real, fake):
        share = torch.rand(())
        return super().discriminator(d, real, fake) * (0.9 + 0.1 * share)


class FailsForANumber(Sound):
    """Fails for a number, where the default is None."""

    def __init__(self, *, scale: float | None = None):
        if scale is not None:
            self.scale = scale.clamp(0, 1)


class FailsForAChoice(Sound):
    """Fails for one of its declared values."""

    def __init__(self, *, order: Literal[1, 2] | None = None):
        self.norm = None if order is None else {1: abs}[order]


@ganbench.hookimpl
def ganbench_losses():
    for build in [Sound, *Sound.__subclasses__()]:
        yield ganbench.Component(build.__name__, build)
