"""Distances and kernels of all pairs of feature vectors, in blocks, each computed once for all metrics that need it.

Inner products are computed in float32. Where a comparison of distances is closer than their rounding it is decided in
float64, from the difference of the two vectors, so that counts are those of float64.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

import ganbench

from .parts import mean_of

BLOCK_ROWS = 1024
FEW_ROWS = 128  # that are held in float64 at once
MANY_PAIRS = 2**14  # in a block, from which on it is worth looking for equal vectors
EXACT_NUMBERS = 2**17  # float64 numbers held at once where distances are computed from differences: a core's cache
SPARE = 4  # neighbours beyond those wanted, whose distances are computed in float64 too
ROUNDING = 1e-5  # of |x|^2 + |y|^2: more than float32 loses in a squared distance
SUBSETS, SUBSET_SIZE, SUBSETS_SEED = 100, 1000, 2020  # of KID, by torch-fidelity's defaults
MAX_SHARED = 10_000  # samples of a part up to which KID's subsets are summed in the pass over all pairs
DEGREE = 3  # of the polynomial kernel (x.y / dim + 1)^3 (Binkowski et al. 2018, https://arxiv.org/abs/1801.01401)


@dataclass(frozen=True)
class Within:
    """What the pairs within one set of N vectors say.

    Attributes:
        nearest: Squared distances to the nearest others, ascending, (N, k), float64.
        kernel: Sum of the polynomial kernel of each with all others, (N,), float64.
        kernel_squares: Sum of its squares over all pairs of different vectors.
        subsets: Sum of the kernel over the pairs of different vectors of each subset, (S,), float64; empty without subsets.
    """

    nearest: Tensor
    kernel: Tensor
    kernel_squares: Tensor
    subsets: Tensor


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
        subsets: Sum of the kernel over the pairs of the generated and the real ones of each subset, (S,); empty without.
    """

    fakes_in_real: Tensor
    reals_around_fake: Tensor
    fake_near_real: Tensor
    real_near_fake: Tensor
    kernel_fake: Tensor
    kernel_real: Tensor
    kernel_squares: Tensor
    subsets: Tensor


@functools.lru_cache(maxsize=1)  # all metrics of an evaluation ask for the same
def draw_subsets(n: int, m: int) -> tuple[Tensor, Tensor] | None:
    """Return which of `n` generated and `m` real samples are in the subsets of KID, (100, n) and (100, m), 0 or 1.

    The shared pass sums the kernel over them. None where there are too few samples, or so many that the subsets have fewer
    pairs than the whole, and are better compared by themselves.
    """
    if not SUBSET_SIZE <= min(n, m) <= max(n, m) <= MAX_SHARED:
        return None
    members = torch.zeros(SUBSETS, n), torch.zeros(SUBSETS, m)
    for row, chosen in enumerate(subset_indices(n, m)):
        for part, indices in zip(members, chosen, strict=True):
            part[row, indices] = 1
    return members


def subset_indices(n: int, m: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the indices of generated and real samples in each of KID's subsets, as torch-fidelity draws them."""
    random = np.random.RandomState(SUBSETS_SEED)
    for _ in range(SUBSETS):
        x, y = (random.choice(size, SUBSET_SIZE, replace=False) for size in (n, m))
        yield torch.from_numpy(x), torch.from_numpy(y)


def within(samples: ganbench.Samples, part: str, features: ganbench.Features | None, k: int) -> Within:
    """Return what the pairs within a part, `"fake"` or `"real"`, say; `k` nearest others of each."""

    n, m = (len(samples.embed(which, features)) for which in ("fake", "real"))

    def compute() -> tuple[Tensor, ...]:
        members = draw_subsets(n, m)
        mine = None if members is None else members[part == "real"]
        return tuple(vars(compare_within(samples.embed(part, features), k, mine)).values())  # type: ignore[arg-type]

    counts = f"{n} against {m}"  # which subsets are drawn depends on both
    return Within(*samples.derive(part, f"pairs within {part}, {k} nearest, {counts}", compute))  # type: ignore[arg-type]


def between(samples: ganbench.Samples, features: ganbench.Features | None, k: int) -> Between:
    """Return what the pairs of generated and real vectors say, with balls that reach to the `k`-th nearest other."""

    def compute() -> tuple[Tensor, ...]:
        fake, real = samples.embed("fake", features), samples.embed("real", features)
        radii = [within(samples, part, features, k).nearest[:, k - 1] for part in ("fake", "real")]
        members = draw_subsets(len(fake), len(real))
        return tuple(vars(compare_between(fake, real, radii[0], radii[1], members)).values())

    return Between(*samples.derive("fake", f"pairs between, {k} nearest", compute))


def compare_within(points: Tensor, k: int, members: Tensor | None = None) -> Within:
    """Compare all pairs of points (N, dim), N > `k`.

    Args:
        points: Feature vectors.
        k: Nearest neighbours to find.
        members: Which points are in each of S subsets, (S, N), 0 or 1; None for no subsets.
    """
    n, dim, device = *points.shape, points.device
    centre = mean_of(points)
    kept = min(k + SPARE, n - 1)
    best = torch.full((n, kept), torch.inf, device=device)
    which = torch.zeros((n, kept), dtype=torch.long, device=device)
    sums, squares = (
        torch.zeros(n, dtype=torch.float64, device=device),
        torch.zeros((), dtype=torch.float64, device=device),
    )
    members = torch.zeros(0, n, device=device) if members is None else members.to(device)
    of_subsets = torch.zeros(len(members), dtype=torch.float64, device=device)
    blocks = split_blocks(points, centre)
    for first, a in enumerate(blocks):
        for b in blocks[first:]:  # each pair of blocks once: what it says of a's rows, it says of b's, transposed
            distances = a.distances_to(b)
            kernel = a.kernel_with(b, distances, dim)
            if a is b:
                distances.fill_diagonal_(torch.inf)
                kernel.fill_diagonal_(0)
            times = 1 if a is b else 2
            squares += times * kernel.flatten().dot(kernel.flatten())
            of_subsets += times * _sum_members(members[:, a.rows], kernel, members[:, b.rows])
            _keep_nearest(best, which, a.rows, b.rows, distances)
            sums[a.rows] += kernel.sum(dim=1)
            if a is not b:
                _keep_nearest(best, which, b.rows, a.rows, distances.T.contiguous())
                sums[b.rows] += kernel.sum(dim=0)
    norms = torch.cat([block.norms for block in blocks])
    return Within(_exact_nearest(points, centre, norms, best, which, k), sums, squares, of_subsets)


def compare_between(
    fake: Tensor,
    real: Tensor,
    fake_radii: Tensor,
    real_radii: Tensor,
    members: tuple[Tensor, Tensor] | None = None,
) -> Between:
    """Compare all pairs of `fake` (N, dim) and `real` (M, dim).

    Args:
        fake: Feature vectors.
        real: Others.
        fake_radii: Squared radii of the balls around `fake`, (N,), float64.
        real_radii: Those around `real`, (M,), float64.
        members: Which of each are in each of S subsets, (S, N) and (S, M), 0 or 1; None for no subsets.
    """
    n, m, dim, device = len(fake), len(real), fake.shape[1], fake.device
    centre = mean_of(real)
    fakes_in_real, reals_around_fake = (torch.zeros(size, dtype=torch.long, device=device) for size in (m, n))
    fake_near_real, real_near_fake = (torch.zeros(size, dtype=torch.bool, device=device) for size in (n, m))
    kernel_fake, kernel_real = (torch.zeros(size, dtype=torch.float64, device=device) for size in (n, m))
    squares = torch.zeros((), dtype=torch.float64, device=device)
    of_fake, of_real = (torch.zeros(0, size, device=device) for size in (n, m)) if members is None else members
    of_fake, of_real = of_fake.to(device), of_real.to(device)
    of_subsets = torch.zeros(len(of_fake), dtype=torch.float64, device=device)
    reals = split_blocks(real, centre)
    for a in (Block.of(fake, centre, rows) for rows in split_rows(n)):
        for b in reals:
            distances = a.distances_to(b)
            kernel = a.kernel_with(b, distances, dim)
            kernel_fake[a.rows] += kernel.sum(dim=1)
            kernel_real[b.rows] += kernel.sum(dim=0)
            squares += kernel.flatten().dot(kernel.flatten())
            of_subsets += _sum_members(of_fake[:, a.rows], kernel, of_real[:, b.rows])
            beyond = a.excess_over(b, fake, real, real_radii[b.rows][None, :], distances)
            fake_near_real[a.rows] |= beyond.amin(dim=1) <= 0
            inside = beyond.lt_(0)  # 0 or 1, in float32, of which sums are fast
            fakes_in_real[b.rows] += inside.sum(dim=0).long()
            reals_around_fake[a.rows] += inside.sum(dim=1).long()
            beyond = a.excess_over(b, fake, real, fake_radii[a.rows][:, None], distances)
            real_near_fake[b.rows] |= beyond.amin(dim=0) <= 0
    return Between(
        fakes_in_real, reals_around_fake, fake_near_real, real_near_fake, kernel_fake, kernel_real, squares, of_subsets
    )


def split_blocks(points: Tensor, centre: Tensor) -> list[Block]:
    """Return points (N, dim) in blocks, about a centre (dim,).

    All of them are written into memory that is taken once: large temporary tensors between small ones that stay leave gaps
    which nothing else fits into.
    """
    (n, dim), device = points.shape, points.device
    centred, norms = (torch.empty(size, dtype=torch.float32, device=device) for size in ((n, dim), (n,)))
    halves = torch.empty(n, dtype=torch.float64, device=device)
    whole, squares = (torch.empty(min(n, FEW_ROWS), dim, dtype=torch.float64, device=device) for _ in range(2))
    for start in range(0, n, FEW_ROWS):
        rows = slice(start, min(start + FEW_ROWS, n))
        size = rows.stop - rows.start
        part = whole[:size].copy_(points[rows])
        halves[rows] = torch.mul(part, part, out=squares[:size]).sum(dim=1) / 2
        centred[rows] = part.sub_(centre)
        norms[rows] = part.square_().sum(dim=1)
    return [Block(rows, centred[rows], norms[rows], halves[rows]) for rows in split_rows(n)]


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
        halves: Half the squared norms before they were centred, (n,), float64.
    """

    rows: slice
    centred: Tensor
    norms: Tensor
    halves: Tensor

    @classmethod
    def of(cls, points: Tensor, centre: Tensor, rows: slice) -> Block:
        return replace(split_blocks(points[rows], centre)[0], rows=rows)

    def distances_to(self, other: Block) -> Tensor:
        """Return squared distances of all pairs, in float32; infinite where a norm exceeds float32."""
        distances = torch.addmm(other.norms, self.centred, other.centred.T, alpha=-2).add_(self.norms[:, None])
        if not (self.norms.isfinite().all() and other.norms.isfinite().all()):
            distances.nan_to_num_(nan=torch.inf, posinf=torch.inf)
        return distances

    def kernel_with(self, other: Block, distances: Tensor, dim: int) -> Tensor:
        """Return the polynomial kernel of all pairs from their squared distances: x.y = |x|^2/2 + |y|^2/2 - |x - y|^2/2."""
        columns, rows = (other.halves / dim).float(), (self.halves / dim + 1).float()
        return torch.add(columns, distances, alpha=-0.5 / dim).add_(rows[:, None]).pow_(DEGREE)

    def excess_over(self, other: Block, points: Tensor, others: Tensor, limits: Tensor, distances: Tensor) -> Tensor:
        """Return squared distances less limits, float32, below, at or above 0 where float64 would decide so.

        Args:
            other: The columns.
            points: All vectors that this block is of.
            others: All vectors that `other` is of.
            limits: Squared distances, (1, columns) or (rows, 1), float64.
            distances: Squared distances of all pairs, in float32.
        """
        excess = distances - limits.float()
        most = float(self.norms.max() + other.norms.max())
        # Few rows have a doubtful pair, and finding these costs a tenth of looking for pairs in all.
        rows = (excess.abs().amin(dim=1) <= ROUNDING * most).nonzero().flatten()
        i, j = (excess[rows].abs() <= ROUNDING * most).nonzero().unbind(dim=1)
        i = rows[i]
        doubtful = excess[i, j].abs() <= ROUNDING * (self.norms[i] + other.norms[j])
        i, j = i[doubtful], j[doubtful]
        if len(i):
            exact = _distances_of_pairs(points[self.rows], others[other.rows], i, j)
            excess[i, j] = (exact - limits.expand_as(distances)[i, j]).sign().float()
        return excess


def _distances_of_pairs(x: Tensor, y: Tensor, i: Tensor, j: Tensor) -> Tensor:
    """Squared distances of rows i of x to rows j of y, (P,), from differences in float64; of equal rows once."""
    if len(i) > MANY_PAIRS:  # as of collapsed samples, which are repeated
        same_x, same_y = (torch.unique(part, dim=0, return_inverse=True) for part in (x, y))
        pairs, back = torch.unique(same_x[1][i] * len(same_y[0]) + same_y[1][j], return_inverse=True)
        if len(pairs) < len(i):
            first, second = pairs // len(same_y[0]), pairs % len(same_y[0])
            return _distances_of_pairs(same_x[0], same_y[0], first, second)[back]
    at_once = max(1, EXACT_NUMBERS // x.shape[1])
    parts = zip(i.split(at_once), j.split(at_once), strict=True)
    return torch.cat([(x[a].double() - y[b].double()).square().sum(dim=1) for a, b in parts])


def _sum_members(rows: Tensor, table: Tensor, columns: Tensor) -> Tensor:
    """Sum a block of the kernel over the members of each subset, (S, n) and (S, m): (S,)."""
    return ((rows @ table) * columns).sum(dim=1, dtype=torch.float64)


def _keep_nearest(best: Tensor, which: Tensor, rows: slice, columns: slice, distances: Tensor) -> None:
    """Merge a block of distances into the nearest of each row found so far."""
    kept = best.shape[1]
    values, indices = distances.topk(min(kept, distances.shape[1]), dim=1, largest=False)
    merged = torch.cat([best[rows], values], dim=1)
    candidates = torch.cat([which[rows], indices + columns.start], dim=1)
    best[rows], order = merged.topk(kept, dim=1, largest=False)
    which[rows] = candidates.gather(1, order)


def _exact_nearest(points: Tensor, centre: Tensor, norms: Tensor, best: Tensor, which: Tensor, k: int) -> Tensor:
    """Squared distances to the k nearest in float64, from candidates found in float32, of points about their centre.

    Of most points the k nearest in float32 are the k nearest; of the others all candidates are looked at.
    """
    n, kept = which.shape
    nearest = torch.empty((n, k), dtype=torch.float64, device=points.device)
    every = torch.arange(n, device=points.device)
    _set_exact(nearest, points, every, which[:, :k])
    if kept <= k:  # these are all others
        return nearest

    def may_be_wrong(rows: Tensor, next_best: Tensor) -> Tensor:
        """Of which rows was a nearer one left out for its rounding? It would lie within the distance that was found."""
        reach = nearest[rows, -1]
        rounding = ROUNDING * (norms[rows] + (norms[rows].sqrt() + reach.sqrt()).square())
        return rows[(next_best[rows].double() - rounding < reach) & (reach > 0)]

    rows = may_be_wrong(every, best[:, k])
    _set_exact(nearest, points, rows, which[rows])
    if kept < n - 1:
        for part in may_be_wrong(rows, best[:, -1]).split(BLOCK_ROWS // 4):
            _set_exact(nearest, points, part, _nearest_in_float64(points, centre, part, kept))
    return nearest


def _set_exact(nearest: Tensor, points: Tensor, rows: Tensor, candidates: Tensor) -> None:
    """Write squared distances of rows (R,) of points to the nearest of their candidates (R, C) into those rows."""
    at_once = max(1, EXACT_NUMBERS // (candidates.shape[1] * points.shape[1]))
    for part, chosen in zip(rows.split(at_once), candidates.split(at_once), strict=True):
        differences = points[chosen].double().sub_(points[part].double()[:, None])
        nearest[part] = differences.square_().sum(dim=2).sort(dim=1).values[:, : nearest.shape[1]]


def _nearest_in_float64(points: Tensor, centre: Tensor, rows: Tensor, k: int) -> Tensor:
    """Indices of the k nearest others of some rows, (R, k), by distances of which products are of float64."""
    mine = points[rows].double() - centre
    table = torch.empty(len(rows), len(points), dtype=torch.float64, device=points.device)
    for columns in split_rows(len(points)):
        theirs = points[columns].double() - centre
        table[:, columns] = torch.addmm(theirs.square().sum(dim=1), mine, theirs.T, alpha=-2)
    table[torch.arange(len(rows), device=rows.device), rows] = torch.inf
    return table.topk(k, dim=1, largest=False).indices
