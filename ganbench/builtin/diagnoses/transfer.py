"""How weights travel between data sets: `python -m ganbench.builtin.diagnoses.transfer RECORDINGS`.

The state models are fitted on all runs of one data set and tried on all of another; printed is the AUROC over all
probes, one line for each failure and data set that was fitted on. Nothing of it is used by the diagnoses.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from .calibrate import NUMBERS, fit, numbers_of
from .calibrated import Model

DATASETS = ("ring", "grid", "digits", "stacked-digits")
TRIED = ("overpowering-discriminator", "weak-discriminator", "mode-collapse")


@click.command()
@click.argument("recordings", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(recordings: Path) -> None:
    """Print how well each state model does on data sets that it was not fitted on."""
    table = pd.concat([numbers_of(recordings, part) for part in ("development", "held-out")])
    on = table["recipe"].str.rpartition(" on ")[2]
    click.echo(
        "failure                      fitted on        tried on " + "  ".join(f"{name:>14}" for name in DATASETS)
    )
    for diagnosis in TRIED:
        for dataset in DATASETS:
            model = Model(**fit(table[on == dataset], diagnosis, "now", NUMBERS[diagnosis]["now"]))
            cells = (f"{_auroc(model, table[on == other], diagnosis):14.3f}" for other in DATASETS)
            click.echo(f"{diagnosis:<28} {dataset:<25} " + "  ".join(cells))


def _auroc(model: Model, runs: pd.DataFrame, diagnosis: str) -> float:
    true = runs[f"now {diagnosis}"].to_numpy(bool)
    said = [model.probability({str(k): v for k, v in row.items()}) for row in runs.to_dict("records")]
    return float(roc_auc_score(true, np.nan_to_num(said))) if 0 < true.sum() < len(true) else np.nan


if __name__ == "__main__":
    main()
