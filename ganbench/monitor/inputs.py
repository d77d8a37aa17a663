"""What the loop gives its generator, to draw more of it: latents of their prior, everything else as it was seen."""

from __future__ import annotations

import torch
from torch import Tensor

from .conventions import Lesson, Unlike
from .priors import Prior, draw, prior_of
from .rows import Rows

TOLD_FROM = 1024  # rows that a prior is told from


class Inputs:
    """The arguments of G that have a row for each sample, and with them D's conditions for the same samples."""

    def __init__(self) -> None:
        self._rows = Rows()
        self._places: tuple[int, ...] = ()
        self._priors: list[Prior | None] = []

    def learn(self, lesson: Lesson) -> None:
        """Take in what a lesson shows. Raises Unlike where D's conditions cannot be matched with G's samples."""
        for columns in lesson.made:
            self._rows.add(columns)
        self._places = lesson.conventions.made.batched
        if self._places and not len(self._rows):
            raise Unlike("it cannot be told which condition the discriminator is given with which generated sample")
        self._priors = [prior_of(column[-TOLD_FROM:]) for column in self._rows.columns[: len(self._places)]]

    def draw(self, n: int, stream: torch.Generator) -> tuple[dict[int, Tensor], Tensor]:
        """Arguments for `n` samples by their places in a call, and the rows that those are from that were seen."""
        rows = torch.randint(max(len(self._rows), 1), (n,), generator=stream, device=stream.device)
        put = {}
        for place, column, prior in zip(self._places, self._rows.columns, self._priors, strict=False):
            put[place] = column[rows.to(column.device)] if prior is None else draw(prior, column, n, stream)
        return put, rows

    @property
    def conditions(self) -> list[Tensor]:
        """D's conditions, by row."""
        return self._rows.columns[len(self._places) :]
