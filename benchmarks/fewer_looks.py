"""Score the diagnoses on recordings of which fewer looks are kept, as `ganbench.Monitor` takes them of a short run.

    python benchmarks/fewer_looks.py [RECORDINGS...]

A monitor leaves out observations and probes where they would cost more than their share. Here the same are left out of
recorded runs whose truth is known, without training: their last observations stay, and their last probes. Printed are, for
each number of looks, macro-F1 of final verdicts, how many runs that ended well are accused of a failure, and how many
failures are found, rightly and wrongly. What smaller probes change is not seen here: recordings have large ones.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd

from ganbench.builtin.diagnoses.readings import probed_rows
from ganbench.contract.records import History
from ganbench.monitor.schedule import REDUCED_LOOKS
from ganbench.registry.registry import load_registry
from ganbench.zoo.score import dataset
from ganbench.zoo.score.diagnosers import OWN, Diagnoser, diagnosers
from ganbench.zoo.score.evaluate import COLUMNS, rows_at_end
from ganbench.zoo.score.recordings import Recording
from ganbench.zoo.score.tables import verdict_table

REFERENCE = Path(__file__).parents[1] / "results" / "reference"
RECORDINGS = tuple(REFERENCE / name / "recordings" for name in ("failures", "failures-pictures", "elsewhere"))


def keep_last(history: History, observations: int, probes: int) -> History:
    """Return a history with its last observations and probes alone; a run that ended early keeps all."""
    steps = history.columns["step"]
    if steps[-1] < history.steps:
        return history
    columns = {name: np.array(values, copy=True) for name, values in history.columns.items()}
    probed = probed_rows(history)
    between = np.delete(np.arange(len(steps)), probed)
    for values in columns.values():
        if values.dtype.kind == "f" and not np.isfinite(values[between]).any():  # what probes alone measure
            values[probed[:-probes]] = np.nan
    kept = np.zeros(len(steps), dtype=bool)
    kept[-observations:] = True
    kept[probed[-probes:]] = True
    return History({name: values[kept] for name, values in columns.items()}, history.steps, None, history.wiring)


def describe(recordings: list[Recording], diagnoser: Diagnoser, looks: tuple[int, int] | None) -> str:
    """Return a line about the verdicts on recordings of so many observations and probes; of all with None."""
    rows = []
    for recording in recordings:
        history = recording.history if looks is None else keep_last(recording.history, *looks)
        rows += rows_at_end(recording, history, diagnoser)
    table = pd.DataFrame(rows, columns=COLUMNS)
    verdicts = verdict_table(table).query("verdict == 'macro'").set_index("part")["f1"]
    final = table[table["horizon"] == "end"]
    healthy = final[final["healthy"]].groupby("run")["alarm"].any()
    right, wrong = (int((final["alarm"] & (final["true"] == true)).sum()) for true in (True, False))
    f1 = ", ".join(f"{verdicts[part]:.2f} {part}" for part in sorted(verdicts.index))
    return (
        f"macro-F1 {f1}; accused {int(healthy.sum())} of {len(healthy)} that ended well; "
        f"found {right} of {int(final['true'].sum())} failures, and {wrong} that are none"
    )


@click.command()
@click.argument("recordings", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(recordings: tuple[Path, ...]) -> None:
    """Print a line for each number of looks, of the committed recordings unless others are named."""
    own = next(d for d in diagnosers(load_registry())[0] if d.name == OWN)
    levels = dict.fromkeys((observations, probes) for observations, probes, _ in REDUCED_LOOKS)
    for folder in recordings or RECORDINGS:
        found = dataset.read(folder)
        click.echo(f"{folder.parent.name}: {len(found)} runs")
        for looks in (None, *levels):
            name = "all looks" if looks is None else f"{looks[0]} and {looks[1]} probes"
            click.echo(f"  {name:<16} {describe(found, own, looks)}")


if __name__ == "__main__":
    main()
