"""Monitor a generator of tables: CTGAN at toy size, on a table that is drawn as it trains.

    python examples/adversarial/table.py [--steps 400] [--bug detached-condition | evaluation-mode]

A row is a number in (-1, 1), which mode of its column it belongs to, and a category of two columns. G ends in tanh for
numbers and in gumbel-softmax for categories; it is told a category that the row has to have, and pays if it has not. D
judges ten rows at once (Xu et al. 2019, https://arxiv.org/abs/1907.00503; Lin et al. 2018, https://arxiv.org/abs/1712.04086),
with the penalty of WGAN-GP.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gumbel_softmax, one_hot

import ganbench

BATCH, LATENT, PACK = 200, 16, 10
MODES, CITIES, JOBS = 2, 3, 4
WIDTHS = [1, MODES, CITIES, JOBS]  # of the parts of a row
CONDITION = CITIES  # the condition is a city


def rows(city: Tensor) -> Tensor:
    """Draw a row for each city: jobs and incomes depend on it."""
    job = torch.where(torch.rand(len(city)) < 0.7, city, torch.randint(JOBS, city.shape))
    mode = (torch.rand(len(city)) < 0.3 + 0.2 * city).long()
    number = (0.3 * torch.randn(len(city))).clamp(-0.99, 0.99)
    return torch.cat([number[:, None], one_hot(mode, MODES), one_hot(city, CITIES), one_hot(job, JOBS)], 1).float()


class Generator(nn.Module):
    """Noise and a condition in, a row out; and the raw output, of which the loss of the condition is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(LATENT + CONDITION, 128), nn.BatchNorm1d(128), nn.ReLU(),
            nn.Linear(128, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, sum(WIDTHS)),
        )  # fmt: skip

    def forward(self, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.body(torch.cat([z, condition], 1))
        number, *categories = raw.split(WIDTHS, 1)
        return torch.cat([number.tanh(), *(gumbel_softmax(part, 0.2) for part in categories)], 1), raw


class Discriminator(nn.Module):
    """Rows and their conditions in, one logit for every PACK of them out."""

    def __init__(self) -> None:
        super().__init__()
        self.width = PACK * (sum(WIDTHS) + CONDITION)
        self.body = nn.Sequential(nn.Linear(self.width, 128), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(128, 1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.body(torch.cat([x, condition], 1).view(-1, self.width))


def gradient_penalty(d: nn.Module, real: Tensor, fake: Tensor, condition: Tensor) -> Tensor:
    share = torch.rand(BATCH // PACK, 1, 1).expand(-1, PACK, 1).reshape(BATCH, 1)
    between = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(d(between, condition).sum(), between, create_graph=True)
    return 10 * (slope.reshape(BATCH // PACK, -1).norm(dim=1) - 1).square().mean()


def show(finding: ganbench.Finding) -> None:
    print(f"{finding.severity}: {finding.diagnosis} since step {finding.onset_step}\n  {finding.summary}")  # noqa: T201
    if finding.remedy is not None:
        print(f"  Try {finding.remedy}.")  # noqa: T201


def train(steps: int = 400, bug: str = "") -> ganbench.Monitor:
    """Train, and return the monitor."""
    torch.manual_seed(0)
    g, d = Generator(), Discriminator()
    optimizer_g = torch.optim.Adam(g.parameters(), 1e-3, (0.5, 0.9), weight_decay=1e-6)
    optimizer_d = torch.optim.Adam(d.parameters(), 1e-3, (0.5, 0.9))
    monitor = ganbench.Monitor(g, d, budget=steps, on_finding=show, quiet=True)
    g.train(bug != "evaluation-mode")
    step = 0
    while step < steps and not monitor.should_stop:
        step += 1
        city = torch.randint(CITIES, (BATCH,))
        condition, real = one_hot(city, CITIES).float(), rows(city)
        with torch.no_grad():
            fake, _ = g(torch.randn(BATCH, LATENT), condition)
        of_fake = d(fake, condition)
        of_real = d(real, condition)
        loss_d = of_fake.mean() - of_real.mean() + gradient_penalty(d, real, fake, condition)
        optimizer_d.zero_grad()
        loss_d.backward()
        optimizer_d.step()

        fake, raw = g(torch.randn(BATCH, LATENT), condition)
        of_city = raw.split(WIDTHS, 1)[2]
        if bug == "detached-condition":
            of_city = of_city.detach()
        terms = {"adversarial": -d(fake, condition).mean(), "condition": cross_entropy(of_city, city)}
        optimizer_g.zero_grad()
        sum(terms.values()).backward()
        optimizer_g.step()
        monitor.step(loss_d=loss_d, loss_g=terms)
    print(f"ended after {step} of {steps} steps")  # noqa: T201
    return monitor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--bug", choices=["", "detached-condition", "evaluation-mode"], default="")
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
