"""Measure whether metrics move when samples get worse, and only then: five levels of five corruptions of real pictures.

    python benchmarks/sweeps.py --data FOLDER [--n 1900] [--output results/reference/evaluation]

Generated samples are played by pictures of CIFAR-10, apart from those of the reference and of the training data, in the
features of `lite0`. Level 0 is as they are; up to level 4 they get more noise or blur, lack more classes, repeat more, or
hold more copies of training data. What each metric should do is written down in EXPECTED before anything is measured:

    worse, better   it has to move that way from level to level, or stay where it is within twice its spread, and to have
                    moved by more than three times its spread at the last level
    still           it has to stay within three times its spread of level 0

The spread is the standard deviation over other draws of as many clean pictures; of repeated samples it is that of as many
as are different. A second table says how clearly two of ten classes that are missing show at 500 pictures.

Prints both tables, and writes sweeps.csv and two_classes.csv with --output.
"""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path

import click
import numpy as np
import torch
from cifar_features import CPU, data_option, embed, load_pictures, on_given, score
from torch import Tensor
from torch.nn import functional

from ganbench.builtin.metrics.frechet import Frechet, FrechetInfinity
from ganbench.builtin.metrics.kernels import KernelDistance
from ganbench.builtin.metrics.mind import Mind
from ganbench.builtin.metrics.neighbours import ClippedDensityCoverage, Prdc
from ganbench.builtin.metrics.novelty import Authenticity, DataCopying
from ganbench.builtin.metrics.vendi import Vendi
from ganbench.evaluation.embedding import SampleSet

METRICS = {
    "frechet": Frechet,
    "frechet-infinity": FrechetInfinity,
    "kernel-distance": KernelDistance,
    "mind": Mind,
    "prdc": Prdc,
    "clipped": ClippedDensityCoverage,
    "vendi": Vendi,
    "authenticity": Authenticity,
    "data-copying": DataCopying,
}
LEVELS: dict[str, tuple[float, ...]] = {
    "noise": (0, 0.05, 0.1, 0.2, 0.4),  # standard deviation, of pictures in [-1, 1]
    "blur": (0, 0.4, 0.6, 1.0, 2.0),  # standard deviation of a Gaussian, in pixels
    "dropped classes": (0, 1, 2, 4, 6),  # of ten
    "repeated samples": (1, 2, 4, 10, 40),  # how often each
    "copies of training data": (0, 0.1, 0.25, 0.5, 1),  # share
}
DISTANCES = ("frechet", "frechet-infinity", "kernel-distance", "mind")
FIDELITY = ("prdc.precision", "prdc.density", "clipped.density")
DIVERSITY = ("prdc.recall", "prdc.coverage", "clipped.coverage", "vendi")
NOVELTY = ("authenticity", "data-copying")
# What is not named makes no claim: the diversity of noise, say.
EXPECTED: dict[str, dict[str, tuple[str, ...]]] = {
    "noise": {"worse": (*DISTANCES, *FIDELITY, "prdc.coverage", "clipped.coverage"), "better": ("data-copying",)},
    "blur": {"worse": (*DISTANCES, *FIDELITY, "prdc.coverage", "clipped.coverage"), "better": ("data-copying",)},
    "dropped classes": {"worse": (*DISTANCES, *DIVERSITY), "still": (*FIDELITY, *NOVELTY)},
    "repeated samples": {"worse": (*DISTANCES, *DIVERSITY), "still": (*FIDELITY, *NOVELTY)},
    "copies of training data": {"worse": NOVELTY, "still": (*DISTANCES, *FIDELITY, *DIVERSITY)},
}
LOWER_IS_BETTER = DISTANCES
DRAWS = 6  # of clean pictures, for the spread
SMALL, SMALL_DRAWS, MISSING = 500, 10, 2


def add_noise(pictures: Tensor, level: float) -> Tensor:
    """Return pictures with Gaussian noise, cut at the range of pixels."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1))
    return (pictures + level * noise).clamp(-1, 1)


def blur(pictures: Tensor, level: float) -> Tensor:
    """Return pictures blurred by a Gaussian."""
    if not level:
        return pictures
    at = torch.arange(-8.0, 9.0)
    weights = (-(at**2) / (2 * level**2)).exp()
    weights = (weights / weights.sum()).expand(3, 1, 1, -1)
    padded = functional.pad(pictures, (8, 8, 8, 8), mode="reflect")
    return functional.conv2d(functional.conv2d(padded, weights, groups=3), weights.mT, groups=3)


def make_levels(pictures: Tensor, rows: Tensor, classes: Tensor, training: Tensor, n: int) -> dict[str, list[Tensor]]:
    """Return the features of n samples at each level of each corruption.

    Args:
        pictures: Clean pictures.
        rows: Their features.
        classes: Their classes.
        training: Features of training pictures.
        n: How many samples.
    """
    made = {
        "noise": [embed(add_noise(pictures[:n], level)) if level else rows[:n] for level in LEVELS["noise"]],
        "blur": [embed(blur(pictures[:n], level)) if level else rows[:n] for level in LEVELS["blur"]],
        "dropped classes": [rows[classes >= dropped][:n] for dropped in LEVELS["dropped classes"]],
        "repeated samples": [
            rows[: math.ceil(n / times)].repeat(int(times), 1)[:n] for times in LEVELS["repeated samples"]
        ],
        "copies of training data": [
            torch.cat([training[: int(share * n)], rows[: n - int(share * n)]])
            for share in LEVELS["copies of training data"]
        ],
    }
    few = min(len(level) for levels in made.values() for level in levels)
    if few < n:
        raise click.UsageError(f"--n {n}: there are only {few} pictures of the classes that are left; give fewer")
    return made


def judge(name: str, corruption: str, values: list[float], spread: float) -> tuple[str, bool | None]:
    """Return what a metric should do, and whether it does; None where nothing is claimed."""
    claims = [claim for claim, names in EXPECTED[corruption].items() if name in names]
    if not claims:
        return "", None
    (claim,) = claims
    repeats = LEVELS[corruption] if corruption == "repeated samples" else (1.0,) * len(values)
    spreads = [spread * math.sqrt(times) for times in repeats]
    if claim == "still":
        return claim, all(abs(v - values[0]) <= 3 * s for v, s in zip(values, spreads, strict=True))
    up = (claim == "worse") == (name in LOWER_IS_BETTER)
    sign = 1 if up else -1
    steps = [sign * (b - a) for a, b in itertools.pairwise(values)]
    return claim, all(step >= -2 * spread for step in steps) and sign * (values[-1] - values[0]) > 3 * spread


def measure_two_classes(rows: Tensor, classes: Tensor, reference: Tensor) -> list[list[object]]:
    """Return, for each metric, how clearly two missing classes show at 500 pictures against 500."""
    metrics = on_given(rows.shape[1], {k: v for k, v in METRICS.items() if k not in NOVELTY})
    random, real = np.random.default_rng(2), SampleSet(reference[:SMALL], CPU)
    values: dict[str, tuple[list[float], list[float]]] = {}
    for _ in range(SMALL_DRAWS):
        gone = torch.from_numpy(random.choice(10, MISSING, replace=False))
        for which, pool in enumerate((rows, rows[~torch.isin(classes, gone)])):
            drawn = pool[torch.from_numpy(random.choice(len(pool), SMALL, replace=False))]
            for name, estimate in score(metrics, {"fake": SampleSet(drawn, CPU), "real": real}).items():
                values.setdefault(name, ([], []))[which].append(float(estimate))
    table: list[list[object]] = []
    for name, (whole, dropped) in values.items():
        if name in (*DISTANCES, *DIVERSITY):
            sign = 1 if name in LOWER_IS_BETTER else -1
            shift = sign * (np.mean(dropped) - np.mean(whole)) / np.std(whole, ddof=1)
            ranked = np.mean([sign * (d - w) > 0 for d in dropped for w in whole])  # AUROC
            table.append([name, *(_round(float(x)) for x in (np.mean(whole), np.mean(dropped), shift, ranked))])
    return table


def _round(value: float) -> float:
    return float(f"{value:.4g}")


@click.command()
@data_option
@click.option("--n", default=1900, show_default=True, help="Samples, and as many of the reference and for training.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder to write the tables into.")
def main(data: Path, n: int, output: Path | None) -> None:
    """Print the tables."""
    pictures, classes = load_pictures(data)
    rows = embed(pictures)
    training, reference, pool = rows[:n], rows[n : 2 * n], rows[2 * n :]
    levels = make_levels(pictures[2 * n :], pool, classes[2 * n :], training, n)
    metrics = on_given(rows.shape[1], METRICS)
    fixed = {"real": SampleSet(reference, CPU), "training": SampleSet(training, CPU)}

    random = torch.Generator().manual_seed(3)
    draws = [pool[torch.randperm(len(pool), generator=random)[:n]] for _ in range(DRAWS)]
    clean = [score(metrics, {**fixed, "fake": SampleSet(draw, CPU)}) for draw in draws]
    left = math.sqrt(1 - n / len(pool))  # of the spread, where draws share samples
    spread = {name: float(np.std([float(s[name]) for s in clean], ddof=1)) / left for name in clean[0]}

    table, failed = [], 0
    for corruption, made in levels.items():
        scores = [score(metrics, {**fixed, "fake": SampleSet(level, CPU)}) for level in made]
        for name in spread:
            if name.partition(".")[2] in ("slope", "r2"):
                continue
            values = [float(s[name]) for s in scores]
            claim, passed = judge(name, corruption, values, spread[name])
            verdict = {None: "", True: "pass", False: "fail"}[passed]
            failed += passed is False
            table.append([name, corruption, *map(_round, values), _round(spread[name]), claim, verdict])
            click.echo(f"{name:<18} {corruption:<24} {' '.join(f'{v:9.4g}' for v in values)}  {claim:<7} {verdict}")
    two = measure_two_classes(pool, classes[2 * n :], reference)
    for name_of_two, *numbers in two:
        click.echo(f"{name_of_two:<18} two of ten classes at {SMALL}: {' '.join(f'{v:9.4g}' for v in numbers)}")
    click.echo(f"{failed} of {sum(bool(row[-1]) for row in table)} claims fail")
    if output:
        output.mkdir(parents=True, exist_ok=True)
        heads = ["metric", "corruption", *(f"level_{i}" for i in range(5)), "spread", "should_be", "verdict"]
        write_table(output / "sweeps.csv", heads, table)
        heads = ["metric", "all_classes", "two_missing", "shift_in_spreads", "auroc"]
        write_table(output / "two_classes.csv", heads, two)


def write_table(path: Path, heads: list[str], rows: list[list[object]]) -> None:
    """Write a CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


if __name__ == "__main__":
    main()
