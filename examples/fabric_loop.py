"""Monitor a GAN in Lightning Fabric: mixed precision, a running average of G, and handwritten digits by class.

pip install lightning-fabric
python examples/fabric_loop.py [--steps 500] [--precision bf16-mixed]
"""

from __future__ import annotations

import argparse
import copy
from itertools import chain, repeat

import torch
from lightning_fabric import Fabric
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import softplus
from torch.utils.data import DataLoader, TensorDataset

import ganbench


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Embedding(10, 16)
        self.net = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh())

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.net(torch.cat([z, self.classes(labels)], dim=1)).view(-1, 1, 8, 8)


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.classes = nn.Embedding(10, 128)
        self.features = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.LeakyReLU(0.2))
        self.logit = nn.Linear(128, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        h = self.features(x)
        return self.logit(h).squeeze(1) + (h * self.classes(labels)).mean(dim=1)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--precision", default="bf16-mixed")
    options = parser.parse_args()

    fabric = Fabric(accelerator="auto", devices=1, precision=options.precision)
    fabric.seed_everything(0, verbose=False)
    digits = load_digits()
    images, labels = torch.tensor(digits.images).float().unsqueeze(1) / 8 - 1, torch.tensor(digits.target)
    loader = fabric.setup_dataloaders(DataLoader(TensorDataset(images, labels), 64, shuffle=True, drop_last=True))

    generator, discriminator = Generator(), Discriminator()
    average = copy.deepcopy(generator).to(fabric.device)
    generator, optimizer_g = fabric.setup(generator, torch.optim.Adam(generator.parameters(), 1e-3, (0.5, 0.999)))
    discriminator, optimizer_d = fabric.setup(
        discriminator, torch.optim.Adam(discriminator.parameters(), 1e-3, (0.5, 0.999))
    )

    with ganbench.Monitor(generator, discriminator, real=loader, budget=options.steps, average=average) as monitor:
        for _, (x, y) in zip(range(options.steps), chain.from_iterable(repeat(loader)), strict=False):
            fake = generator(torch.randn(len(x), 16, device=fabric.device), y)
            loss_d = softplus(-discriminator(x, y)).mean() + softplus(discriminator(fake.detach(), y)).mean()
            optimizer_d.zero_grad()
            fabric.backward(loss_d)
            optimizer_d.step()

            loss_g = softplus(-discriminator(fake, y)).mean()
            optimizer_g.zero_grad()
            fabric.backward(loss_g)
            optimizer_g.step()
            for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
                mean.data.lerp_(weight.data, 0.01)

            monitor.step(loss_d=loss_d, loss_g=loss_g)

    for finding in monitor.findings:
        print(f"{finding.severity}: {finding.diagnosis} ({finding.confidence:.0%}). {finding.summary}")  # noqa: T201
    print(f"{len(monitor.findings)} findings after {options.steps} steps")  # noqa: T201


if __name__ == "__main__":
    main()
