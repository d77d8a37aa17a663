"""The tables of a treatment, made from what its folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..store import write_atomically
from .planning import Plan
from .tables import summary_table, treatments_table


@dataclass(frozen=True)
class Tables:
    """The two tables, where they were written, and what could not be read for them."""

    treatments: pd.DataFrame
    summary: pd.DataFrame
    files: Sequence[Path]
    damaged: Sequence[str]


def write_tables(plan: Plan) -> Tables:
    """Write treatments.csv and summary.csv: of the trials chosen, and of those that an earlier command has treated."""
    ids = [t.trial.id for t in plan.treatments if t.trial]
    read, damaged = plan.store.results(ids)
    results = {result.trial.id: result for result in read}
    begun = plan.chosen | {t.case.trial.id for t in plan.treatments if t.trial and t.trial.id in results}
    treatments = treatments_table([t for t in plan.treatments if t.case.trial.id in begun], results)
    summary = summary_table(treatments)
    files = []
    for name, table in (("treatments.csv", treatments), ("summary.csv", summary)):
        files.append(plan.store.folder / name)
        write_atomically(files[-1], table.to_csv(index=False, lineterminator="\n").encode())
    return Tables(treatments, summary, files, damaged)
