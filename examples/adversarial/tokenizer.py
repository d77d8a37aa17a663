"""Monitor a tokenizer: a VQGAN at toy size, on pictures of rings that are drawn as it trains.

    python examples/adversarial/tokenizer.py [--steps 400] [--bug never-steps | no-grad]

An encoder, a codebook and a decoder reconstruct pictures (Esser et al. 2021, https://arxiv.org/abs/2012.09841). D judges
patches and is silent until `disc_start`; from then on its weight follows how hard the reconstruction pulls at the
decoder's last layer. `monitor` is told when that is, so that the silence is not taken for a bug, and the first steps of D are watched.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

import ganbench

BATCH, SIZE, CODES, WIDTH = 32, 16, 32, 8
D_WEIGHT = 0.1  # of the adversarial term, where the reconstruction pulls as hard


def pictures(n: int) -> Tensor:
    """Draw rings of any radius at any place, (n, 1, SIZE, SIZE) in [-1, 1]."""
    axis = torch.arange(SIZE).float()
    x, y, radius = (low + (high - low) * torch.rand(n, 1, 1) for low, high in ((5, 11), (5, 11), (2, 5)))
    distance = ((axis[None, :, None] - y) ** 2 + (axis[None, None] - x) ** 2).sqrt()
    return 2 * torch.exp(-((distance - radius) ** 2))[:, None] - 1


class Tokenizer(nn.Module):
    """Picture in; reconstruction, and the loss of the codebook, out."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, WIDTH, 1)
        )
        self.codebook = nn.Embedding(CODES, WIDTH)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(WIDTH, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU()
        )
        self.last = nn.Conv2d(32, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.encoder(x).movedim(1, -1)
        nearest = torch.cdist(vectors.flatten(0, 2), self.codebook.weight).argmin(1).view(vectors.shape[:-1])
        codes = self.codebook(nearest)
        loss = (codes - vectors.detach()).square().mean() + 0.25 * (codes.detach() - vectors).square().mean()
        codes = vectors + (codes - vectors).detach()  # straight through
        return self.last(self.decoder(codes.movedim(-1, 1))), loss


def patch_discriminator() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 1, 3)
    )


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last: Tensor) -> Tensor:
    """Return the weight at which both terms pull equally hard at the last layer, times `D_WEIGHT`."""
    norms = [torch.autograd.grad(t, last, retain_graph=True)[0].norm() for t in (reconstruction, adversarial)]
    return D_WEIGHT * (norms[0] / (norms[1] + 1e-4)).clamp(0, 1e4).detach()


def show(finding: ganbench.Finding) -> None:
    print(f"{finding.severity}: {finding.diagnosis} since step {finding.onset_step}\n  {finding.summary}")  # noqa: T201
    if finding.remedy is not None:
        print(f"  Try {finding.remedy}.")  # noqa: T201


def train(steps: int = 400, bug: str = "") -> ganbench.Monitor:
    """Train, and return the monitor."""
    torch.manual_seed(0)
    g, d = Tokenizer(), patch_discriminator()
    optimizer_g = torch.optim.Adam(g.parameters(), 2e-3, (0.5, 0.9))
    optimizer_d = torch.optim.Adam(d.parameters(), 2e-3, (0.5, 0.9))
    disc_start = steps // 4
    monitor = ganbench.Monitor(g, d, budget=steps, adversarial_from=disc_start, on_finding=show, quiet=True)
    for step in range(1, steps + 1):
        x = pictures(BATCH)
        y, codebook = g(x)
        l1 = (x - y).abs().mean()
        with torch.set_grad_enabled(bug != "no-grad"):
            adversarial = -d(y).mean()
        heard = step > disc_start
        weight = adaptive_weight(l1, adversarial, g.last.weight) if heard and adversarial.requires_grad else 0.0
        loss_g = l1 + codebook + weight * adversarial
        optimizer_g.zero_grad()
        loss_g.backward()
        optimizer_g.step()

        loss_d = 0.5 * (relu(1 - d(x)).mean() + relu(1 + d(y.detach())).mean())
        if heard:
            optimizer_d.zero_grad()
            loss_d.backward()
            if bug != "never-steps":
                optimizer_d.step()
        monitor.step(loss_d=loss_d, loss_g=loss_g)
        if monitor.should_stop:
            break
    print(f"ended after {step} of {steps} steps, L1 {l1.item():.3f}")  # noqa: T201
    return monitor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--bug", choices=["", "never-steps", "no-grad"], default="")
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
