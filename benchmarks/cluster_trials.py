"""Measure what an executor adds to short trials, and that those that fail touch no other.

    python benchmarks/cluster_trials.py '{ name = "ray" }' [--trials 200] [--output FOLDER]
    python benchmarks/cluster_trials.py '{ name = "slurm", trials_per_job = 25, poll = 0.5 }'

About 5 % of the trials raise, 5 % kill their process and 2 % hang. The executor `inline` runs the same trials, where all of
these raise and say what they would have done elsewhere: each row must end as that says, for its own reason, and what the
CSV files say of all others, and of the comparison, must be the same but for timings. The time of a trial beyond its own is
what the run took, as often as trials ran at once (`--at-once`), less what the trials took. The exit code is 1 if anything
differs.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cluster_runs import numbers, run_suite, seconds_of_trials, write_suite

RAISES, DIES, HANGS = 5, 5, 2  # percent
FAULTS = f'{{ name = "failing", raises = {RAISES}, dies = {DIES}, hangs = {HANGS} }}'
ALL_RAISE = f'{{ name = "failing", raises = {RAISES + DIES + HANGS} }}'
SAID = re.compile(r"failed at its fifth call, with (\d+)")
# Of a trial that fails: how it ends, and what its reason must say.
RAISED, DIED, HUNG = ("error", "failed at its fifth call"), ("error", "died"), ("timeout", "not done after")
RUN_SECONDS = 7200.0
# What says where or with which options a trial ran, not what came of it.
OF_PLACE = {"id", "trial", "device", "threads", "status", "reason"}


@click.command()
@click.argument("executor")
@click.option("--trials", default=200, help="How many.")
@click.option("--steps", default=20, help="Of each.")
@click.option("--timeout", default=30.0, help="Seconds after which one that hangs is ended.")
@click.option("--at-once", default=2, help="How many trials ran side by side.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A folder for both runs.")
def main(executor: str, trials: int, steps: int, timeout: float, at_once: int, output: Path) -> None:
    """Run the trials by an executor, given as a suite gives it, and by `inline`."""
    suite = write_suite(output / "suite", executor, {"mixed": FAULTS}, seeds=trials, steps=steps, timeout=timeout)
    began = time.perf_counter()
    code, printed = run_suite(suite, output / "run", timeout=RUN_SECONDS)
    took = time.perf_counter() - began
    if code not in (0, 1):
        raise click.ClickException(printed)
    inline = write_suite(
        output / "inline suite", '"inline"', {"mixed": ALL_RAISE}, seeds=trials, steps=steps, timeout=timeout
    )
    run_suite(inline, output / "inline", timeout=RUN_SECONDS)
    found, expected = numbers(output / "run"), numbers(output / "inline")
    fates = {row["seed"]: _fate(row["reason"]) for row in expected["report/trials.csv"]}
    ended = {row["seed"]: (row["status"], row["reason"]) for row in found["report/trials.csv"]}
    wrong = [seed for seed, fate in fates.items() if not _is_as_meant(ended.get(seed), fate)]
    click.echo(f"{len(ended)} rows of {trials}: {dict(Counter(status for status, _ in ended.values()))}")
    click.echo(f"{len(fates) - len(wrong)} of {len(fates)} rows end as they are meant to")
    for seed in wrong:
        click.echo(f"  seed {seed}: {ended.get(seed)}, and {fates[seed]} is meant")
    whole = [seed for seed, fate in fates.items() if fate is None]
    different = [name for name in sorted(expected) if name.startswith("report/")]
    different = [name for name in different if _rows(found.get(name), whole) != _rows(expected[name], whole)]
    click.echo(f"files of the report that differ from inline's: {', '.join(different) or 'none'}")
    own = seconds_of_trials(output / "run")
    hung = sum(status == "timeout" for status, _ in ended.values())
    beyond = (took * at_once - own - hung * timeout) / trials
    click.echo(f"{took:.0f} s with {at_once} at once; trials {own:.0f} s; {beyond:.2f} s more for each")
    if wrong or different:
        raise SystemExit(1)


def _fate(reason: str) -> tuple[str, str] | None:
    """How a trial must end elsewhere, by what `inline` says of it; None if it must be done."""
    said = SAID.search(reason)
    if said is None:
        return None
    return RAISED if (fate := int(said[1])) < RAISES else DIED if fate < RAISES + DIES else HUNG


def _is_as_meant(ended: tuple[str, str] | None, fate: tuple[str, str] | None) -> bool:
    if ended is None:
        return False
    status, reason = fate or ("done", "")
    return ended[0] == status and reason in ended[1]


def _rows(rows: list[dict[str, Any]] | None, seeds: list[str]) -> list[dict[str, Any]]:
    """The rows of a table, of a trial's those of these seeds, without what says where it ran."""
    kept = [row for row in rows or [] if row.get("seed", seeds[0]) in seeds]
    return [{key: cell for key, cell in row.items() if key not in OF_PLACE} for row in kept]


if __name__ == "__main__":
    main()
