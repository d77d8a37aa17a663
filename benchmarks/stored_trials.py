"""Measure how reports and loading grow with the number of stored trials.

    python benchmarks/stored_trials.py results/basic [--trials 1000 --trials 10000] [--more 10] [--output FOLDER]

The trials of a run are stored again under further seeds, until there are as many as asked for: their scores are changed
a little, their arrays and pictures are the same files. For each number of trials: the seconds and the peak memory of
`ganbench report` and of `ganbench.load`, each in a process of its own, and those of a second report after a few trials
more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click

from ganbench.contract.records import TrialResult
from ganbench.results.store import Store
from ganbench.results.trial_files import write_trial
from ganbench.suite.trial_id import trial_id

SHIFT = 1e-3  # of scores from copy to copy, relative, so that no two seeds are equal
TASKS = {
    "report": ["-m", "ganbench", "report"],
    "load": ["-c", "import sys, ganbench; ganbench.load(sys.argv[1])"],
}


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--trials", "counts", type=int, multiple=True, default=(1000, 10_000), help="Numbers of trials.")
@click.option("--more", type=int, default=10, help="Trials stored between the two reports.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Where the trials are made; removed at the end if not given."
)
def main(folder: Path, counts: tuple[int, ...], more: int, output: Path | None) -> None:
    """Measure reports of many stored trials."""
    source = Store(folder)
    results, _ = source.results()
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = output or Path(scratch) / "run"
        click.echo("trials  task            seconds  CPU s  peak MiB")
        for count in sorted(counts):
            store_copies(source, results, made, count)
            for task in TASKS:
                print_measured(count, task, made)
            store_copies(source, results, made, count + more)
            print_measured(count + more, "report", made)


def store_copies(source: Store, results: list[TrialResult], made: Path, count: int) -> None:
    """Store the results again under further seeds, until the folder lists `count`; what is there is kept."""
    store = Store(made)
    facts = source.facts()
    copies = [copy_of(result, index // len(results)) for index, result in cycle(results, count)]
    with store.begin_run({**facts, "trials": [copy.trial.id for copy in copies]}, source.environment()):
        for (_, original), copy in zip(cycle(results, count), copies, strict=True):
            target = store.trials / copy.trial.id
            if target.is_dir():
                continue
            write_trial(target, copy)
            link_arrays(source.folder_of(original.trial.id), target)


def cycle(results: list[TrialResult], count: int) -> list[tuple[int, TrialResult]]:
    """Return `count` results, from the first again after the last, each with its index."""
    return [(index, results[index % len(results)]) for index in range(count)]


def copy_of(result: TrialResult, round_: int) -> TrialResult:
    """Return a result as that of another seed."""
    trial = replace(result.trial, seed=result.trial.seed + 1000 * round_)
    scores = tuple(replace(s, value=s.value * (1 + SHIFT * (hash((round_, trial.seed)) % 97))) for s in result.scores)
    return replace(result, trial=replace(trial, id=trial_id(trial)), scores=scores)


def link_arrays(original: Path, target: Path) -> None:
    """Link the files of arrays and pictures of a trial into another's folder."""
    for file in original.rglob("*"):
        copy = target / file.relative_to(original)
        if file.is_file() and not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            os.link(file, copy)


def print_measured(count: int, task: str, folder: Path) -> None:
    """Print the seconds and the peak memory of a task in a process of its own."""
    seconds, cpu, peak = measure(TASKS[task], folder)
    click.echo(f"{count:6}  {task:14}  {seconds:7.1f}  {cpu:5.1f}  {peak:8.0f}")


def measure(arguments: list[str], folder: Path) -> tuple[float, float, float]:
    """Return the wall seconds, the CPU seconds and the peak MiB of a Python process with these arguments and a folder."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments, str(folder)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"{' '.join(arguments)} ended with exit code {process.returncode}")
    bytes_ = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, bytes_ / 2**20


if __name__ == "__main__":
    main()
