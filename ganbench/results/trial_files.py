"""The files of a stored trial, written and read.

    trial.json            the trial, with the schema that it was written by
    result.json           how it ended
    scores.csv            a row for each metric at each evaluation
    findings.json         what the diagnoses found
    output.txt            the end of what it printed, if it printed anything
    history.parquet       the history: a column for each signal, NaN where it was not measured
    weights.safetensors   the weights
    best.safetensors      those of G at its best score, if the suite asks for them; metadata: the score and its step
    samples.png           a picture of generated samples
    snapshots/STEP.png    the same noise at each evaluation before the last
    nearest.png           of images: the first generated ones, and below them the nearest training images

A trial is written to a hidden folder first and then renamed, so that readers never see half of one. Reading names a file
that is damaged, and understands the names and forms that earlier versions wrote.
"""

from __future__ import annotations

import csv
import io
import shutil
import uuid
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..contract import renamed
from ..contract.failures import RENAMED_VERDICTS, Status
from ..contract.files import describe_os_error, write_atomically
from ..contract.records import Artifacts, Finding, History, NonFinite, Remedy, Score, Trial, TrialResult, WiringFault
from ..suite.trial_id import SCHEMA, trial_id

SCORE_FIELDS = [f.name for f in fields(Score)]
MAX_NUMBERS = 100_000_000  # in a history; a few bytes of Parquet may stand for any number of equal ones
MAX_STEPS = 2**53  # above, a float64 cannot hold every integer


class UnreadableTrial(Exception):
    """A stored trial is damaged, or of a newer schema; the message names the file and what is wrong."""


class NewerTrial(UnreadableTrial):
    """A stored trial is of a newer schema: it is whole, and must not be replaced."""


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
    left_out: dict[str, str] = field(default_factory=dict)
    parameters_g: int = 0
    parameters_d: int = 0
    captured: str = ""


@dataclass(frozen=True)
class _Schema:
    """The version of a file's format; files of the first one do not state it."""

    schema: Annotated[int, msgspec.Meta(ge=1)] = 1


@dataclass(frozen=True)
class _HistoryFacts:
    """What history.parquet says beside its columns."""

    steps: Annotated[int, msgspec.Meta(ge=1)]
    nonfinite: NonFinite | None = None
    breakdown: NonFinite | None = None  # the former name of `nonfinite`
    wiring: tuple[WiringFault, ...] = ()


@dataclass(frozen=True)
class _Readable:
    """A result without its arrays, as its files say it."""

    trial: Trial
    facts: ResultFacts
    scores: tuple[Score, ...]
    findings: tuple[Finding, ...]

    def to_result(self) -> TrialResult:
        return TrialResult(trial=self.trial, **vars(self.facts), scores=self.scores, findings=self.findings)


_READABLE = msgspec.msgpack.Decoder(_Readable)


# --- writing -----------------------------------------------------------------------------------------


def write_trial(folder: Path, result: TrialResult) -> None:
    """Write a result as `folder`, replacing an older one."""
    hidden = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    hidden.mkdir(parents=True)
    from safetensors import SafetensorError

    try:
        _write_files(hidden, result)
    except SafetensorError as error:  # which hides what the system said in its text
        shutil.rmtree(hidden, ignore_errors=True)
        raise OSError(f"{folder} cannot be written: {describe_os_error(error)}") from error
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


def rewrite_trial(folder: Path) -> None:
    """Rewrite a stored trial's trial.json by the present schema."""
    write_atomically(folder / "trial.json", _encode_trial(read_trial(folder)))


def encode_json(record: object) -> bytes:
    """Return a record as JSON, indented for people to read."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def _write_files(folder: Path, result: TrialResult) -> None:
    facts = ResultFacts(**{f.name: getattr(result, f.name) for f in fields(ResultFacts)})
    (folder / "trial.json").write_bytes(_encode_trial(result.trial))
    (folder / "result.json").write_bytes(encode_json(facts))
    (folder / "scores.csv").write_text(_encode_scores(result.scores), encoding="utf-8")
    (folder / "findings.json").write_bytes(encode_json(result.findings))
    if result.output:
        (folder / "output.txt").write_text(result.output, encoding="utf-8", errors="replace")
    if result.artifacts is not None:
        _write_arrays(folder, result.artifacts)


def _encode_trial(trial: Trial) -> bytes:
    content = msgspec.to_builtins(trial)
    del content["checkpoints"]  # of the run, not of the trial
    return encode_json({"schema": SCHEMA, **content})


def _encode_scores(scores: tuple[Score, ...]) -> str:
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
    facts: dict[str, Any] = {"steps": history.steps, "nonfinite": history.nonfinite}
    if history.wiring:
        facts["wiring"] = history.wiring
    table = pa.table({name: pa.array(column) for name, column in history.columns.items()})
    table = table.replace_schema_metadata({"ganbench": msgspec.json.encode(facts)})
    pq.write_table(table, folder / "history.parquet")
    if artifacts.weights:
        save_file({name: array.copy() for name, array in artifacts.weights.items()}, folder / "weights.safetensors")
    if (best := artifacts.best) is not None:
        about = msgspec.json.encode({"metric": best.metric, "step": best.step, "value": best.value}).decode()
        arrays = {name: array.copy() for name, array in best.weights.items()}
        save_file(arrays, folder / "best.safetensors", {"ganbench": about})
    if artifacts.samples is not None and artifacts.reals is not None:
        from .picture import draw_nearest, draw_samples

        draw_samples(artifacts.samples, artifacts.reals, folder / "samples.png")
        for step, samples in artifacts.snapshots.items():
            (folder / "snapshots").mkdir(exist_ok=True)
            draw_samples(samples, artifacts.reals, folder / "snapshots" / f"{step}.png")
        if artifacts.nearest is not None:
            draw_nearest(artifacts.samples, artifacts.nearest, folder / "nearest.png")


# --- reading -----------------------------------------------------------------------------------------


def read_trial(folder: Path) -> Trial:
    """Return a stored trial, under its present id. Raise UnreadableTrial if it is damaged, NewerTrial if of a newer schema."""
    path = folder / "trial.json"
    stored = _decode_json(path, _Schema)
    if stored.schema > SCHEMA:
        raise NewerTrial(f"{path}: {explain_newer_schema(stored.schema)}")
    trial: Trial = _decode_json(path, Trial)
    return trial if stored.schema == SCHEMA else replace(trial, id=trial_id(trial))


def explain_newer_schema(schema: int) -> str:
    """Say what to do about a file of a schema that this version does not know."""
    return f"written by a newer ganbench (schema {schema}; this one reads up to {SCHEMA}); upgrade ganbench"


def read_result(folder: Path) -> TrialResult:
    """Return a stored result without its arrays. Raise UnreadableTrial if it is damaged or of a newer schema."""
    trial = read_trial(folder)
    facts = _decode_json(folder / "result.json", ResultFacts)
    facts = replace(facts, verdicts=tuple(RENAMED_VERDICTS.get(verdict, verdict) for verdict in facts.verdicts))
    scores, findings = tuple(_read_scores(folder / "scores.csv")), _read_findings(folder / "findings.json")
    return _Readable(trial, facts, scores, findings).to_result()


def encode_result(result: TrialResult) -> bytes:
    """Return a result without its arrays as MessagePack."""
    facts = ResultFacts(**{f.name: getattr(result, f.name) for f in fields(ResultFacts)})
    return msgspec.msgpack.encode(_Readable(result.trial, facts, result.scores, result.findings))


def decode_result(encoded: bytes | msgspec.Raw) -> TrialResult:
    """Return the result that `encode_result` encoded. Raise msgspec.MsgspecError if it is damaged."""
    return _READABLE.decode(encoded).to_result()


def read_history(folder: Path) -> History:
    """Return the history of a stored trial.

    Raises:
        UnreadableTrial: If history.parquet is missing, damaged or not ganbench's, holds no observation or columns that are
            not numbers, or has no column `step` of step counts that never decrease.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "history.parquet"
    try:
        with pq.ParquetFile(path) as file:
            if (n := file.metadata.num_rows * file.metadata.num_columns) > MAX_NUMBERS:
                raise ValueError(f"it holds {n:.2g} numbers, and no history has more than {MAX_NUMBERS:.0e}")
            table = file.read()
        facts = _read_history_facts(table)
        return History(_read_history_columns(table), facts.steps, facts.nonfinite or facts.breakdown, facts.wiring)
    except FileNotFoundError as error:
        raise UnreadableTrial(f"{path}: there is no such file") from error
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UnreadableTrial(f"{path}: {error}") from error


def _read_history_facts(table: Any) -> _HistoryFacts:
    """Return what is stored beside the columns. Raise ValueError if ganbench did not write it."""
    stored = (table.schema.metadata or {}).get(b"ganbench")
    if stored is None:
        raise ValueError("not a history of ganbench: its schema has no metadata 'ganbench' (steps and nonfinite)")
    try:
        return msgspec.json.decode(stored, type=_HistoryFacts)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"its metadata 'ganbench' is damaged: {error}") from error


def _read_history_columns(table: Any) -> dict[str, Any]:
    """Return the columns by name, nulls as NaN. Raise ValueError if a diagnosis cannot read them."""
    import pyarrow as pa

    names = table.column_names
    if not table.num_rows:
        raise ValueError("it has no rows: nothing was observed")
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"it has several columns called {repeated[0]!r}")
    if "step" not in names:
        raise ValueError(f"it has no column 'step' among its {len(names)} columns")
    for column in table.schema:
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise ValueError(f"column {column.name!r} holds {column.type}, not numbers")
    columns = {name: table.column(name).to_numpy() for name in names}
    columns["step"] = _check_steps(columns["step"])
    return columns


def _check_steps(column: Any) -> Any:
    """Return steps as integers. Raise ValueError if they are not counts, or decrease."""
    import numpy as np

    counts = np.isfinite(column) & (column == np.trunc(column)) & (column >= 0) & (column < MAX_STEPS)
    if not counts.all():
        raise ValueError(f"column 'step' holds {column[~counts][0]}, which is not a number of steps")
    if (decreases := np.flatnonzero(column[1:] < column[:-1])).size:
        at = decreases[0]
        raise ValueError(f"column 'step' goes back from {column[at]:.0f} to {column[at + 1]:.0f}")
    return column.astype(np.int64, copy=False)


def _read_findings(path: Path) -> tuple[Finding, ...]:
    """Return stored findings. Earlier versions wrote remedies as text, and other names of evidence."""
    findings = _decode_json(path, list[dict[str, Any]])
    for finding in findings:
        if isinstance(remedy := finding.get("remedy"), str):
            finding["remedy"] = msgspec.to_builtins(Remedy.parse(remedy))
        if isinstance(evidence := finding.get("evidence"), dict):
            finding["evidence"] = {renamed.EVIDENCE.get(name, name): value for name, value in evidence.items()}
    try:
        return msgspec.convert(findings, tuple[Finding, ...])
    except msgspec.ValidationError as error:
        raise UnreadableTrial(f"{path}: {error}") from error


def _read_scores(path: Path) -> list[Score]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [msgspec.convert(row, Score, strict=False) for row in rows]
    except (OSError, ValueError, csv.Error, msgspec.MsgspecError) as error:
        raise UnreadableTrial(f"{path}: {error}") from error


def _decode_json(path: Path, type_: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, not UTF-8, or of another form
        raise UnreadableTrial(f"{path}: {error}") from error
