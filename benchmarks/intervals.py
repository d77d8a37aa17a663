"""Measure whether intervals of metrics hold the value that they should: over resamples, at several counts.

    python benchmarks/intervals.py --data FOLDER [--resamples 200] [--output results/reference/evaluation]

Two populations are made of pictures of CIFAR-10 in the features of `lite0` (of their pixels, reduced to 32 principal
components, for `mmd`): reals, and others that play generated samples. Samples are drawn from both with replacement, so that
they are independent, and the value that an interval should hold is that of the whole populations, which is what a metric
tends to with their number. In one case both populations are pictures as they are; in the other the generated ones lack two
classes.

For every metric with an interval: the share of resamples whose interval holds that value, and how many times wider it is
than 1.96 standard deviations of the resamples to each side. A metric needs 90 % at every count. For metrics without an
interval, a few draws without replacement show why: how far their mean at each count is from the mean at the largest, in
standard deviations, and whether they say that they are biased.

Prints the table, and writes intervals.csv with --output.
"""

from __future__ import annotations

import csv
import functools
import math
from pathlib import Path

import click
import numpy as np
import torch
from cifar_features import CPU, Given, data_option, embed, load_pictures, on_given, score
from scipy import stats
from sweeps import METRICS
from torch import Tensor

import ganbench
from ganbench.builtin.metrics.kernels import MAX_MEDIAN_SAMPLES, discrepancy
from ganbench.builtin.metrics.novelty import nearest_in
from ganbench.evaluation.embedding import SampleSet

COUNTS = (500, 1000, 2000, 8000)
BIASED_COUNTS, FEW = (500, 1000, 1800), 5  # of metrics without an interval, and draws of each
Z = 1.959964
POPULATION = 800  # vectors of each: their tables fit into a cache


class Kernels:
    """A kernel over all pairs of two populations, of which samples are drawn with replacement.

    What a metric sums over pairs of a sample is summed here by how often each vector is in the sample: a resample of 8,000
    costs no more than one of 500.

    Args:
        xx: Of the generated with each other, (N, N), float64.
        yy: Of the reals with each other, (M, M).
        xy: Of both, (N, M).
    """

    def __init__(self, xx: Tensor, yy: Tensor, xy: Tensor) -> None:
        self.xx, self.yy, self.xy = xx, yy, xy

    @functools.cached_property
    def squares(self) -> tuple[Tensor, Tensor, Tensor]:
        """Their squares."""
        return self.xx.square(), self.yy.square(), self.xy.square()

    def draw(self, n: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of n of each."""
        return random.integers(len(self.xx), size=n), random.integers(len(self.yy), size=n)

    def estimate(self, i: np.ndarray, j: np.ndarray, *, cautious: bool = False) -> tuple[float, float, float]:
        """Return the discrepancy of the samples of these indices and the ends of its interval, as the metrics do."""
        w, v = (
            torch.from_numpy(np.bincount(k, minlength=len(table))).double() for k, table in ((i, self.xx), (j, self.yy))
        )
        xx, yy, xy = self.squares
        of_x = ((self.xx @ w - self.xx.diagonal())[i], w @ (xx @ w) - w @ xx.diagonal())
        of_y = ((self.yy @ v - self.yy.diagonal())[j], v @ (yy @ v) - v @ yy.diagonal())
        cross = (self.xy @ v)[i], (w @ self.xy)[j], w @ (xy @ v)
        value, error = discrepancy(of_x, of_y, cross, cautious=cautious)
        return value, value - Z * error, value + Z * error

    @property
    def limit(self) -> float:
        """The discrepancy of the populations themselves."""
        return float(self.xx.mean() + self.yy.mean() - 2 * self.xy.mean())


def polynomial(fake: Tensor, real: Tensor) -> Kernels:
    """Return the kernel of kernel-distance."""
    x, y = fake.double(), real.double()
    return Kernels(*((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))))


class Distances:
    """Squared distances of two populations, from which mmd's kernel is made: its width depends on the sample."""

    def __init__(self, fake: Tensor, real: Tensor) -> None:
        x, y = fake.double(), real.double()
        self.tables = [torch.cdist(a, b).square() for a, b in ((x, x), (y, y), (x, y))]

    def kernels(self, rows: np.ndarray) -> Kernels:
        """Return the Gaussian kernels whose width is the median distance of these reals."""
        table = self.tables[1][rows][:, rows]
        above = torch.triu_indices(len(rows), len(rows), 1)
        width = table[above[0], above[1]].median()
        return Kernels(*((of / (-2 * width)).exp() for of in self.tables))


def check_sums(fake: Tensor, real: Tensor, kernels: Kernels) -> None:
    """Raise SystemExit if sums over the populations do not give what the metric itself does."""
    i, j = np.arange(0, 400), np.arange(100, 500)
    features = Given(fake.shape[1])
    metric = METRICS["kernel-distance"](features=lambda: features)
    found = score({"": metric}, {"fake": SampleSet(fake[i], CPU), "real": SampleSet(real[j], CPU)})[""]
    ends = kernels.estimate(i, j)
    if not np.allclose(ends, (found.value, found.low, found.high), rtol=0, atol=0.01 * (found.high - found.low)):
        raise SystemExit(f"the metric gives {found}, and sums over the populations {ends}")


def count_covered(name: str, case: str, n: int, found: list[tuple[float, float, float]], limit: float) -> list[object]:
    """Return a row of the table from values, lower and upper ends."""
    values, low, high = np.array(found).T
    covered = float(np.mean((low <= limit) & (limit <= high)))
    wide = float(np.mean(high - low) / (2 * Z * values.std(ddof=1)))
    return [name, case, n, _round(limit), _round(values.mean()), covered, _round(wide), "", "", verdict(covered >= 0.9)]


def verdict(passed: bool) -> str:
    """Return what a row of the table says."""
    return "pass" if passed else "fail"


def measure_bias(fake: Tensor, real: Tensor, training: Tensor, case: str) -> list[list[object]]:
    """Return rows for metrics without an interval: the drift of their mean with the count."""
    metrics, random = on_given(fake.shape[1], METRICS), np.random.default_rng(5)
    found: dict[str, dict[int, list[ganbench.Estimate]]] = {}
    fixed = {"training": SampleSet(training, CPU)}
    for n in BIASED_COUNTS:
        for _ in range(FEW):
            parts = {
                name: SampleSet(part[torch.from_numpy(random.choice(len(part), n, replace=False))], CPU)
                for name, part in (("fake", fake), ("real", real))
            }
            for name, estimate in score(metrics, {**parts, **fixed}).items():
                found.setdefault(name, {}).setdefault(n, []).append(estimate)
    rows: list[list[object]] = []
    for name, by_count in found.items():
        if math.isfinite(by_count[BIASED_COUNTS[0]][0].low) or name.partition(".")[2] in ("slope", "r2"):
            continue
        last = np.array([float(e) for e in by_count[BIASED_COUNTS[-1]]])
        for n, estimates in by_count.items():
            values = np.array([float(e) for e in estimates])
            error = math.hypot(values.std(ddof=1), last.std(ddof=1)) / math.sqrt(FEW)
            drift = abs(values.mean() - last.mean()) / error if n != BIASED_COUNTS[-1] and error else 0.0
            biased = estimates[0].biased
            said = "says so" if biased else "no"
            passed = biased or drift < 4
            rows.append(
                [
                    name,
                    case,
                    n,
                    _round(last.mean()),
                    _round(values.mean()),
                    "",
                    "",
                    _round(drift),
                    said,
                    verdict(passed),
                ]
            )
    return rows


def _round(value: float) -> float:
    return float(f"{value:.4g}")


@click.command()
@data_option
@click.option(
    "--resamples", default=200, show_default=True, help="Resamples of each metric with an interval and count."
)
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder to write intervals.csv into.")
def main(data: Path, resamples: int, output: Path | None) -> None:
    """Print the table."""
    pictures, classes = load_pictures(data)
    rows = embed(pictures)
    pixels = pictures.flatten(1)
    components = torch.pca_lowrank(pixels[:3000], 32, niter=2)[2]
    points = (pixels - pixels.mean(dim=0)) @ components
    training, real = slice(0, 2000), slice(2000, 4000)
    apart = torch.arange(4000, len(rows))
    random = np.random.default_rng(4)
    own = nearest_in(rows[training], rows[training], skip_self=True)[0]
    table: list[list[object]] = []
    for case, missing in (("alike", 0), ("two classes missing", 2)):
        chosen = apart[classes[apart] >= missing][:POPULATION]
        of_reals = slice(real.start, real.start + POPULATION)
        in_features = polynomial(rows[chosen], rows[of_reals])
        of_points = Distances(points[chosen], points[of_reals])
        check_sums(rows[chosen], rows[of_reals], in_features)
        mmd_limit = of_points.kernels(np.arange(POPULATION)).limit
        distances, nearest = nearest_in(rows[chosen], rows[training])
        authentic = (distances > own[nearest]).numpy()
        for n in COUNTS:
            found, of_mmd, of_share = [], [], []
            for _ in range(resamples):
                found.append(in_features.estimate(*in_features.draw(n, random)))
                i, j = in_features.draw(n, random)
                of_mmd.append(of_points.kernels(j[:MAX_MEDIAN_SAMPLES]).estimate(i, j, cautious=True))
                k = int(authentic[random.integers(len(authentic), size=n)].sum())
                of_share.append((k / n, *stats.binomtest(k, n).proportion_ci(method="wilson")))
            table.append(count_covered("kernel-distance", case, n, found, in_features.limit))
            table.append(count_covered("mmd", case, n, of_mmd, mmd_limit))
            table.append(count_covered("authenticity", case, n, of_share, float(authentic.mean())))
            show(table[-3:])
    write_table(output, table)
    table += (biased := measure_bias(rows[apart], rows[real], rows[training], "alike"))
    show(biased)
    write_table(output, table)


def show(rows: list[list[object]]) -> None:
    """Print rows of the table."""
    for row in rows:
        click.echo(" ".join(map(str, row)))


def write_table(output: Path | None, rows: list[list[object]]) -> None:
    """Write the table so far."""
    if output is None:
        return
    output.mkdir(parents=True, exist_ok=True)
    heads = [
        "metric",
        "case",
        "n",
        "limit",
        "mean",
        "covered",
        "width_to_spread",
        "drift_in_errors",
        "biased",
        "verdict",
    ]
    with (output / "intervals.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
