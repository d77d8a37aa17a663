"""The results of remedies: treatments.csv, a row per trial and arm, and summary.csv, cure rates and harm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...contract.files import write_atomically
from ...contract.records import TrialResult
from ...results.statistics import Array, wilson_interval
from .cases import outcome_of
from .controls import Treatment
from .plan import TreatPlan

UNTREATED = "untreated"
TREATMENTS = [
    *("trial", "dataset", "method", "seed", "arm", "diagnosis", "remedy", "cured", "harmed"),
    *("failures_before", "failures_after", "status", "judged_by", "treated", "note"),
]
SUMMARY = [
    *("arm", "diagnosis", "n", "cured", "harmed", "rate", "low", "high"),
    *("n_pairs", "difference", "difference_low", "difference_high"),
]
COUNTS = ("n", "cured", "harmed", "n_pairs")
RESAMPLES = 2000  # of a bootstrap


def treatments_table(treatments: Sequence[Treatment], results: Mapping[str, TrialResult]) -> pd.DataFrame:
    """Return a row for each arm of each trial, for those whose results, by id, are there.

    An arm without a remedy counts as the trial ended; so does a trial that was not rerun unchanged.
    """
    return pd.DataFrame([row for t in treatments if (row := _row(t, results)) is not None], columns=TREATMENTS)


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each arm and diagnosis, and for `all`.

    `rate` is the share of trials cured, of healthy ones the share harmed, with its 95 % Wilson interval; `difference`
    is how much more of the same trials the recommended remedies cured than the random ones.
    """
    rows = [row for arm, group in table.groupby("arm", sort=False) for row in _of_arm(str(arm), group, table)]
    return pd.DataFrame(rows, columns=SUMMARY).astype(dict.fromkeys(COUNTS, "Int64"))  # integers where there is a value


def _row(treatment: Treatment, results: Mapping[str, TrialResult]) -> dict[str, object] | None:
    case, made, note = treatment.case, treatment.trial, treatment.note
    result = results.get(made.id) if made else None
    status: str
    if result is not None:
        after, status, treated = outcome_of(result), result.status, result.trial.id
    elif made and treatment.arm != "unchanged":
        return None  # not done yet
    elif made:
        after, status, treated, note = case.before, case.result.status, "", "as stored"
    else:
        after, status, treated = case.before, UNTREATED, ""
    well = after is not None and not after.failed
    by = case.before.by if after is None else after.by
    return {
        "trial": case.trial.id,
        "dataset": case.trial.dataset,
        "method": case.trial.method,
        "seed": case.trial.seed,
        "arm": treatment.arm,
        "diagnosis": treatment.diagnosis,
        "remedy": str(treatment.remedy),
        "cured": None if treatment.arm == "healthy" else well,
        "harmed": not well if treatment.arm == "healthy" else None,
        "failures_before": ";".join(case.before.failures),
        "failures_after": ";".join(after.failures) if after else "",
        "status": status,
        "judged_by": by,
        "treated": treated,
        "note": note,
    }


def _of_arm(arm: str, group: pd.DataFrame, table: pd.DataFrame) -> Iterator[dict[str, object]]:
    counted = "harmed" if arm == "healthy" else "cured"
    for diagnosis in ("all", *sorted(group.diagnosis.unique())):
        mine = group if diagnosis == "all" else group[group.diagnosis == diagnosis]
        count, n = int(mine[counted].sum()), len(mine)
        low, high = wilson_interval(count, n)
        row = {"arm": arm, "diagnosis": diagnosis, "n": n, counted: count, "rate": count / n, "low": low, "high": high}
        yield row | (_against_random(mine, table) if arm == "recommended" else {})


def _against_random(mine: pd.DataFrame, table: pd.DataFrame) -> dict[str, object]:
    """The paired difference of cure rates, with a 95 % bootstrap over recipes: seeds of one recipe go together."""
    pairs = mine.merge(table[table.arm == "random"], on="trial", suffixes=("", "_random"))
    if pairs.empty:
        return {"n_pairs": 0}
    gain = pairs.cured.astype(float) - pairs.cured_random.astype(float)
    per_recipe = gain.groupby([pairs.dataset, pairs.method]).agg(["sum", "count"]).to_numpy()
    low, high = _interval(per_recipe)
    return {"n_pairs": len(pairs), "difference": gain.mean(), "difference_low": low, "difference_high": high}


def _interval(per_recipe: Array) -> tuple[float, float]:
    """Percentile bootstrap of a mean from (sum, count) of each group; not a number below two groups."""
    if len(per_recipe) < 2:
        return math.nan, math.nan
    rows = np.random.default_rng(0).integers(len(per_recipe), size=(RESAMPLES, len(per_recipe)))
    sums, counts = per_recipe[rows].sum(axis=1).T
    low, high = np.percentile(sums / counts, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True)
class Tables:
    """The two tables, where they were written, and what could not be read for them."""

    treatments: pd.DataFrame
    summary: pd.DataFrame
    files: Sequence[Path]
    damaged: Sequence[str]


def write_tables(plan: TreatPlan) -> Tables:
    """Write treatments.csv and summary.csv: for the chosen trials and those that an earlier command has treated."""
    ids = [t.trial.id for t in plan.treatments if t.trial]
    read, damaged = plan.store.results(ids)
    results = {result.trial.id: result for result in read}
    started = plan.chosen | {t.case.trial.id for t in plan.treatments if t.trial and t.trial.id in results}
    treatments = treatments_table([t for t in plan.treatments if t.case.trial.id in started], results)
    summary = summary_table(treatments)
    files = []
    for name, table in (("treatments.csv", treatments), ("summary.csv", summary)):
        files.append(plan.store.folder / name)
        write_atomically(files[-1], table.to_csv(index=False, lineterminator="\n").encode())
    return Tables(treatments, summary, files, damaged)
