"""Fits the weights of the calibrated diagnoses on recordings of the zoo, folders that `ganbench score` wrote.

    python -m ganbench.zoo.fit weights RECORDINGS... [--treated SUMMARY]
    python -m ganbench.zoo.fit transfer RECORDINGS

`weights` looks at the development part alone and writes `calibration.json`, which is all that the diagnoses use; with
the summary.csv of `ganbench treat` it keeps how each remedy has fared. `transfer` prints how well weights that were
fitted on one data set do on another; nothing of it is used by the diagnoses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

import ganbench

from ..builtin.diagnoses.calibrated import CALIBRATION_FILE, MIN_AGE, Model
from ..builtin.diagnoses.readings import probed_rows, read_evidence, until

# The readings that each model weighs: those whose meaning says on which side the failure lies.
READINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "overpowering-discriminator": {
        "now": (
            "d_log_margin",
            "lead_times_deficit",
            "coverage_deficit",
            "distance_gain",
            "log_motion",
            "gain_with_smooth_d",
        ),
        "end": ("d_log_margin", "lead_times_deficit", "coverage_deficit", "log_motion", "gain_with_smooth_d"),
    },
    "weak-discriminator": {
        "now": ("missed_by_d", "auc_d", "log_motion"),
        "end": ("missed_by_d", "auc_d", "distance", "empty_bins"),
    },
    "mode-collapse": {
        "now": ("coverage_deficit", "empty_bins", "distance", "spread"),
        "end": ("coverage_deficit", "empty_bins", "distance", "spread"),
    },
    "oscillation": {
        "now": ("oscillation_index", "distance"),
        "end": ("oscillation_index", "distance"),
    },
    "memorization": {"now": ("memory_gap", "copy_ratio"), "end": ("memory_gap", "copy_ratio")},
}
KNOWN_AT_END = ("oscillation",)  # failures whose state is known at the end alone
FOLDS = 8
INVERSE_REGULARIZATION = 0.3  # C of scikit-learn
MAX_FALSE_ALARM_RATE = 0.02  # of whole healthy runs, which sets the threshold of a forecast
FORECAST_THRESHOLDS = (0.75, 0.98)  # bounds of that threshold
MIN_STATE_THRESHOLD, MAX_STATE_THRESHOLD = 0.2, 0.8  # bounds of the threshold of a state

TRANSFER_DATASETS = ("ring", "grid", "digits", "stacked-digits")
TRANSFER_FAILURES = ("overpowering-discriminator", "weak-discriminator", "mode-collapse")

HeldOutFolds = Sequence[tuple[pd.DataFrame, Model]]  # runs, each part with a model fitted on the others


@click.group()
def main() -> None:
    """Fit the weights of the calibrated diagnoses on recordings of the zoo."""


@main.command()
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--treated", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="summary.csv of a treatment."
)
def weights(recordings: tuple[Path, ...], treated: Path | None) -> None:
    """Fit on the development part of RECORDINGS, one folder or several, and write calibration.json."""
    table = pd.concat([read_numbers(folder) for folder in recordings], ignore_index=True)
    models = {
        diagnosis: {horizon: fit(table, diagnosis, horizon, names) for horizon, names in by_horizon.items()}
        for diagnosis, by_horizon in READINGS.items()
    }
    fitted = {"models": models, "track_records": read_track_records(treated) if treated else {}}
    CALIBRATION_FILE.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{CALIBRATION_FILE}: fitted on {table['run'].nunique()} runs")


def read_track_records(summary: Path) -> dict[str, str]:
    """Return how the remedy against each failure has fared in the zoo, by failure."""
    table = pd.read_csv(summary)
    mine = table[(table["arm"] == "recommended") & table["diagnosis"].isin([*READINGS, "divergence"])]
    return {
        str(
            row.diagnosis
        ): f"cured {row.cured:.0f} of {row.n:.0f} failed runs of the zoo ({row.low:.0%} to {row.high:.0%})"
        for row in mine.itertuples()
    }


def read_numbers(recordings: Path, part: str = "development") -> pd.DataFrame:
    """Return a row for each run of `part` and fraction of its budget: the readings by then, and the truth."""
    runs = pd.read_parquet(recordings / "runs.parquet").set_index("run")
    runs = runs[runs["part"] == part]
    states = pd.read_parquet(recordings / "states.parquet").set_index(["run", "fraction"])
    recorded = pd.read_parquet(recordings / "histories.parquet")
    rows: list[dict[str, Any]] = []
    run: Any
    for run, table in recorded[recorded["run"].isin(runs.index)].groupby("run", sort=False):
        facts: Any = runs.loc[run]
        columns = {str(name): table[name].to_numpy() for name in table if name != "run"}
        history = ganbench.History(columns, int(facts["steps"]))
        for fraction in states.loc[run].index:
            state: Any
            state, end = states.loc[(run, fraction)], set(facts["ended_with"].split(";"))
            if state["divergence"]:
                continue
            past = until(history, _row_at(history, fraction))
            before = until(history, [0, *probed_rows(past)][-2])
            truth = {f"now {d}": bool(state[d]) for d in READINGS} | {f"end {d}": d in end for d in READINGS}
            about = {"run": run, "recipe": f"{facts['recipe']} on {facts['dataset']}", "healthy": facts["healthy"]}
            rows.append(
                about | {"fraction": fraction} | read_evidence(past) | truth | _prefix_before(read_evidence(before))
            )
    return pd.DataFrame(rows)


def _row_at(history: ganbench.History, fraction: float) -> int:
    """The observation nearest to `fraction` of the budget, at which runs are scored and probed."""
    return int(np.abs(history.columns["step"] - fraction * history.steps).argmin())


def _prefix_before(values: dict[str, float]) -> dict[str, float]:
    return {f"before {name}": value for name, value in values.items()}


def fit(table: pd.DataFrame, diagnosis: str, horizon: str, names: Iterable[str]) -> dict[str, Any]:
    """Return a model as `calibrated.Model` reads it, its threshold set on recipes that it was not fitted on."""
    names, truth = list(names), f"{horizon} {diagnosis}"
    if horizon == "now" and diagnosis in KNOWN_AT_END:
        table = table[table["fraction"] == 1.0]
    if not table[truth].any():
        raise click.ClickException(f"no run of the development part has {diagnosis}: nothing to fit it on")
    threshold = _threshold_of_state if horizon == "now" else _threshold_of_forecast
    folds = [
        (table.iloc[tried], Model(**_fit_logistic(table.iloc[seen], truth, names), failure=0.5))
        for seen, tried in GroupKFold(FOLDS).split(table, groups=table["recipe"])
        if table.iloc[seen][truth].any()
    ]
    return _fit_logistic(table, truth, names) | {"failure": round(threshold(folds, truth), 3)}


def _fit_logistic(table: pd.DataFrame, truth: str, names: list[str]) -> dict[str, Any]:
    """A logistic regression of `truth` on standardized readings."""
    healthy = table[table["healthy"] & (table["fraction"] >= 0.5)][names].median().fillna(0.0)
    filled = table[names].fillna(healthy)
    centre, scale = filled.mean(), filled.std().clip(lower=1e-3)
    standard = ((filled - centre) / scale).clip(-4, 4)
    model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=5000).fit(standard, table[truth].to_numpy(bool))
    weights = pd.Series(model.coef_[0], index=names)
    return {
        "weights": _plain(weights),
        "centre": _plain(centre),
        "scale": _plain(scale),
        "healthy": _plain(healthy),
        "bound": _plain(_bounds(table[table["healthy"] & (table["fraction"] == 1.0)][names], weights)),
        "intercept": float(model.intercept_[0]),
    }


def _bounds(healthy: pd.DataFrame, weights: Any) -> Any:
    """The bound within which 95 % of healthy runs end, on the side that the weight makes suspect."""
    return pd.Series(
        {str(name): healthy[name].quantile(0.95 if weights[name] > 0 else 0.05) for name in healthy}
    ).fillna(0.0)


def _threshold_of_state(folds: HeldOutFolds, truth: str) -> float:
    """The threshold with the best F1 on the states of finished runs; the median of those that tie."""
    probability, true = [], []
    for table, model in folds:
        ended = table[table["fraction"] == 1.0]
        probability += [model.probability(row) for row in _rows(ended)]
        true += list(ended[truth])
    candidates = np.arange(MIN_STATE_THRESHOLD, MAX_STATE_THRESHOLD, 0.01)
    found = np.array(probability) >= candidates[:, None]
    f1 = 2 * (found & np.array(true, bool)).sum(axis=1) / (found.sum(axis=1) + sum(true))
    return float(np.median(candidates[f1 == f1.max()]))


def _threshold_of_forecast(folds: HeldOutFolds, truth: str) -> float:
    """The threshold that few whole healthy runs ever reach at two probes in a row, once they are old enough."""
    highest = []
    for table, model in folds:
        going = table[table["healthy"] & (table["fraction"] < 1.0) & (table["fraction"] >= MIN_AGE)]
        steady = [
            min(model.probability(row), model.probability({name: row[f"before {name}"] for name in model.weights}))
            for row in _rows(going)
        ]
        highest += list(pd.Series(steady, index=going["run"], dtype=float).groupby(level=0).max())
    return float(np.clip(np.quantile(highest, 1 - MAX_FALSE_ALARM_RATE) + 0.01, *FORECAST_THRESHOLDS))


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _plain(series: Any) -> dict[str, float]:
    return {str(name): float(np.round(value, 4)) for name, value in series.items()}


@main.command()
@click.argument("recordings", type=click.Path(path_type=Path, exists=True, file_okay=False))
def transfer(recordings: Path) -> None:
    """Print how well each state model does on data sets that it was not fitted on."""
    table = pd.concat([read_numbers(recordings, part) for part in ("development", "held-out")])
    on = table["recipe"].str.rpartition(" on ")[2]
    click.echo(f"{'failure':<28} {'fitted on':<16}tested on " + "  ".join(f"{name:>14}" for name in TRANSFER_DATASETS))
    for diagnosis in TRANSFER_FAILURES:
        for dataset in TRANSFER_DATASETS:
            model = Model(**fit(table[on == dataset], diagnosis, "now", READINGS[diagnosis]["now"]))
            cells = (f"{_auroc(model, table[on == other], diagnosis):14.3f}" for other in TRANSFER_DATASETS)
            click.echo(f"{diagnosis:<28} {dataset:<25} " + "  ".join(cells))


def _auroc(model: Model, runs: pd.DataFrame, diagnosis: str) -> float:
    true = runs[f"now {diagnosis}"].to_numpy(bool)
    probability = [model.probability({str(k): v for k, v in row.items()}) for row in runs.to_dict("records")]
    return float(roc_auc_score(true, np.nan_to_num(probability))) if 0 < true.sum() < len(true) else np.nan


if __name__ == "__main__":
    main()
