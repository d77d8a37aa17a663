"""Measure the overhead of a monitor: the same training loop with and without it, in one process.

    python benchmarks/monitor_overhead.py [--rounds 5] [--kind ring]... [--steps 1000]

What a monitor does is bounded: at most forty observations and six probes of so many samples. So its share falls as runs
get longer; the budgets here are short ones. Two copies of a loop alternate every few steps, so that changes of the
machine's speed affect both. Printed are the medians, over rounds, of the ratios of CPU time: for the whole budget, for a
step without an observation, and by the time that `monitor.step()` takes alone, which other programs disturb least. Then
each loop runs by itself in a process of its own, with and without a monitor: how much more memory it needs at its peak.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench

BLOCK_STEPS = 20  # that one copy takes before the other goes on
STEPS = {"ring": 3000, "grey-16": 1000, "colour-32": 600, "colour-128": 200}  # the budget of each kind of loop
LATENT = 16


def make_points() -> tuple[torch.Tensor, nn.Module, nn.Module, int]:
    """Return a ring of points, G, D and a batch size."""
    angle = torch.randint(8, (4096,)) * torch.pi / 4
    real = torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(4096, 2)
    g, d = (
        nn.Sequential(nn.Linear(i, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, o))
        for i, o in ((LATENT, 2), (2, 1))
    )
    return real, g, d, 128


def make_pictures(channels: int, side: int, n: int, batch: int) -> tuple[torch.Tensor, nn.Module, nn.Module, int]:
    """Return `n` pictures, a DCGAN for them of 64 channels at most, and a batch size."""
    real = torch.rand(n, channels, side, side) * 2 - 1
    widths = [min(64, 16 * 2**i) for i in range(side.bit_length() - 3)]  # from the picture down to 4 pixels
    up: list[nn.Module] = [nn.Linear(LATENT, widths[-1] * 16), nn.Unflatten(1, (widths[-1], 4, 4))]
    down: list[nn.Module] = []
    for wide, narrow in zip(widths[::-1], [*widths[-2::-1], channels], strict=True):
        up += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1)]
    for narrow, wide in zip([channels, *widths], widths, strict=False):
        down += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2)]
    return real, nn.Sequential(*up, nn.Tanh()), nn.Sequential(*down, nn.Flatten(), nn.Linear(widths[-1] * 16, 1)), batch


KINDS: dict[str, Callable[[], tuple[torch.Tensor, nn.Module, nn.Module, int]]] = {
    "ring": make_points,
    "grey-16": lambda: make_pictures(1, 16, 2048, 64),
    "colour-32": lambda: make_pictures(3, 32, 2048, 64),
    "colour-128": lambda: make_pictures(3, 128, 512, 32),
}


class Loop:
    """A GAN of one of `KINDS`, with the usual training step, and a monitor if `monitored`."""

    def __init__(self, kind: str, monitored: bool) -> None:
        torch.manual_seed(0)
        self.real, self.g, self.d, self.batch = KINDS[kind]()
        self.optimizers = [torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999), fused=True) for m in (self.g, self.d)]
        self.monitor = ganbench.Monitor(self.g, self.d, real=self.real, budget=STEPS[kind]) if monitored else None
        self.seconds: list[float] = []
        self.watching = 0.0  # seconds in `monitor.step()`

    def run_block(self) -> None:
        for _ in range(BLOCK_STEPS):
            start = time.thread_time()
            self.step()
            self.seconds.append(time.thread_time() - start)

    def step(self) -> None:
        fake = self.g(torch.randn(self.batch, LATENT))
        loss = softplus(-self.d(self.real[torch.randint(len(self.real), (self.batch,))])).mean()
        loss = loss + softplus(self.d(fake.detach())).mean()
        self.optimizers[1].zero_grad()
        loss.backward()
        self.optimizers[1].step()
        loss = softplus(-self.d(fake)).mean()
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        if self.monitor is not None:
            start = time.thread_time()
            self.monitor.step()
            self.watching += time.thread_time() - start


def measure_time(kind: str, rounds: int) -> None:
    """Print the ratios of CPU time."""
    whole_run, median_step, own_steps = [], [], []
    for _ in range(rounds):
        loops = [Loop(kind, monitored) for monitored in (False, True)]
        for _ in range(STEPS[kind] // BLOCK_STEPS):
            for loop in loops:
                loop.run_block()
        bare, monitored_seconds = (loop.seconds for loop in loops)
        assert loops[1].monitor is not None and loops[1].monitor.muted is None
        whole_run.append(sum(monitored_seconds) / sum(bare))
        median_step.append(statistics.median(monitored_seconds) / statistics.median(bare))
        own_steps.append(sum(monitored_seconds) / (sum(monitored_seconds) - loops[1].watching))
    step_ms = statistics.median(bare) * 1e3
    print(f"{kind}: {step_ms:.2f} ms per step, {STEPS[kind]} steps, {rounds} rounds", flush=True)  # noqa: T201
    for name, ratios in (("whole run", whole_run), ("median step", median_step), ("its own steps", own_steps)):
        ratio = statistics.median(ratios)
        print(f"  {name:<14} {ratio:.3f} of the bare loop ({min(ratios):.3f} to {max(ratios):.3f})", flush=True)  # noqa: T201


def measure_memory(kind: str) -> None:
    """Print how much more memory a monitored loop needs at its peak."""
    peaks = [
        int(subprocess.run([sys.executable, __file__, "--peak", kind, way], capture_output=True, check=True).stdout)
        for way in ("bare", "monitored")
    ]
    print(f"  {'memory':<14} {peaks[1] - peaks[0]:+d} MB at its peak ({peaks[0]} MB bare)", flush=True)  # noqa: T201


def print_peak(kind: str, way: str) -> None:
    """Run one loop, and print the largest memory of this process, in MB."""
    loop = Loop(kind, way == "monitored")
    for _ in range(STEPS[kind] // BLOCK_STEPS // 2):  # half of the budget holds every kind of look
        loop.run_block()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--steps", type=int, help="The budget, in place of each kind's own.")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.steps:
        STEPS.update(dict.fromkeys(STEPS, options.steps))
    if options.peak:
        print_peak(*options.peak)
        return
    for kind in options.kind or KINDS:
        measure_time(kind, options.rounds)
        measure_memory(kind)


if __name__ == "__main__":
    main()
