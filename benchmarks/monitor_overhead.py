"""Measure the overhead of a monitor: the same training loop with and without it, in one process.

    python benchmarks/monitor_overhead.py [--rounds 5]

Two copies of a loop alternate every few steps, so that changes of the machine's speed affect both. Printed are the
medians, over rounds, of the ratios of CPU time: for the whole budget, and for a step without an observation.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn.functional import softplus

import ganbench

BLOCK_STEPS = 20  # that one copy takes before the other goes on


class Loop:
    """A GAN of points (`"ring"`) or images, with the usual training step, and a monitor if `monitored`."""

    def __init__(self, kind: str, steps: int, monitored: bool) -> None:
        torch.manual_seed(0)
        self.latent = 16
        if kind == "ring":
            angle = torch.randint(8, (4096,)) * torch.pi / 4
            self.real = torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(4096, 2)
            self.g, self.d = (
                nn.Sequential(nn.Linear(i, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, o))
                for i, o in ((self.latent, 2), (2, 1))
            )
            self.batch = 128
        else:
            self.real = torch.rand(2048, 1, 16, 16) * 2 - 1
            self.g = nn.Sequential(
                nn.Linear(self.latent, 64 * 16), nn.Unflatten(1, (64, 4, 4)), nn.BatchNorm2d(64), nn.ReLU(),
                nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
                nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh(),
            )  # fmt: skip
            self.d = nn.Sequential(
                nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2),
                nn.Flatten(), nn.Linear(64 * 16, 1),
            )  # fmt: skip
            self.batch = 64
        self.optimizers = [torch.optim.Adam(m.parameters(), 2e-4, (0.5, 0.999), fused=True) for m in (self.g, self.d)]
        self.monitor = ganbench.Monitor(self.g, self.d, real=self.real, budget=steps) if monitored else None
        self.seconds: list[float] = []

    def run_block(self) -> None:
        for _ in range(BLOCK_STEPS):
            start = time.thread_time()
            self.step()
            self.seconds.append(time.thread_time() - start)

    def step(self) -> None:
        fake = self.g(torch.randn(self.batch, self.latent))
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
            self.monitor.step()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    for kind, steps in (("ring", 3000), ("images", 1000)):
        whole_run, median_step = [], []
        for _ in range(rounds):
            loops = [Loop(kind, steps, monitored) for monitored in (False, True)]
            for _ in range(steps // BLOCK_STEPS):
                for loop in loops:
                    loop.run_block()
            bare, monitored_seconds = (loop.seconds for loop in loops)
            assert loops[1].monitor is not None and loops[1].monitor.muted is None
            whole_run.append(sum(monitored_seconds) / sum(bare))
            median_step.append(statistics.median(monitored_seconds) / statistics.median(bare))
        step_ms = statistics.median(bare) * 1e3
        print(f"{kind}: {step_ms:.2f} ms per step, {steps} steps, {rounds} rounds")  # noqa: T201
        for name, ratios in (("whole run", whole_run), ("median step", median_step)):
            ratio = statistics.median(ratios)
            print(f"  {name:<12} {ratio:.3f} of the bare loop ({min(ratios):.3f} to {max(ratios):.3f})")  # noqa: T201


if __name__ == "__main__":
    main()
