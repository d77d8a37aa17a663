"""Augmentations of what D sees, real or generated, through which G learns too: DiffAugment and ADA.

Both work on images whose values are brought to [-1, 1] and back. Every random choice is made for each image.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor

import ganbench

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class ImageAugmentation(ganbench.Augmentation):
    """What augmentations of images share: the range of the values."""

    def __init__(self, data: ganbench.DataSpec) -> None:
        low, high = data.value_range or (-1.0, 1.0)
        self._middle, self._half = (low + high) / 2, (high - low) / 2

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse what is no image."""
        return None if trial.data.kind == "images" else f"it augments images, and the data is {trial.data.kind}"

    def __call__(self, batch: ganbench.Batch, stream: torch.Generator) -> ganbench.Batch:
        """Return the batch with other samples."""
        x = (batch.x - self._middle) / self._half
        return batch.with_x(self.augment(x, stream) * self._half + self._middle)

    def augment(self, x: Tensor, stream: torch.Generator) -> Tensor:
        """Return images (N, C, H, W) in [-1, 1], augmented."""
        raise NotImplementedError


class DiffAugment(ImageAugmentation):
    """Colour, translation and cutout, of every image that D sees (DiffAugment, Zhao et al. 2020).

    https://arxiv.org/abs/2006.10738. Brightness is shifted by up to 1/2 in [-1, 1], saturation multiplied by 0 to 2 and
    contrast by 1/2 to 3/2; grey images have no saturation. What comes into a picture that is moved is 0, the middle.

    Args:
        colour: Whether brightness, saturation and contrast are changed.
        translation: Largest move, as a share of the side; 0 for none.
        cutout: Side of the square that is set to 0, as a share of the picture's; 0 for none.
    """

    def __init__(
        self, data: ganbench.DataSpec, *, colour: bool = True, translation: Share = 0.125, cutout: Share = 0.5
    ) -> None:
        super().__init__(data)
        if not 0 <= translation <= 1 or not 0 <= cutout <= 1:
            raise ValueError(f"translation = {translation} and cutout = {cutout} must be in [0, 1]")
        self.colour, self.translation, self.cutout = colour, translation, cutout

    def augment(self, x: Tensor, stream: torch.Generator) -> Tensor:
        """Return images (N, C, H, W) with other colours, moved, and with a hole."""
        if self.colour:
            x = self._recolour(x, stream)
        if self.translation:
            x = self._move(x, stream)
        return self._cut_out(x, stream) if self.cutout else x

    def _recolour(self, x: Tensor, stream: torch.Generator) -> Tensor:
        size = (len(x), 1, 1, 1)
        x = x + _uniform(size, -0.5, 0.5, stream)
        grey = x.mean(dim=1, keepdim=True)
        x = grey + (x - grey) * _uniform(size, 0.0, 2.0, stream)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        return mean + (x - mean) * _uniform(size, 0.5, 1.5, stream)

    def _move(self, x: Tensor, stream: torch.Generator) -> Tensor:
        n, _, height, width = x.shape
        rows, columns = (
            torch.arange(side, device=x.device)
            + _integers(n, -(far := int(side * self.translation + 0.5)), far, stream)
            for side in (height, width)
        )
        return _read_pixels(x, rows[:, :, None], columns[:, None, :])

    def _cut_out(self, x: Tensor, stream: torch.Generator) -> Tensor:
        n, _, height, width = x.shape
        outside = []
        for side in (height, width):
            hole = int(side * self.cutout + 0.5)
            first = _integers(n, 0, side - hole % 2, stream) - hole // 2  # the centre is anywhere in the picture
            at = torch.arange(side, device=x.device)
            outside.append((at < first) | (at >= first + hole))
        return x * (outside[0][:, :, None] | outside[1][:, None, :])[:, None]


class ADA(ImageAugmentation):
    """Augmentation with a probability that grows while D tells training images too surely (ADA, Karras et al. 2020).

    https://arxiv.org/abs/2006.06676, the pipeline `bgc`: flips, quarter turns and moves by whole pixels; scaling, rotation,
    anisotropic scaling and moves by fractions; brightness, contrast, flips of luma, hue and saturation; each with
    probability p. At every `every`-th update of D, p is raised where the mean sign of D on training images, E sign D(x), is
    above `target`, else lowered, by the number of images since then over `speed`. Grey images have no hue and saturation.
    Pixels between pixels are interpolated linearly, without the wavelets of the paper's own program.

    Args:
        target: E sign D(x) that is aimed at.
        every: Updates of D between two changes of p.
        speed: Training images in which p can go from 0 to 1.
        p: Where p begins.
    """

    def __init__(
        self,
        data: ganbench.DataSpec,
        *,
        target: Annotated[float, msgspec.Meta(ge=-1, le=1)] = 0.6,
        every: Annotated[int, msgspec.Meta(ge=1)] = 4,
        speed: Annotated[float, msgspec.Meta(gt=0)] = 500_000.0,
        p: Share = 0.0,
    ) -> None:
        super().__init__(data)
        if not 0 <= p <= 1 or every < 1 or speed <= 0:
            raise ValueError(f"p = {p} must be in [0, 1], every = {every} at least 1, speed = {speed} positive")
        self.target, self.every, self.speed = target, every, speed
        self.p = torch.tensor(float(p))  # a tensor, so that no update waits for the device
        self._sums = torch.zeros(())
        self._images = self._updates = 0

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Refuse what is no grey or colour image."""
        if why := ImageAugmentation.skip(trial):
            return why
        channels = trial.data.shape[0]
        return None if channels in (1, 3) else f"it augments grey and colour images, not those of {channels} channels"

    def adapt(self, signs: Tensor) -> None:
        """Take in the signs of D on training images of one update, and change p where it is time to."""
        self._sums = self._sums.to(signs.device) + signs.sum()
        self._images += len(signs)
        self._updates += 1
        if self._updates % self.every == 0:
            direction = torch.sign(self._sums / self._images - self.target)
            self.p = (self.p.to(signs.device) + direction * (self._images / self.speed)).clamp(0, 1)
            self._sums, self._images = torch.zeros_like(self._sums), 0

    def signals(self) -> dict[str, Tensor]:
        """Return p."""
        return {"p": self.p}

    def augment(self, x: Tensor, stream: torch.Generator) -> Tensor:
        """Return images (N, 1 or 3, H, W) with each change made with probability p."""
        self.p = self.p.to(x.device)
        where = self._draw_geometry(len(x), x.shape[2], x.shape[3], stream)
        return _recolour(_sample_affine(x, where), self._draw_colours(len(x), x.shape[1], stream))

    # --- what is drawn -------------------------------------------------------------------------------

    def _happens(self, n: int, stream: torch.Generator, p: Tensor | None = None) -> Tensor:
        return torch.rand(n, generator=stream, device=stream.device) < (self.p if p is None else p)

    def _draw_geometry(self, n: int, height: int, width: int, stream: torch.Generator) -> Tensor:
        """Return maps (N, 3, 3) of where each pixel of the result comes from, in pixels from the centre."""
        device, here = stream.device, (n,)
        one = torch.ones(n, device=device)

        def chosen(value: Tensor, otherwise: float, p: Tensor | None = None) -> Tensor:
            return torch.where(self._happens(n, stream, p), value, otherwise)

        sides = torch.tensor([width, height], dtype=torch.float32, device=device)
        flip = chosen(1 - 2 * _integers(n, 0, 1, stream)[:, 0].float(), 1.0)
        turn = chosen(_integers(n, 0, 3, stream)[:, 0] * (math.pi / 2), 0.0)
        whole = _uniform((n, 2), -0.125, 0.125, stream) * sides
        whole = torch.where(self._happens(n, stream)[:, None], whole.round(), 0.0)
        scale = chosen(2 ** (0.2 * _normal(here, stream)), 1.0)
        p_rotation = 1 - (1 - self.p).clamp(0, 1).sqrt()  # of two rotations: that either happens has probability p
        before = chosen(_uniform(here, -math.pi, math.pi, stream), 0.0, p_rotation)
        stretch = chosen(2 ** (0.2 * _normal(here, stream)), 1.0)
        after = chosen(_uniform(here, -math.pi, math.pi, stream), 0.0, p_rotation)
        part = torch.where(self._happens(n, stream)[:, None], 0.125 * _normal((n, 2), stream) * sides, 0.0)

        maps = _scaling(flip, one) @ _rotation(-turn) @ _translation(-whole) @ _scaling(1 / scale, 1 / scale)
        return maps @ _rotation(-before) @ _scaling(1 / stretch, stretch) @ _rotation(-after) @ _translation(-part)

    def _draw_colours(self, n: int, channels: int, stream: torch.Generator) -> Tensor:
        """Return maps (N, 4, 4) of colours, the last coordinate being 1."""
        axis = torch.full((3,), 3**-0.5, device=stream.device)  # of luma
        luma, eye = torch.outer(axis, axis), torch.eye(3, device=stream.device)

        def chosen(value: Tensor, otherwise: float) -> Tensor:
            return torch.where(self._happens(n, stream), value, otherwise)[:, None, None]

        brightness = chosen(0.2 * _normal((n,), stream), 0.0)
        contrast = chosen(2 ** (0.5 * _normal((n,), stream)), 1.0)
        flip = chosen(_integers(n, 0, 1, stream)[:, 0].float(), 0.0)
        linear = (eye - 2 * luma * flip) * contrast
        if channels == 3:
            hue = chosen(_uniform((n,), -math.pi, math.pi, stream), 0.0)
            saturation = chosen(2 ** _normal((n,), stream), 1.0)
            cross = torch.linalg.cross(eye, axis.expand(3, 3))  # its rows: e_i x axis
            turned = hue.cos() * eye + hue.sin() * cross.T + (1 - hue.cos()) * luma
            linear = (luma + (eye - luma) * saturation) @ turned @ linear
            shift = (
                (luma + (eye - luma) * saturation) @ turned @ (eye - 2 * luma * flip) @ torch.ones_like(axis)[:, None]
            )
        else:
            shift = (eye - 2 * luma * flip) @ torch.ones_like(axis)[:, None]
        colours = torch.zeros(n, 4, 4, device=stream.device)
        colours[:, :3, :3], colours[:, :3, 3:], colours[:, 3, 3] = linear, shift * brightness * contrast, 1.0
        return colours


def _recolour(x: Tensor, colours: Tensor) -> Tensor:
    """Apply maps of colours (N, 4, 4) to images (N, 1 or 3, H, W); a grey one has three equal channels."""
    if x.shape[1] == 1:
        row = colours[:, :3].mean(dim=1)
        return x * row[:, :3].sum(dim=1)[:, None, None, None] + row[:, 3][:, None, None, None]
    mapped = torch.einsum("nij,njhw->nihw", colours[:, :3, :3], x)
    return mapped + colours[:, :3, 3][:, :, None, None]


def _sample_affine(x: Tensor, maps: Tensor) -> Tensor:
    """Return images whose pixel at p, from the centre, is the linear interpolation at `maps @ p`; reflected at the edges.

    Written with lookups, which a gradient penalty can differentiate twice on every device.
    """
    n, channels, height, width = x.shape
    device = x.device
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device) - (height - 1) / 2,
        torch.arange(width, device=device) - (width - 1) / 2,
        indexing="ij",
    )
    points = torch.stack([columns, rows, torch.ones_like(rows)]).flatten(1)  # (3, H W)
    at = maps[:, :2] @ points
    column, row = at[:, 0] + (width - 1) / 2, at[:, 1] + (height - 1) / 2
    left, top = column.floor(), row.floor()
    right_share, lower_share = (column - left)[:, None], (row - top)[:, None]
    pixels = x.flatten(2)

    def look_up(rows: Tensor, columns: Tensor) -> Tensor:
        index = _reflect(rows, height) * width + _reflect(columns, width)
        return pixels.gather(2, index[:, None].expand(-1, channels, -1))

    upper = torch.lerp(look_up(top, left), look_up(top, left + 1), right_share)
    lower = torch.lerp(look_up(top + 1, left), look_up(top + 1, left + 1), right_share)
    return torch.lerp(upper, lower, lower_share).view(n, channels, height, width)


def _reflect(index: Tensor, side: int) -> Tensor:
    """Return indices of pixels, those outside reflected at the outermost pixels."""
    if side == 1:
        return torch.zeros_like(index, dtype=torch.long)
    period = 2 * (side - 1)
    folded = index.long() % period
    return torch.where(folded < side, folded, period - folded)


def _read_pixels(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return images made of the pixels at `rows` (N, H, 1) and `columns` (N, 1, W); 0 where there are none."""
    n, channels, height, width = x.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    read = x.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, channels, -1))
    return read.view(n, channels, height, width) * inside[:, None]


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _rotation(angle: Tensor) -> Tensor:
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    rows = [torch.stack(row, dim=1) for row in ([cos, -sin, zero], [sin, cos, zero], [zero, zero, one])]
    return torch.stack(rows, dim=1)


def _translation(by: Tensor) -> Tensor:
    return F.pad(by[:, :, None], (2, 0, 0, 1)) + torch.eye(3, device=by.device)


def _uniform(size: tuple[int, ...], low: float, high: float, stream: torch.Generator) -> Tensor:
    return torch.rand(size, generator=stream, device=stream.device) * (high - low) + low


def _normal(size: tuple[int, ...], stream: torch.Generator) -> Tensor:
    return torch.randn(size, generator=stream, device=stream.device)


def _integers(n: int, low: int, high: int, stream: torch.Generator) -> Tensor:
    """Draw `n` integers from `low` to `high`, both included, of shape (n, 1)."""
    return torch.randint(low, high + 1, (n, 1), generator=stream, device=stream.device)
