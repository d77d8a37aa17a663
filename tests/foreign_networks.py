"""Discriminators as other people's programs have them, at toy size: their calls and what they return, not their weights.

None of them knows ganbench. The wrappers are in `end_to_end/foreign_programs/`.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm


class OfPeriod(nn.Module):
    """HiFi-GAN's: a signal (N, 1, T) folded at a period; returns flat logits and its features."""

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        widths = (1, 4, 8)
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), padding=(2, 0))) for a, b in itertools.pairwise(widths)
        )
        self.conv_post = weight_norm(nn.Conv2d(8, 1, (3, 1), padding=(1, 0)))

    def forward(self, x):
        fmap = []
        x = F.pad(x, (0, -x.shape[2] % self.period), "reflect")
        x = x.view(len(x), 1, -1, self.period)
        for layer in (*self.convs, self.conv_post):
            x = layer(x) if layer is self.conv_post else F.leaky_relu(layer(x), 0.1)
            fmap.append(x)
        return torch.flatten(x, 1, -1), fmap


class OfScale(nn.Module):
    """HiFi-GAN's: a signal at one scale; returns flat logits and its features."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([weight_norm(nn.Conv1d(1, 8, 15, 1, padding=7)), weight_norm(nn.Conv1d(8, 8, 5, 2))])
        self.conv_post = weight_norm(nn.Conv1d(8, 1, 3, 1, padding=1))

    def forward(self, x):
        fmap = []
        for layer in (*self.convs, self.conv_post):
            x = layer(x) if layer is self.conv_post else F.leaky_relu(layer(x), 0.1)
            fmap.append(x)
        return torch.flatten(x, 1, -1), fmap


class Several(nn.Module):
    """HiFi-GAN's multi-period or multi-scale D: takes real and generated signals, returns four lists."""

    def __init__(self, *discriminators: nn.Module, pool: bool = False) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(discriminators)
        self.pool = pool

    def forward(self, y, y_hat):
        y_d_rs, y_d_gs, fmap_rs, fmap_gs = [], [], [], []
        for i, d in enumerate(self.discriminators):
            if i and self.pool:
                y, y_hat = F.avg_pool1d(y, 4, 2, padding=2), F.avg_pool1d(y_hat, 4, 2, padding=2)
            (y_d_r, fmap_r), (y_d_g, fmap_g) = d(y), d(y_hat)
            y_d_rs.append(y_d_r)
            y_d_gs.append(y_d_g)
            fmap_rs.append(fmap_r)
            fmap_gs.append(fmap_g)
        return y_d_rs, y_d_gs, fmap_rs, fmap_gs


class NLayerDiscriminator(nn.Module):
    """taming-transformers': patches of a picture, with batch normalization; returns a map (N, 1, h, w)."""

    def __init__(self, input_nc: int = 3, ndf: int = 8) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(input_nc, ndf, 4, 2, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(ndf, 2 * ndf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * ndf),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * ndf, 1, 4, 1, 1),
        )

    def forward(self, input):
        return self.main(input)


class UNetDiscriminatorSN(nn.Module):
    """Real-ESRGAN's: a U-Net with spectral norm; returns a logit for each pixel (N, 1, H, W)."""

    def __init__(self, num_in_ch: int, num_feat: int = 8, skip_connection: bool = True) -> None:
        super().__init__()
        self.skip_connection = skip_connection
        self.conv0 = nn.Conv2d(num_in_ch, num_feat, 3, 1, 1)
        self.conv1 = spectral_norm(nn.Conv2d(num_feat, 2 * num_feat, 4, 2, 1, bias=False))
        self.conv2 = spectral_norm(nn.Conv2d(2 * num_feat, num_feat, 3, 1, 1, bias=False))
        self.conv9 = nn.Conv2d(num_feat, 1, 3, 1, 1)

    def forward(self, x):
        x0 = F.leaky_relu(self.conv0(x), 0.2, inplace=True)
        x1 = F.leaky_relu(self.conv1(x0), 0.2, inplace=True)
        up = F.interpolate(x1, scale_factor=2, mode="bilinear", align_corners=False)
        x2 = F.leaky_relu(self.conv2(up), 0.2, inplace=True)
        return self.conv9(x2 + x0 if self.skip_connection else x2)


class PackedDiscriminator(nn.Module):
    """CTGAN's: `pac` rows are judged together; refuses a batch that it does not divide."""

    def __init__(self, input_dim: int, discriminator_dim: tuple[int, ...], pac: int = 10) -> None:
        super().__init__()
        self.pac, self.pacdim, layers, width = pac, input_dim * pac, [], input_dim * pac
        for size in discriminator_dim:
            layers += [nn.Linear(width, size), nn.LeakyReLU(0.2), nn.Dropout(0.5)]
            width = size
        self.seq = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, input_):
        assert input_.size()[0] % self.pac == 0
        return self.seq(input_.view(-1, self.pacdim))


class Residual(nn.Module):
    """CTGAN's: a layer whose output has its input beside it."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.fc, self.bn, self.relu = nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU()

    def forward(self, input_):
        return torch.cat([self.relu(self.bn(self.fc(input_))), input_], dim=1)


class ResidualGenerator(nn.Module):
    """CTGAN's: residual layers from noise with the vector of a condition to a row."""

    def __init__(self, embedding_dim: int, generator_dim: tuple[int, ...], data_dim: int) -> None:
        super().__init__()
        layers, width = [], embedding_dim
        for size in generator_dim:
            layers.append(Residual(width, size))
            width += size
        self.seq = nn.Sequential(*layers, nn.Linear(width, data_dim))

    def forward(self, input_):
        return self.seq(input_)
