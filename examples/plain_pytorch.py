"""Monitor a GAN in plain PyTorch: a ring of eight Gaussians, and a generator whose learning rate is ten times too high.

    python examples/plain_pytorch.py [--steps 2000] [--lr-g 1e-2]

The three lines that use ganbench are marked. Findings are printed when they are made; with `--lr-g 1e-3` they differ.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, TensorDataset

import ganbench


def ring(n: int) -> torch.Tensor:
    angle = torch.randint(8, (n,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


def network(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs))


def show(finding: ganbench.Finding) -> None:
    print(f"{finding.severity}: {finding.diagnosis} since step {finding.onset_step}")  # noqa: T201
    print(f"  {finding.summary}\n  Try {finding.remedy}.")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--lr-g", type=float, default=1e-2)
    options = parser.parse_args()

    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(ring(4096)), batch_size=64, shuffle=True)
    generator, discriminator = network(8, 2), network(2, 1)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=options.lr_g, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=1e-4, betas=(0.5, 0.999))

    monitor = ganbench.Monitor(generator, discriminator, real=loader, budget=options.steps, on_finding=show)  # 1

    step = 0
    while step < options.steps:
        for (real,) in loader:
            fake = generator(torch.randn(len(real), 8))
            loss_d = softplus(-discriminator(real)).mean() + softplus(discriminator(fake.detach())).mean()
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()

            loss_g = softplus(-discriminator(fake)).mean()
            optimizer_g.zero_grad()
            loss_g.backward()
            optimizer_g.step()

            step += 1
            monitor.step(loss_d=loss_d, loss_g=loss_g)  # 2
            if monitor.should_stop or step == options.steps:  # 3
                print(f"ended after {step} of {options.steps} steps")  # noqa: T201
                return


if __name__ == "__main__":
    main()
