"""Components that skip everything but images, and record the data that they are built for or called with."""

import math

import torch
import torch.nn.functional as F
from torch import nn

import ganbench

SEEN = {kind: [] for kind in ("generator", "discriminator", "loss", "regularizer", "metric", "diagnosis")}


class ImagesOnly:
    """Skips everything but images."""

    @staticmethod
    def skip(trial):
        return None if trial.data.kind == "images" else f"it needs images, not {trial.data.kind}"


class Generator(ImagesOnly, nn.Module):
    """A linear generator of images; a conditional one skips data without classes, and large images."""

    latent_dim = 4

    def __init__(self, data, *, conditional: bool = False, width: int = 1):
        super().__init__()
        SEEN["generator"].append((data, conditional))
        self.shape = data.shape
        self.net = nn.Linear(4, math.prod(data.shape))

    @staticmethod
    def skip(trial):
        if trial.components.generator.options.get("conditional") and trial.data.shape != (3, 32, 32):
            return "a conditional one needs 32x32"
        return ImagesOnly.skip(trial)

    def forward(self, z, labels=None):
        return (torch.tanh(self.net(z)).view(-1, *self.shape) + 1) / 2


class Discriminator(ImagesOnly, nn.Module):
    """A small discriminator of images."""

    def __init__(self, data, *, width: int = 4):
        super().__init__()
        SEEN["discriminator"].append((data, None))
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(data.shape), 4), nn.Softplus(), nn.Linear(4, 1))

    def forward(self, x, labels=None):
        return self.net(x).squeeze(1)


class Loss(ImagesOnly):
    """The non-saturating loss, for images."""

    def discriminator(self, d, real, fake):
        SEEN["loss"] += [real.x.shape, fake.x.shape]
        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

    def generator(self, d, real, fake):
        SEEN["loss"] += [real.x.shape, fake.x.shape]
        return F.softplus(-d(fake)).mean()


class Regularizer(ImagesOnly):
    """R1, for images, which also clips weights."""

    zero_for = "flat"

    def penalty(self, d, real, fake):
        SEEN["regularizer"] += [real.x.shape, fake.x.shape]
        return ganbench.input_gradient(d, real).flatten(1).square().sum(1).mean()

    @torch.no_grad()
    def after_step(self, module):
        for weight in module.parameters():
            weight.clamp_(-0.1, 0.1)


class Metric(ImagesOnly):
    """Distance between mean images."""

    better = "lower"

    def score(self, samples):
        SEEN["metric"].append(samples.real.shape)
        gap = (samples.fake.mean(0) - samples.real.mean(0)).abs().mean() + abs(samples.fake.std() - samples.real.std())
        return {"gap": float(gap)}


class Diagnosis(ImagesOnly):
    """Finds nothing, except oscillation in the recorded run of images."""

    loud_on = "oscillation"

    def diagnose(self, history):
        SEEN["diagnosis"] += list(history.columns.get("loss_d", ())[:1])
        return []


class PointsNamedByTheRun(Diagnosis):
    """Declares a recorded run whose data it skips."""

    loud_on = "mode-collapse"


@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("images-only", Generator)


@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("images-only", Discriminator)


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("images-only", Loss)


@ganbench.hookimpl
def ganbench_regularizers():
    yield ganbench.Component("images-only", Regularizer)


@ganbench.hookimpl
def ganbench_metrics():
    yield ganbench.Component("images-only", Metric)


@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("images-only", Diagnosis)
    yield ganbench.Component("points-named-by-the-run", PointsNamedByTheRun)
