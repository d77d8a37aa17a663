"""Monitor a vocoder: HiFi-GAN at toy size, on sums of tones that are drawn as it trains.

    python examples/adversarial/vocoder.py [--steps 300] [--bug swapped-targets | not-detached]

G turns a mel spectrogram into a waveform. Two discriminators judge it, one by periods and one by scales; each of them is
given both signals and returns lists: logits of every head and the features of all its layers (Kong et al. 2020,
https://arxiv.org/abs/2010.05646). Each discriminator takes a monitor; the history has an AUC for each of its heads.
"""

from __future__ import annotations

import argparse
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, leaky_relu, pad

import ganbench

BATCH, LENGTH, HOP, BANDS = 16, 512, 16, 16
FILTERS = torch.rand(BANDS, 33, generator=torch.Generator().manual_seed(0)) ** 4  # in place of a mel filter bank


def tones(n: int) -> Tensor:
    """Draw sums of two tones, (n, 1, LENGTH) in (-1, 1)."""
    time = torch.arange(LENGTH).float()
    pitch, phase, size = 0.02 + 0.3 * torch.rand(n, 2, 1), 6.28 * torch.rand(n, 2, 1), 0.1 + 0.35 * torch.rand(n, 2, 1)
    return (size * torch.sin(6.28 * pitch * time + phase)).sum(1, keepdim=True)


def mel(x: Tensor) -> Tensor:
    """Return the logarithm of a spectrogram in bands, (n, BANDS, LENGTH / HOP)."""
    spectrum = torch.stft(x[:, 0], 64, HOP, window=torch.hann_window(64), return_complex=True).abs()
    return torch.log((FILTERS @ spectrum)[..., : LENGTH // HOP].clamp_min(1e-3))


class Head(nn.Module):
    """A stack of convolutions, whose output is flattened to one logit a frame, and the features of its layers."""

    def __init__(self, period: int = 1, scale: int = 1) -> None:
        super().__init__()
        self.period, self.scale = period, scale
        shapes = ((1, 16), (16, 32), (32, 32))
        self.layers = nn.ModuleList(nn.Conv2d(i, o, (5, 1), (3, 1), (2, 0)) for i, o in shapes)
        self.last = nn.Conv2d(32, 1, (3, 1), padding=(1, 0))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = avg_pool1d(x, self.scale)
        x = pad(x, (0, -x.shape[-1] % self.period), "reflect").unflatten(-1, (-1, self.period))
        features = []
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.1)
            features.append(x)
        features.append(self.last(x))
        return features[-1].flatten(1), features


class Discriminator(nn.Module):
    """Several heads, given both signals."""

    def __init__(self, heads: list[Head]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(
        self, y: Tensor, y_hat: Tensor
    ) -> tuple[list[Tensor], list[Tensor], list[list[Tensor]], list[list[Tensor]]]:
        real, fake = ([head(x) for head in self.heads] for x in (y, y_hat))
        return [r for r, _ in real], [f for f, _ in fake], [r for _, r in real], [f for _, f in fake]


def generator() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(BANDS, 64, 7, padding=3), nn.LeakyReLU(0.1),
        nn.ConvTranspose1d(64, 32, 8, 4, 2), nn.LeakyReLU(0.1), nn.Conv1d(32, 32, 5, padding=2), nn.LeakyReLU(0.1),
        nn.ConvTranspose1d(32, 16, 8, 4, 2), nn.LeakyReLU(0.1), nn.Conv1d(16, 1, 7, padding=3), nn.Tanh(),
    )  # fmt: skip


def show(finding: ganbench.Finding) -> None:
    print(f"{finding.severity}: {finding.diagnosis} since step {finding.onset_step}\n  {finding.summary}")  # noqa: T201
    if finding.remedy is not None:
        print(f"  Try {finding.remedy}.")  # noqa: T201


def train(steps: int = 300, bug: str = "") -> list[ganbench.Monitor]:
    """Train, and return the monitors of both discriminators."""
    torch.manual_seed(0)
    g = generator()
    periods, scales = Discriminator([Head(period=p) for p in (2, 3, 5)]), Discriminator([Head(scale=s) for s in (1, 2)])
    optimizer_g = torch.optim.AdamW(g.parameters(), 1e-3, (0.8, 0.99))
    optimizer_d = torch.optim.AdamW(chain(periods.parameters(), scales.parameters()), 2e-4, (0.8, 0.99))
    monitors = [ganbench.Monitor(g, d, budget=steps, on_finding=show, quiet=True) for d in (periods, scales)]
    target = 1.0 if bug == "swapped-targets" else 0.0
    step = 0
    while step < steps and not any(m.should_stop for m in monitors):
        step += 1
        y = tones(BATCH)
        spectrum = mel(y)
        y_hat = g(spectrum)
        loss_d = torch.zeros(())
        for d in (periods, scales):
            real, fake, _, _ = d(y, y_hat if bug == "not-detached" else y_hat.detach())
            loss_d = loss_d + sum(
                (1 - r).square().mean() + (f - target).square().mean() for r, f in zip(real, fake, strict=True)
            )
        if bug != "not-detached":
            optimizer_g.zero_grad()
        optimizer_d.zero_grad()
        loss_d.backward(retain_graph=bug == "not-detached")
        optimizer_d.step()

        loss_g = 45 * (spectrum - mel(y_hat)).abs().mean()
        for d in (periods, scales):
            _, fake, of_real, of_fake = d(y, y_hat)
            loss_g = loss_g + sum((1 - f).square().mean() for f in fake)
            pairs = zip(chain(*of_real), chain(*of_fake), strict=True)
            loss_g = loss_g + 2 * sum((a.detach() - b).abs().mean() for a, b in pairs)
        loss_g.backward()
        optimizer_g.step()
        if bug == "not-detached":
            optimizer_g.zero_grad()
        for monitor in monitors:
            monitor.step(loss_d=loss_d, loss_g=loss_g)
    print(f"ended after {step} of {steps} steps, G's loss {loss_g.item():.2f}")  # noqa: T201
    return monitors


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--bug", choices=["", "swapped-targets", "not-detached"], default="")
    train(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
