"""Recordings as a data set: three Parquet tables and a datasheet, for anybody's diagnoser, with or without ganbench."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from ...contract.errors import RequestError
from ...contract.files import write_atomically
from ...contract.records import History, NonFinite, WiringFault
from ..ground_truth.labels import FAILURES, Labels
from .recordings import Recording
from .validate import Table, check_histories, check_runs, check_states

RUNS, STATES, HISTORIES = "runs.parquet", "states.parquet", "histories.parquet"
# Column names are those of published recordings: `kinds` counts modes, `broke_*` is where numbers stopped being finite.
NONFINITE_COLUMNS = ["broke_at", "broke_player", "broke_layer", "broke_what"]


def write(recordings: Sequence[Recording], folder: Path) -> None:
    """Write the tables and the datasheet into `folder`, in place of older ones.

    The table of runs is removed first and written last, so that a folder whose writing was interrupted is never taken
    for complete, nor for a mixture of old and new.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = pd.DataFrame([_run(recording) for recording in recordings])
    states = pd.DataFrame([row for recording in recordings for row in _states(recording)])
    histories = pd.concat([_history(recording) for recording in recordings], ignore_index=True)
    tables = ((STATES, states), (HISTORIES, histories), (RUNS, runs))
    contents = {name: table.to_parquet(None, index=False, compression="zstd") for name, table in tables}
    (folder / RUNS).unlink(missing_ok=True)
    write_atomically(folder / "README.md", Path(__file__).with_name("datasheet.md").read_bytes())
    for name, content in contents.items():
        write_atomically(folder / name, content)


def is_begun(folder: Path) -> bool:
    """Return whether there are tables in `folder`, complete or not."""
    return any((folder / name).is_file() for name in (RUNS, STATES, HISTORIES))


def read(folder: Path) -> list[Recording]:
    """Read the recordings in `folder`. Raises RequestError naming the file that is missing or damaged."""
    try:
        runs, states, histories = (_table(folder, name) for name in (RUNS, STATES, HISTORIES))
        check_runs(runs)
        check_states(states, runs.rows["run"])
        check_histories(histories, runs.rows["run"])
        by_run, state_of = (dict(iter(table.rows.groupby("run", sort=False))) for table in (histories, states))
        return [_recording(row, by_run[row["run"]], state_of[row["run"]]) for _, row in runs.rows.iterrows()]
    except ValueError as error:
        raise RequestError(f"{folder} holds no recordings that can be read: {error}") from error


def _table(folder: Path, name: str) -> Table:
    """Raises ValueError for a file that is gone or damaged."""
    try:
        return Table(name, pd.read_parquet(folder / name))
    except FileNotFoundError:
        why = "writing was interrupted, or it was deleted: `ganbench score` of the run writes it again"
        raise ValueError(f"there is no {name} in it ({why})") from None
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{name}: {error}") from error


def _run(recording: Recording) -> dict[str, object]:
    nonfinite = recording.history.nonfinite
    return {
        "run": recording.run,
        "dataset": recording.dataset,
        "recipe": recording.recipe,
        "family": recording.family,
        "loss": recording.loss,
        "network": recording.network,
        "seed": recording.seed,
        "part": recording.part,
        "status": recording.status,
        "kinds": recording.n_modes,
        "steps": recording.history.steps,
        "seconds": recording.seconds,
        "healthy": recording.labels.healthy,
        "ended_with": ";".join(sorted(recording.labels.end)),
        **{f"onset:{failure}": recording.labels.onset.get(failure) for failure in FAILURES},
        "broke_at": nonfinite.step if nonfinite else None,
        "broke_player": nonfinite.player if nonfinite else None,
        "broke_layer": nonfinite.layer if nonfinite else None,
        "broke_what": nonfinite.what if nonfinite else None,
        "wiring": msgspec.json.encode(recording.history.wiring).decode(),
    }


def _states(recording: Recording) -> list[dict[str, object]]:
    return [
        {"run": recording.run, "fraction": fraction, **{failure: failure in present for failure in FAILURES}}
        for fraction, present in recording.labels.state.items()
    ]


def _history(recording: Recording) -> pd.DataFrame:
    columns = {
        name: np.asarray(values, dtype=np.int64 if name == "step" else np.float32)
        for name, values in recording.history.columns.items()
    }
    return pd.DataFrame({"run": recording.run, **columns})


def _recording(run: Any, rows: pd.DataFrame, states: pd.DataFrame) -> Recording:
    measured = rows.drop(columns="run").dropna(axis="columns", how="all")
    columns = {name: measured[name].to_numpy(float, na_value=np.nan) for name in measured.columns}
    columns["step"] = rows["step"].to_numpy(np.int64)
    nonfinite = None
    if pd.notna(run["broke_at"]):
        nonfinite = NonFinite(int(run["broke_at"]), *(run[name] for name in NONFINITE_COLUMNS[1:]))
    end = frozenset(run["ended_with"].split(";")) - {""}
    state = {
        float(row["fraction"]): frozenset(failure for failure in FAILURES if row[failure])
        for _, row in states.iterrows()
    }
    onset = {f: int(run[f"onset:{f}"]) for f in FAILURES if pd.notna(run[f"onset:{f}"])}
    return Recording(
        run=run["run"],
        dataset=run["dataset"],
        recipe=run["recipe"],
        loss=run["loss"],
        seed=int(run["seed"]),
        status=run["status"],
        n_modes=int(run["kinds"]),
        history=History(columns, int(run["steps"]), nonfinite, _wiring(run)),
        labels=Labels(state, end, onset),
        seconds=float(run["seconds"]),
        network=str(run.get("network", "")),  # not in recordings of earlier versions
    )


def _wiring(run: Any) -> tuple[WiringFault, ...]:
    """Bugs of the program; none in recordings of earlier versions. Raises ValueError for a cell that holds no such."""
    cell = run.get("wiring")
    try:
        return msgspec.json.decode(cell if isinstance(cell, str) else "[]", type=tuple[WiringFault, ...])
    except msgspec.MsgspecError as error:
        where = f"{RUNS}: run {run['run']!r}: column 'wiring'"
        raise ValueError(f"{where} holds {cell!r:.60}, where a list of bugs is expected ({error})") from error
