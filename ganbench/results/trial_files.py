"""Writing: into a hidden place first, then moved to where readers look.

Reading what was stored. A file that is not as it was written is named, not guessed at.
"""

from __future__ import annotations

import csv
import io
import shutil
import uuid
from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..contract import renamed
from ..contract.failures import Status
from ..contract.records import Artifacts, Finding, History, NonFinite, Remedy, Score, Trial, TrialResult
from ..suite.trial_id import SCHEMA, trial_id

SCORE_FIELDS = [f.name for f in fields(Score)]


def write_atomically(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, never a part. An OSError names `path`; nothing of it stays behind."""
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        hidden.write_bytes(content)
        hidden.replace(path)
    except BaseException as error:
        hidden.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None
        raise


def write_trial(folder: Path, result: TrialResult) -> None:
    """Write a result as `folder`, in place of an older one."""
    hidden = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    hidden.mkdir(parents=True)
    try:
        _write_files(hidden, result)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    if folder.exists():
        older = folder.with_name(f"{hidden.name}.old")
        folder.replace(older)
        hidden.replace(folder)
        shutil.rmtree(older)
    else:
        hidden.replace(folder)


def _write_files(hidden: Path, result: TrialResult) -> None:
    (hidden / "trial.json").write_bytes(_trial_json(result.trial))
    (hidden / "result.json").write_bytes(to_json(_result_facts(result)))
    (hidden / "scores.csv").write_text(_scores_csv(result.scores), encoding="utf-8")
    (hidden / "findings.json").write_bytes(to_json(result.findings))
    if result.output:
        (hidden / "output.txt").write_text(result.output, encoding="utf-8", errors="replace")
    if result.artifacts is not None:
        _write_arrays(hidden, result.artifacts)


def rewrite_trial(folder: Path) -> None:
    """Write a stored trial's trial.json as the present schema has it, in place of an older one."""
    write_atomically(folder / "trial.json", _trial_json(read_trial(folder)))


def _trial_json(trial: Trial) -> bytes:
    return to_json({"schema": SCHEMA, **msgspec.to_builtins(trial)})


def to_json(record: object) -> bytes:
    """A record as JSON that a person can read too."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


@dataclass(frozen=True)
class ResultFacts:
    """What result.json says of a trial: the fields of a TrialResult that have no file of their own."""

    status: Status
    reason: str
    steps: int
    train_seconds: float
    seconds: float
    device: str
    threads: int
    origins: dict[str, str]
    verdicts: tuple[str, ...]


def _result_facts(result: TrialResult) -> ResultFacts:
    return ResultFacts(**{f.name: getattr(result, f.name) for f in fields(ResultFacts)})


def _scores_csv(scores: tuple[Score, ...]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SCORE_FIELDS)
    writer.writerows([getattr(score, name) for name in SCORE_FIELDS] for score in scores)
    return text.getvalue()


def _write_arrays(folder: Path, artifacts: Artifacts) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    history = artifacts.history
    facts = {"steps": history.steps, "nonfinite": history.nonfinite}
    table = pa.table({name: pa.array(column) for name, column in history.columns.items()})
    table = table.replace_schema_metadata({"ganbench": msgspec.json.encode(facts)})
    pq.write_table(table, folder / "history.parquet")
    if artifacts.weights:
        save_file({name: array.copy() for name, array in artifacts.weights.items()}, folder / "weights.safetensors")
    if artifacts.samples is not None and artifacts.reals is not None:
        from .picture import draw_samples

        draw_samples(artifacts.samples, artifacts.reals, folder / "samples.png")


MAX_STEPS = 2**53  # beyond it a float counts no more


class Unreadable(Exception):
    """A stored trial that is damaged; the message names the file and what is wrong."""


@dataclass(frozen=True)
class _Schema:
    """The version of a file's format; files of the first one do not state it."""

    schema: Annotated[int, msgspec.Meta(ge=1)] = 1


@dataclass(frozen=True)
class _HistoryFacts:
    """What history.parquet says beside its columns."""

    steps: Annotated[int, msgspec.Meta(ge=1)]
    nonfinite: NonFinite | None = None
    breakdown: NonFinite | None = None  # its name before


def read_trial(folder: Path) -> Trial:
    """Return a stored trial, under the id that it has today. Raises Unreadable."""
    path = folder / "trial.json"
    stored = _decode_json(path, _Schema)
    if stored.schema > SCHEMA:
        raise Unreadable(f"{path}: {newer_schema(stored.schema)}")
    trial: Trial = _decode_json(path, Trial)
    return trial if stored.schema == SCHEMA else replace(trial, id=trial_id(trial))


def newer_schema(schema: int) -> str:
    """Return the line for a file of a schema that this version does not know."""
    return f"written by a newer ganbench (schema {schema}; this one reads up to {SCHEMA}); upgrade ganbench"


def read_result(folder: Path) -> TrialResult:
    """A stored result without its arrays. Raises Unreadable."""
    trial = read_trial(folder)
    facts = _decode_json(folder / "result.json", ResultFacts)
    return TrialResult(
        trial=trial,
        **vars(facts),
        scores=tuple(_read_scores(folder / "scores.csv")),
        findings=_read_findings(folder / "findings.json"),
    )


def _read_findings(path: Path) -> tuple[Finding, ...]:
    """Stored findings, those of earlier versions among them."""
    findings = _decode_json(path, list[dict[str, Any]])
    for finding in findings:
        if isinstance(remedy := finding.get("remedy"), str):
            finding["remedy"] = msgspec.to_builtins(Remedy.parse(remedy))
        if isinstance(evidence := finding.get("evidence"), dict):
            finding["evidence"] = {renamed.EVIDENCE.get(name, name): value for name, value in evidence.items()}
    try:
        return msgspec.convert(findings, tuple[Finding, ...])
    except msgspec.ValidationError as error:
        raise Unreadable(f"{path}: {error}") from error


def read_history(folder: Path) -> History:
    """A stored history: columns of numbers, `step` among them, which never goes back.

    Raises Unreadable for one that is gone, damaged, of another program, or in which nothing was observed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "history.parquet"
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        facts = _read_history_facts(table)
        return History(_read_history_columns(table), facts.steps, facts.nonfinite or facts.breakdown)
    except FileNotFoundError as error:
        raise Unreadable(f"{path}: there is no such file") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"{path}: {error}") from error


def _read_history_facts(table: Any) -> _HistoryFacts:
    """What is stored beside the columns. Raises ValueError where that is nothing of ganbench's."""
    stored = (table.schema.metadata or {}).get(b"ganbench")
    if stored is None:
        raise ValueError("it is no history of ganbench: its schema has no metadata 'ganbench' (steps and nonfinite)")
    try:
        return msgspec.json.decode(stored, type=_HistoryFacts)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"its metadata 'ganbench' is not as it was written: {error}") from error


def _read_history_columns(table: Any) -> dict[str, Any]:
    """The columns by name, nulls as NaN. Raises ValueError for what no diagnosis can read."""
    import pyarrow as pa

    names = table.column_names
    if not table.num_rows:
        raise ValueError("it has no rows: nothing was observed")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"it has several columns called {twice[0]!r}")
    if "step" not in names:
        raise ValueError(f"it has no column 'step' among its {len(names)} columns")
    for field in table.schema:
        if not (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
            raise ValueError(f"column {field.name!r} holds no numbers but {field.type}")
    columns = {name: table.column(name).to_numpy() for name in names}
    columns["step"] = _check_steps(columns["step"])
    return columns


def _check_steps(column: Any) -> Any:
    """Steps as integers. Raises ValueError where they count nothing, or go back."""
    import numpy as np

    counts = np.isfinite(column) & (column == np.trunc(column)) & (column >= 0) & (column < MAX_STEPS)
    if not counts.all():
        raise ValueError(f"column 'step' holds {column[~counts][0]}, which is no count of steps")
    if (back := np.flatnonzero(column[1:] < column[:-1])).size:
        raise ValueError(f"column 'step' goes back from {column[back[0]]:.0f} to {column[back[0] + 1]:.0f}")
    return column.astype(np.int64, copy=False)


def _read_scores(path: Path) -> list[Score]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [msgspec.convert(row, Score, strict=False) for row in rows]
    except (OSError, ValueError, csv.Error) as error:
        raise Unreadable(f"{path}: {error}") from error


def _decode_json(path: Path, type_: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise Unreadable(f"{path}: {error}") from error
