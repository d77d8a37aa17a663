"""Arguments for the loop's generator: latents drawn from the inferred prior, everything else as captured."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from .call_convention import Inferred, SampleMismatch
from .tensor_buffer import SampleBuffer

Prior = Literal["normal", "uniform", "unit"]  # standard normal, uniform on [-1, 1), uniform on [0, 1)
MIN_PRIOR_VALUES = 64  # that a prior can be inferred from
MAX_PRIOR_ROWS = 1024  # that it is inferred from
MAX_STANDARD_ERRORS = 5.0  # between a moment of the values and that of the prior


class GeneratorInputs:
    """The arguments of G that have a row for each sample, with D's conditions for the same samples."""

    def __init__(self) -> None:
        self._rows = SampleBuffer()
        self._arguments: tuple[int, ...] = ()
        self._priors: list[Prior | None] = []

    @property
    def conditions(self) -> list[Tensor]:
        """D's conditions, by row."""
        return self._rows.columns[len(self._arguments) :]

    @property
    def has_noise(self) -> bool:
        """Whether anything that G is given may be noise: vectors, or values from a known prior, or nothing at all.

        A picture or a spectrogram is no noise, and what is not given is drawn by G itself.
        """
        columns = self._rows.columns[: len(self._arguments)]
        given = list(zip(columns, self._priors, strict=False))
        return not given or any(
            prior is not None or (column.is_floating_point() and column[0].numel() == max(column.shape[1:], default=1))
            for column, prior in given
        )

    def add(self, inferred: Inferred) -> None:
        """Add the rows that captured calls show.

        Raises:
            SampleMismatch: D's conditions cannot be matched with G's samples.
        """
        for columns in inferred.generator_rows:
            self._rows.append(columns)
        self._arguments = inferred.convention.generator_call.batched
        if self._arguments and not len(self._rows):
            raise SampleMismatch("the conditions that the discriminator is given cannot be matched with G's samples")
        self._priors = [infer_prior(column[-MAX_PRIOR_ROWS:]) for column in self._rows.columns[: len(self._arguments)]]

    def sample(self, n: int, rng: torch.Generator) -> tuple[dict[int, Tensor], Tensor]:
        """Sample arguments for `n` samples.

        Returns the arguments by their index in a call of G, and the rows that the ones not drawn from a prior are from.
        """
        rows = torch.randint(max(len(self._rows), 1), (n,), generator=rng, device=rng.device)
        arguments = {}
        for i, column, prior in zip(self._arguments, self._rows.columns, self._priors, strict=False):
            arguments[i] = column[rows.to(column.device)] if prior is None else sample_prior(prior, column, n, rng)
        return arguments, rows


def infer_prior(column: Tensor) -> Prior | None:
    """Return the prior that values are from, by their moments; None for anything but the known ones.

    None also for repeated rows (a codebook) and for rows of one norm (a sphere); new ones of those cannot be drawn.
    """
    if not column.is_floating_point():
        return None
    values = column.detach().double().flatten(1) if column.ndim > 1 else column.detach().double()[:, None]
    m = values.numel()
    if m < MIN_PRIOR_VALUES or not bool(values.isfinite().all()) or _has_repeated_rows(values):
        return None
    low, high, mean, std = (float(v) for v in (values.min(), values.max(), values.mean(), values.std()))
    ranges: tuple[tuple[Prior, float, float], ...] = (("uniform", -1.0, 1.0), ("unit", 0.0, 1.0))
    for name, start, end in ranges:
        uniform_std = (end - start) / math.sqrt(12)
        centred = abs(mean - (start + end) / 2) < MAX_STANDARD_ERRORS * uniform_std / math.sqrt(m)
        if start <= low and high <= end and centred and abs(std / uniform_std - 1) < MAX_STANDARD_ERRORS / math.sqrt(m):
            return name
    kurtosis = float((values - mean).square().square().mean()) / max(std, 1e-12) ** 4
    normal = (
        abs(mean) < MAX_STANDARD_ERRORS / math.sqrt(m)
        and abs(std - 1) < MAX_STANDARD_ERRORS / math.sqrt(2 * m)
        and abs(kurtosis - 3) < MAX_STANDARD_ERRORS * math.sqrt(24 / m)
    )
    return "normal" if normal and not _is_on_sphere(values) else None


def _has_repeated_rows(values: Tensor) -> bool:
    """Return whether any two rows are equal; rows are compared only where their first values repeat."""
    return len(values[:, 0].unique()) < len(values) and len(values.unique(dim=0)) < len(values)


def sample_prior(prior: Prior, like: Tensor, n: int, rng: torch.Generator) -> Tensor:
    """Sample `n` rows of the shape, type and device of those of `like`."""
    size = (n, *like.shape[1:])
    if prior == "normal":
        values = torch.randn(size, generator=rng, device=rng.device)
    else:
        values = torch.rand(size, generator=rng, device=rng.device)
    return (2 * values - 1 if prior == "uniform" else values).to(like.device, like.dtype)


def _is_on_sphere(values: Tensor) -> bool:
    """Return whether norms vary far less than those of normal vectors, whose squares have the variance 2d."""
    n, d = values.shape
    return n > 1 and d > 1 and float(values.square().sum(1).var()) < 0.1 * 2 * d
