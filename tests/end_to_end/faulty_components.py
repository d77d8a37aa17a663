"""A plugin file whose components each have one fault."""

import ctypes
import os
import random
import signal
import sys
import tempfile
import threading
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import ganbench


def loss_with(update):
    """Return a loss that calls `update` with its number of calls, and is correct otherwise."""

    class Faulty(ganbench.Loss):
        """Non-saturating, with a fault."""

        def __init__(self):
            self.calls = 0

        def discriminator(self, d, real, fake):
            self.calls += 1
            update(self.calls)
            return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()

        def generator(self, d, real, fake):
            return F.softplus(-d(fake)).mean()

    return Faulty


def at(step, fault):
    """Return a loss with a fault at one step."""
    return loss_with(lambda calls: fault() if calls == step else None)


def raises():
    raise RuntimeError("failed at step 500")


def hangs():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def forks():
    if os.fork() == 0:
        time.sleep(60)
    os._exit(8)


def floods():
    for stream in (sys.stdout, sys.stderr):
        for _ in range(2000):
            stream.write("a line of a flood\n" * 500)
    os.write(1, b"the last line\n")


def allocates():
    kept = []
    while True:
        kept.append(torch.ones(50_000_000))


def seeds(calls):
    torch.manual_seed(calls)
    random.seed(calls)
    np.random.seed(calls)


def settings():
    torch.autograd.set_detect_anomaly(True)
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(2)
    os.environ["OMP_NUM_THREADS"] = "2"


def another_type():
    torch.set_default_dtype(torch.float64)


def leaves_a_thread():
    def change_settings():
        while True:
            torch.manual_seed(0)
            torch.set_num_threads(2)

    threading.Thread(target=change_settings).start()


def closes_output():
    sys.stdout.close()
    sys.stderr.close()
    os.close(1)
    os.close(2)


class FailsToBuild:
    """Cannot be built."""

    def __init__(self):
        raise ValueError("cannot be built")


class NotANumber:
    """Gives NaN."""

    def discriminator(self, d, real, fake):
        return d(real).mean() * float("nan")

    def generator(self, d, real, fake):
        return d(fake).mean()


class VectorLoss(loss_with(lambda calls: None)):
    """Forgets the mean."""

    def generator(self, d, real, fake):
        return F.softplus(-d(fake))


class Linear(nn.Module):
    """A linear generator."""

    latent_dim = 2
    width = 2

    def __init__(self, data):
        super().__init__()
        self.net = nn.Linear(2, self.width)

    def forward(self, z, labels=None):
        return self.net(z)


class WrongShape(Linear):
    """Generates points of three dimensions."""

    width = 3


class WrongDevice(Linear):
    """Returns a tensor without storage."""

    def forward(self, z, labels=None):
        return super().forward(z).to("meta")


class Double(Linear):
    """Returns float64."""

    def forward(self, z, labels=None):
        return super().forward(z).double()


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("raises-in-build", FailsToBuild)
    yield ganbench.Component("raises-at-step-500", at(500, raises))
    yield ganbench.Component("not-a-number", NotANumber)
    yield ganbench.Component("vector-loss", VectorLoss)
    yield ganbench.Component("exits", at(5, lambda: sys.exit(3)))
    yield ganbench.Component("dies", at(5, lambda: os._exit(7)))
    yield ganbench.Component("crashes", at(5, lambda: ctypes.string_at(0)))
    yield ganbench.Component("hangs", at(5, hangs))
    yield ganbench.Component("floods", at(5, floods))
    yield ganbench.Component("seeds", loss_with(seeds))
    yield ganbench.Component("threads", at(50, lambda: torch.set_num_threads(2)))
    yield ganbench.Component("settings", at(50, settings))
    yield ganbench.Component("another-type", at(5, another_type))
    yield ganbench.Component("forks", at(5, forks))
    yield ganbench.Component("allocates", at(5, allocates))
    yield ganbench.Component("leaves-a-thread", at(95, leaves_a_thread))
    yield ganbench.Component("closes-output", at(5, closes_output))
    yield ganbench.Component("changes-folder", at(5, lambda: os.chdir(tempfile.gettempdir())))


@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("wrong-shape", WrongShape)
    yield ganbench.Component("wrong-device", WrongDevice)
    yield ganbench.Component("float64", Double)
