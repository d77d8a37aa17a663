"""Measure what an executor adds to short trials, and that those that fail touch no other.

    python benchmarks/cluster_trials.py '{ name = "ray" }' [--trials 200] [--output FOLDER]
    python benchmarks/cluster_trials.py '{ name = "slurm", trials_per_job = 25, poll = 0.5 }'

About 5 % of the trials raise, 5 % kill their process and 2 % hang. Each row must end as its trial is meant to, and the
scores of all others be those of the executor `inline`, which runs the same trials without faults. The time of a trial
beyond its own is what the run took, as often as trials ran at once (`--at-once`), less what the trials took.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cluster_runs import numbers, run_suite, seconds_of_trials, statuses, write_suite

FAULTS = '{ name = "failing", raises = 5, dies = 5, hangs = 2 }'
RUN_SECONDS = 7200.0


@click.command()
@click.argument("executor")
@click.option("--trials", default=200, help="How many.")
@click.option("--steps", default=20, help="Of each.")
@click.option("--timeout", default=30.0, help="Seconds after which one that hangs is ended.")
@click.option("--at-once", default=2, help="How many trials ran side by side.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A folder for both runs.")
def main(executor: str, trials: int, steps: int, timeout: float, at_once: int, output: Path) -> None:
    """Run the trials by an executor, given as a suite gives it, and by `inline`."""
    kinds = {"mixed": FAULTS}
    suite = write_suite(output / "suite", executor, kinds, seeds=trials, steps=steps, timeout=timeout)
    began = time.perf_counter()
    code, printed = run_suite(suite, output / "run", timeout=RUN_SECONDS)
    took = time.perf_counter() - began
    if code not in (0, 1):
        raise click.ClickException(printed)
    whole = {"mixed": '{ name = "failing" }'}
    inline = write_suite(output / "inline suite", '"inline"', whole, seeds=trials, steps=steps, timeout=timeout)
    run_suite(inline, output / "inline", timeout=RUN_SECONDS)
    ended = statuses(output / "run")
    expected, found = _scores(output / "inline"), _scores(output / "run")
    equal = sum(found[key] == expected.get(key) for key in found)
    own = seconds_of_trials(output / "run")
    hung = sum(status == "timeout" for status in ended.values())
    beyond = (took * at_once - own - hung * timeout) / trials
    click.echo(f"{len(ended)} rows of {trials}: {dict(Counter(ended.values()))}")
    click.echo(f"{equal} of {len(found)} scores equal inline's")
    click.echo(f"{took:.0f} s with {at_once} at once; trials {own:.0f} s; {beyond:.2f} s more for each")


def _scores(folder: Path) -> dict[tuple[str, ...], str]:
    rows = numbers(folder)["report/scores.csv"]
    return {(row["seed"], row["step"], row["metric"]): row["value"] for row in rows}


if __name__ == "__main__":
    main()
