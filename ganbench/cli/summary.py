"""Prints the comparison as tables in the terminal at the end of a run."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from ..contract.components import Comparison
from ..contract.failures import NO_FAILURE_FOUND, Status
from .console import console_width

FINISHED = [status.value for status in Status if status.finished]
STYLES = {"best": "bold green", "equivalent": "green", "worse": "red", "inconclusive": "dim"}


def show_comparison(comparison: Comparison) -> None:
    """Print a table for each data set: methods by rank, a column for each metric, and failures."""
    from rich.console import Console

    console = Console(width=console_width(), highlight=False)
    for note in comparison.damaged:
        console.print(f"left out: {note}", markup=False)
    skipped = comparison.trials[comparison.trials.status == "skipped"]
    for row in skipped.drop_duplicates(["dataset", "method", "reason"]).itertuples():
        console.print(f"skipped: {row.method} on {row.dataset}: {row.reason}", markup=False)
    for dataset in comparison.trials.dataset.unique():
        console.print(_table(comparison, dataset))


def _table(comparison: Comparison, dataset: str) -> Any:
    from rich.table import Table
    from rich.text import Text

    trials = comparison.trials[comparison.trials.dataset == dataset]
    rows = comparison.comparison[comparison.comparison.dataset == dataset].dropna(subset="metric")
    metrics = list(dict.fromkeys(rows.metric))
    table = Table(
        title=Text(dataset, style="bold"), title_justify="left", caption=_legend(rows), caption_justify="left"
    )
    table.add_column("method", no_wrap=True)
    for metric in metrics:
        arrow = "↑" if rows[rows.metric == metric].better.iloc[0] == "higher" else "↓"
        table.add_column(Text(f"{metric} {arrow}".replace(".", "\n.")), justify="right", no_wrap=True)
    table.add_column("failed", justify="right")
    table.add_column("verdicts")
    floors = [Text(_number(rows[rows.metric == metric].floor.mean()), style="italic dim") for metric in metrics]
    for method in _by_rank(trials, rows):
        mine = rows[rows.method == method].set_index("metric")
        cells = [_cell(mine.loc[metric]) if metric in mine.index else Text("") for metric in metrics]
        table.add_row(Text(method), *cells, *_health(trials[trials.method == method]))
    table.add_row(Text("real against real", style="italic dim"), *floors, "", "")
    return table


def _by_rank(trials: pd.DataFrame, rows: pd.DataFrame) -> list[str]:
    """Methods by their mean rank over the metrics, those without any score last."""
    ranks = rows.groupby("method")["rank"].mean()
    return sorted(trials.method.unique(), key=lambda method: (ranks.get(method, math.inf), method))


def _cell(row: pd.Series) -> Any:
    from rich.text import Text

    return Text(f"{_number(row.iqm)} #{row['rank']}", style=STYLES.get(row.verdict, ""))


def _health(trials: pd.DataFrame) -> tuple[Any, Any]:
    from rich.text import Text

    counts = trials.verdicts[trials.status.isin(FINISHED)].str.split(";").explode().value_counts()
    words = [f"{name} {count}" for name, count in counts.items() if name and name != NO_FAILURE_FOUND]
    others = trials.status[~trials.status.isin(FINISHED)].value_counts()
    words += [f"{status} {count}" for status, count in others.items()]
    ran = trials[trials.status != "skipped"]
    style = "red" if ran.failed.any() else "green"
    return Text(f"{ran.failed.sum()}/{len(ran)}", style=style), Text(", ".join(words) or NO_FAILURE_FOUND, style=style)


def _legend(rows: pd.DataFrame) -> str:
    seeds = int(rows.n_seeds.max()) if len(rows) else 0
    text = "interquartile mean over seeds, #rank"
    if 0 < seeds < 4:
        text += f"; {seeds} seeds cannot show a difference at 5 %, five can: --seeds 5"
    return text


def _number(value: float) -> str:
    return "" if not math.isfinite(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
