"""Measure our metrics on features against torch-fidelity's and prdc's, in time and memory.

    python benchmarks/metrics.py [--n 10000] [--dim 2048] [--repeats 5] [--output results/reference/evaluation]

Both score the same features side by side in one process: Fréchet distance, KID, precision, recall, density and coverage.
Theirs are torch-fidelity's functions and prdc's, one after another; ours are the metrics, which share what they have in
common as they do in a run. The values have to agree, or nothing is measured. Times are wall-clock seconds and CPU seconds
of all threads: where other programs are running, compare the latter. A second evaluation is one against reals that were
seen before, whose features are already extracted: what it saves is what metrics keep of the reals. Peak memory is that of a
process of its own for each, beyond what it has once the features are there (on Linux).

Prints medians, and writes metrics.csv with --output. Needs prdc: pip install prdc
"""

from __future__ import annotations

import contextlib
import csv
import io
import multiprocessing
import re
import statistics
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import threadpoolctl
import torch
from cifar_features import CPU, on_given, score
from torch import Tensor

import ganbench
from ganbench.builtin.metrics.frechet import Frechet
from ganbench.builtin.metrics.kernels import KID, KernelDistance
from ganbench.builtin.metrics.neighbours import Prdc
from ganbench.evaluation.embedding import SampleSet

NEIGHBOURS = 5
THEIRS, OURS, OURS_WHOLE = "torch-fidelity and prdc", "ours", "ours, kernel-distance for KID"
SECOND = ", second evaluation"


def draw(n: int, dim: int, seed: int, apart: float = 0.0) -> Tensor:
    """Return features (n, dim) that are correlated and not negative, as those of networks are.

    Args:
        n: How many.
        dim: Their length.
        seed: Of the features; what correlates them is the same for all.
        apart: How far they are from those of another seed.
    """
    mixing = torch.randn(256, dim, generator=torch.Generator().manual_seed(0)) / 16
    random = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, 256, generator=random) @ mixing + 0.3 * torch.randn(n, dim, generator=random)
    return (rows * (1 - apart) + apart).relu_()


def score_theirs(fake: Tensor, real: Tensor) -> dict[str, float]:
    """Return the scores of torch-fidelity and prdc."""
    import prdc
    from torch_fidelity import metric_fid, metric_kid, metric_prc

    both = [metric_fid.fid_features_to_statistics(part) for part in (fake, real)]
    scores = dict(metric_fid.fid_statistics_to_metric(*both, verbose=False))
    scores |= metric_kid.kid_features_to_metric(fake, real, verbose=False)
    metric_prc.prc_features_to_metric(fake, real, prc_neighborhood=NEIGHBOURS, verbose=False)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how many there are
        scores |= prdc.compute_prdc(real.numpy(), fake.numpy(), nearest_k=NEIGHBOURS)
    return scores


def embedded(features: Tensor, metrics: dict[str, Any]) -> SampleSet:
    """Return samples whose features, which are these, have been extracted for metrics."""
    samples = SampleSet(features, CPU)
    for metric in metrics.values():
        samples.embed(metric.features)
    return samples


def score_ours(fake: SampleSet, real: SampleSet, metrics: dict[str, Any]) -> dict[str, float]:
    """Return the scores of our metrics, which share their work through the reals and the fakes."""
    found = score(metrics, {"fake": fake, "real": real})
    return {name: float(value) for name, value in found.items()}


def our_metrics(dim: int, kernel: type[ganbench.Metric]) -> dict[str, Any]:
    """Return the metrics, with one of the two kernel distances."""
    return on_given(dim, {"frechet": Frechet, "kernel": kernel, "prdc": Prdc})


def check_agreement(theirs: dict[str, float], ours: dict[str, float]) -> None:
    """Raise SystemExit if the values are not the same."""
    pairs = {"frechet": "frechet_inception_distance", "kernel": "kernel_inception_distance_mean"}
    pairs |= {f"prdc.{name}": name for name in ("precision", "recall", "density", "coverage")}
    for name, other in pairs.items():
        if abs(ours[name] - theirs[other]) > 1e-3 * abs(theirs[other]):  # theirs are of float32
            raise SystemExit(
                f"{name} is {ours[name]}, and {theirs[other]} by the reference: no time is worth measuring"
            )


def measure_seconds(n: int, n_real: int, dim: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Return the median wall-clock and CPU seconds of each contender; ours alone with more reals than `n`."""
    fake, real, other = draw(n, dim, 1, apart=0.1), draw(n_real, dim, 2), draw(n, dim, 3, apart=0.1)
    seconds: dict[str, list[tuple[float, float]]] = {}

    def clock(name: str, work: Callable[[], dict[str, float]]) -> dict[str, float]:
        began, spent = time.perf_counter(), time.process_time()
        scores = work()
        seconds.setdefault(name, []).append((time.perf_counter() - began, time.process_time() - spent))
        return scores

    for _ in range(repeats):
        theirs = clock(THEIRS, lambda: score_theirs(fake, real)) if n == n_real else {}
        for kernel, name in ((KID, OURS), (KernelDistance, OURS_WHOLE)):
            if kernel is KID and n != n_real:
                continue
            metrics = our_metrics(dim, kernel)
            first, reals, second = (embedded(part, metrics) for part in (fake, real, other))
            ours = clock(name, partial(score_ours, first, reals, metrics))
            if kernel is KID:
                check_agreement(theirs, ours)
            clock(name + SECOND, partial(score_ours, second, reals, metrics))
    return {
        name: (statistics.median(wall for wall, _ in values), statistics.median(cpu for _, cpu in values))
        for name, values in seconds.items()
    }


def resident(which: str) -> float:
    """Return MiB that this process holds (VmRSS) or has held at most (VmHWM)."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def measure_memory(n: int, dim: int, which: str, threads: int, pipe: Connection) -> None:
    """Send the MiB that a contender takes at its peak, beyond what there is before it starts."""
    torch.set_num_threads(threads)
    with threadpoolctl.threadpool_limits(threads):
        for size, width in ((1100, 16), (n, dim)):  # whatever is imported on first use is there before
            features = draw(size, width, 1, apart=0.1), draw(size, width, 2)
            metrics = our_metrics(width, KID)
            sets = [embedded(part, metrics) for part in features]
            before = resident("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
            if which == THEIRS:
                score_theirs(*features)
            else:
                score_ours(sets[0], sets[1], metrics)
    pipe.send(resident("VmHWM") - before)


def peak_memory(n: int, dim: int, which: str, threads: int) -> float:
    """Return the MiB that a contender takes in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=measure_memory, args=(n, dim, which, threads, there))
    process.start()
    taken: float = here.recv()
    process.join()
    return taken


@click.command()
@click.option("--n", default=10_000, show_default=True, help="Generated samples.")
@click.option("--dim", default=2048, show_default=True, help="Length of a feature vector.")
@click.option("--repeats", default=5, show_default=True, help="Evaluations by each contender.")
@click.option("--threads", default=2, show_default=True, help="Threads of torch and numpy.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder to write metrics.csv into.")
def main(n: int, dim: int, repeats: int, threads: int, output: Path | None) -> None:
    """Print what each contender takes, and the ratios."""
    torch.set_num_threads(threads)
    rows: list[list[object]] = []

    def tell(name: str, n_real: int, what: str, value: float, against: float | None) -> None:
        ratio = round(against / value, 2) if against else ""
        rows.append([name, n, n_real, what, round(value, 2), ratio])
        click.echo(f"{name:<50} {n} against {n_real}: {value:8.2f} {what:<12} {f'{ratio} times less' if ratio else ''}")

    taken = {which: peak_memory(n, dim, which, threads) for which in (THEIRS, OURS)}
    for name, value in taken.items():
        tell(name, n, "MiB", value, taken[THEIRS])
    with threadpoolctl.threadpool_limits(threads):
        for n_real in (n, 2 * n):
            seconds = measure_seconds(n, n_real, dim, repeats)
            for name, values in seconds.items():
                base = seconds.get(name.removesuffix(SECOND) if name.endswith(SECOND) else THEIRS, (None, None))
                for what, value, against in zip(("seconds", "CPU seconds"), values, base, strict=True):
                    tell(name, n_real, what, value, against)
    if output:
        output.mkdir(parents=True, exist_ok=True)
        with (output / "metrics.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["contender", "n_fake", "n_real", "unit", "median", "times_less"])
            writer.writerows(rows)


if __name__ == "__main__":
    main()
