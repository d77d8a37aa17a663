"""Distances and kernels of all pairs of feature vectors, in blocks, each computed once for all metrics that need it.

Inner products are computed in float32. Where a comparison of distances is closer than their rounding it is decided in
float64, from the difference of the two vectors, so that counts are those of float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import ganbench

BLOCK_ROWS = 1024
SPARE = 4  # neighbours beyond those wanted, whose distances are computed in float64 too
ROUNDING = 1e-5  # of |x|^2 + |y|^2: more than float32 loses in a squared distance
DEGREE = 3  # of the polynomial kernel (x.y / dim + 1)^3 (Binkowski et al. 2018, https://arxiv.org/abs/1801.01401)


@dataclass(frozen=True)
class Within:
    """What the pairs within one set of N vectors say.

    Attributes:
        nearest: Squared distances to the nearest others, ascending, (N, k), float64.
        kernel: Sum of the polynomial kernel of each with all others, (N,), float64.
        kernel_squares: Sum of its squares, (N,), float64.
    """

    nearest: Tensor
    kernel: Tensor
    kernel_squares: Tensor


@dataclass(frozen=True)
class Between:
    """What the pairs of N generated and M real vectors say.

    Attributes:
        fakes_in_real: How many generated vectors the ball of each real one holds, its border left out, (M,).
        reals_around_fake: In how many such balls each generated one is, (N,).
        fake_near_real: Whether each generated one is in the ball of some real one, its border included, (N,).
        real_near_fake: Whether each real one is in the ball of some generated one, its border included, (M,).
        kernel_fake: Sum of the polynomial kernel of each generated one with all real ones, (N,), float64.
        kernel_real: Sum of it of each real one with all generated ones, (M,), float64.
        kernel_squares: Sum of its squares over all pairs.
    """

    fakes_in_real: Tensor
    reals_around_fake: Tensor
    fake_near_real: Tensor
    real_near_fake: Tensor
    kernel_fake: Tensor
    kernel_real: Tensor
    kernel_squares: Tensor


def within(samples: ganbench.Samples, part: str, features: ganbench.Features | None, k: int) -> Within:
    """Return what the pairs within a part, `"fake"` or `"real"`, say; `k` nearest others of each."""

    def compute() -> tuple[Tensor, ...]:
        return tuple(vars(compare_within(samples.embed(part, features), k)).values())  # type: ignore[arg-type]

    return Within(*samples.derive(part, f"pairs within {part}, {k} nearest", compute))  # type: ignore[arg-type]


def between(samples: ganbench.Samples, features: ganbench.Features | None, k: int) -> Between:
    """Return what the pairs of generated and real vectors say, with balls that reach to the `k`-th nearest other."""

    def compute() -> tuple[Tensor, ...]:
        fake, real = samples.embed("fake", features), samples.embed("real", features)
        radii = [within(samples, part, features, k).nearest[:, k - 1] for part in ("fake", "real")]
        return tuple(vars(compare_between(fake, real, *radii)).values())

    return Between(*samples.derive("fake", f"pairs between, {k} nearest", compute))


def compare_within(points: Tensor, k: int) -> Within:
    """Compare all pairs of points (N, dim), N > `k`."""
    n, dim = points.shape
    centre = points.double().mean(dim=0)
    kept = min(k + SPARE, n - 1)
    best = torch.full((n, kept), torch.inf, device=points.device)
    which = torch.zeros((n, kept), dtype=torch.long, device=points.device)
    sums = torch.zeros((2, n), dtype=torch.float64, device=points.device)
    blocks = [Block.of(points, centre, rows) for rows in split_rows(n)]
    for first, a in enumerate(blocks):
        for b in blocks[first:]:  # each pair of blocks once: what it says of a's rows, it says of b's, transposed
            products = a.centred @ b.centred.T
            distances = a.distances_to(b, products)
            kernel = a.kernel_with(b, products, dim)
            if a is b:
                distances.fill_diagonal_(torch.inf)
                kernel.fill_diagonal_(0)
            sides = (
                [(a, b, distances, kernel)] if a is b else [(a, b, distances, kernel), (b, a, distances.T, kernel.T)]
            )
            for rows, columns, table, values in sides:
                _keep_nearest(best, which, rows.rows, columns.rows, table)
                sums[0, rows.rows] += values.sum(dim=1, dtype=torch.float64)
                sums[1, rows.rows] += values.square().sum(dim=1, dtype=torch.float64)
    return Within(_exact_nearest(points, best, which, k), *sums)


def compare_between(fake: Tensor, real: Tensor, fake_radii: Tensor, real_radii: Tensor) -> Between:
    """Compare all pairs of `fake` (N, dim) and `real` (M, dim), with squared radii of their balls, (N,) and (M,)."""
    n, m, device = len(fake), len(real), fake.device
    centre = real.double().mean(dim=0)
    fakes_in_real = torch.zeros(m, dtype=torch.long, device=device)
    reals_around_fake = torch.zeros(n, dtype=torch.long, device=device)
    fake_near_real = torch.zeros(n, dtype=torch.bool, device=device)
    real_near_fake = torch.zeros(m, dtype=torch.bool, device=device)
    kernel_fake, kernel_real = (torch.zeros(size, dtype=torch.float64, device=device) for size in (n, m))
    squares = torch.zeros((), dtype=torch.float64, device=device)
    reals = [Block.of(real, centre, rows) for rows in split_rows(m)]
    for a in (Block.of(fake, centre, rows) for rows in split_rows(n)):
        for b in reals:
            products = a.centred @ b.centred.T
            kernel = a.kernel_with(b, products, fake.shape[1])
            kernel_fake[a.rows] += kernel.sum(dim=1, dtype=torch.float64)
            kernel_real[b.rows] += kernel.sum(dim=0, dtype=torch.float64)
            squares += kernel.square().sum(dtype=torch.float64)
            distances = a.distances_to(b, products)
            inside = a.is_within(b, fake, real, real_radii[b.rows][None, :], distances, strictly=True)
            fakes_in_real[b.rows] += inside.sum(dim=0)
            reals_around_fake[a.rows] += inside.sum(dim=1)
            reached = a.is_within(b, fake, real, real_radii[b.rows][None, :], distances)
            fake_near_real[a.rows] |= reached.any(dim=1)
            reached = a.is_within(b, fake, real, fake_radii[a.rows][:, None], distances)
            real_near_fake[b.rows] |= reached.any(dim=0)
    return Between(fakes_in_real, reals_around_fake, fake_near_real, real_near_fake, kernel_fake, kernel_real, squares)


def split_rows(n: int) -> list[slice]:
    """Return slices of at most `BLOCK_ROWS` that cover n rows."""
    return [slice(start, min(start + BLOCK_ROWS, n)) for start in range(0, n, BLOCK_ROWS)]


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of a set of vectors, about a centre, since products of small numbers lose less.

    Attributes:
        rows: Which.
        centred: They less the centre, (n, dim), float32.
        norms: Their squared norms, (n,), float32.
        shift: What the centre adds to their inner products, (n,), float32.
    """

    rows: slice
    centred: Tensor
    norms: Tensor
    shift: Tensor
    offset: Tensor

    @classmethod
    def of(cls, points: Tensor, centre: Tensor, rows: slice) -> Block:
        centred = points[rows].double() - centre
        return cls(
            rows, centred.float(), centred.square().sum(dim=1).float(), (centred @ centre).float(), centre @ centre
        )

    def kernel_with(self, other: Block, products: Tensor, dim: int) -> Tensor:
        """Return the polynomial kernel of all pairs from the inner products of the centred vectors."""
        whole = products + self.shift[:, None] + (other.shift + self.offset.float())
        return whole.div_(dim).add_(1).pow_(DEGREE)

    def distances_to(self, other: Block, products: Tensor | None = None) -> Tensor:
        """Return squared distances of all pairs, in float32."""
        products = self.centred @ other.centred.T if products is None else products
        return self.norms[:, None] + other.norms - 2 * products

    def is_within(
        self,
        other: Block,
        points: Tensor,
        others: Tensor,
        limits: Tensor,
        distances: Tensor | None = None,
        *,
        strictly: bool = False,
    ) -> Tensor:
        """Return which squared distances are not above limits, or below them, as float64 would decide.

        Args:
            other: The columns.
            points: All vectors that this block is of.
            others: All vectors that `other` is of.
            limits: Squared distances, (1, columns) or (rows, 1), float64.
            distances: In float32, where they are known.
            strictly: Whether a distance of exactly the limit is outside.
        """
        distances = self.distances_to(other) if distances is None else distances
        limit = limits.float()
        inside = distances < limit if strictly else distances <= limit
        doubtful = ((distances - limit).abs() <= ROUNDING * (self.norms[:, None] + other.norms)).nonzero()
        for pairs in doubtful.split(max(1, 2**24 // points.shape[1])):
            i, j = pairs.unbind(dim=1)
            exact = (points[self.rows][i].double() - others[other.rows][j].double()).square().sum(dim=1)
            bound = limits.expand_as(distances)[i, j]
            inside[i, j] = exact < bound if strictly else exact <= bound
        return inside


def _keep_nearest(best: Tensor, which: Tensor, rows: slice, columns: slice, distances: Tensor) -> None:
    """Merge a block of distances into the nearest of each row found so far."""
    kept = best.shape[1]
    values, indices = distances.topk(min(kept, distances.shape[1]), dim=1, largest=False)
    merged = torch.cat([best[rows], values], dim=1)
    candidates = torch.cat([which[rows], indices + columns.start], dim=1)
    best[rows], order = merged.topk(kept, dim=1, largest=False)
    which[rows] = candidates.gather(1, order)


def _exact_nearest(points: Tensor, best: Tensor, which: Tensor, k: int) -> Tensor:
    """Squared distances to the k nearest in float64, from candidates found in float32."""
    nearest = torch.empty((len(points), k), dtype=torch.float64, device=points.device)
    norms = (points.double() - points.double().mean(dim=0)).square().sum(dim=1)
    largest = norms.max()
    for rows in _small_rows(len(points), which.shape[1] * points.shape[1]):
        exact = (points[which[rows]].double() - points[rows].double()[:, None]).square().sum(dim=2)
        nearest[rows] = exact.sort(dim=1).values[:, :k]
    if which.shape[1] < len(points) - 1:  # was a nearer one left out for its rounding?
        doubtful = best[:, -1].double() - ROUNDING * (norms + largest) < nearest[:, -1]
        for row in doubtful.nonzero().flatten().tolist():
            exact = (points.double() - points[row].double()).square().sum(dim=1)
            exact[row] = torch.inf
            nearest[row] = exact.sort().values[:k]
    return nearest


def _small_rows(n: int, width: int) -> Iterator[slice]:
    """Slices of n rows, each of `width` numbers, that take at most some 100 MB in float64."""
    size = max(1, 2**24 // max(width, 1))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))
