"""Monitor a distillation: the adversarial part of DMD2 at toy size, on points of a ring.

    python examples/adversarial/distillation.py [--steps 400] [--bug same-noise | heads-left-out]

A student makes in one step what a teacher makes in many. D is a set of heads on features of the teacher's, which stays as
it is, of noised samples (Yin et al. 2024, https://arxiv.org/abs/2405.14867). Here the teacher is a denoiser that is trained
for a moment first, and the student learns from D alone, four updates of D for one of its own.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

import ganbench

BATCH, LATENT, HEADS, D_STEPS = 64, 8, 8, 4


def ring(n: int) -> Tensor:
    angle = torch.randint(8, (n,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], dim=1) + 0.05 * torch.randn(n, 2)


def add_noise(x: Tensor, t: Tensor) -> Tensor:
    return (1 - t) * x + t * torch.randn_like(x)


class Teacher(nn.Module):
    """A denoiser: noised sample and time in, its guess of the sample out."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.last = nn.Linear(64, 2)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.last(self.body(torch.cat([x, t], 1)))


class Discriminator(nn.Module):
    """Heads on the teacher's features of a noised sample: (N, HEADS) logits."""

    def __init__(self, teacher: Teacher) -> None:
        super().__init__()
        self.teacher = teacher.body.eval().requires_grad_(False)
        self.heads = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, HEADS))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.heads(self.teacher(torch.cat([add_noise(x, t), t], 1)))


def show(finding: ganbench.Finding) -> None:
    print(f"{finding.severity}: {finding.diagnosis} since step {finding.onset_step}\n  {finding.summary}")  # noqa: T201
    if finding.remedy is not None:
        print(f"  Try {finding.remedy}.")  # noqa: T201


def train_teacher(steps: int = 300) -> Teacher:
    teacher = Teacher()
    optimizer = torch.optim.Adam(teacher.parameters(), 2e-3)
    for _ in range(steps):
        x, t = ring(256), torch.rand(256, 1)
        loss = (teacher(add_noise(x, t), t) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return teacher


def train(steps: int = 400, bug: str = "") -> ganbench.Monitor:
    """Train, and return the monitor."""
    torch.manual_seed(0)
    teacher = train_teacher()
    student = nn.Sequential(nn.Linear(LATENT, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    d = Discriminator(teacher)
    optimizer_g = torch.optim.AdamW(student.parameters(), 1e-3, (0.0, 0.99))
    of_d = d.teacher if bug == "heads-left-out" else d.heads
    optimizer_d = torch.optim.AdamW(of_d.parameters(), 1e-3, (0.0, 0.99))
    monitor = ganbench.Monitor(
        student, d, budget=steps, on_finding=show, quiet=True, logits=lambda heads: heads.mean(1)
    )
    fixed = torch.randn(BATCH, LATENT)
    step = 0
    while step < steps and not monitor.should_stop:
        step += 1
        for _ in range(D_STEPS):
            with torch.no_grad():
                fake = student(fixed if bug == "same-noise" else torch.randn(BATCH, LATENT))
            t = 0.5 * torch.rand(BATCH, 1)
            loss_d = softplus(-d(ring(BATCH), t)).mean() + softplus(d(fake, t)).mean()
            optimizer_d.zero_grad()
            loss_d.backward()
            optimizer_d.step()

        fake = student(fixed if bug == "same-noise" else torch.randn(BATCH, LATENT))
        loss_g = softplus(-d(fake, 0.5 * torch.rand(BATCH, 1))).mean()
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()
        monitor.step(loss_d=loss_d, loss_g=loss_g)
    print(f"ended after {step} of {steps} steps")  # noqa: T201
    return monitor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--bug", choices=["", "same-noise", "heads-left-out"], default="")
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
