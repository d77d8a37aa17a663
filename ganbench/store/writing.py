"""Writing: into a hidden place first, then moved to where readers look."""

from __future__ import annotations

import csv
import io
import shutil
import uuid
from dataclasses import dataclass, fields
from pathlib import Path

import msgspec

from ..records import Artifacts, Score, Status, TrialResult

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
        _fill(hidden, result)
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


def _fill(hidden: Path, result: TrialResult) -> None:
    (hidden / "trial.json").write_bytes(to_json(result.trial))
    (hidden / "result.json").write_bytes(to_json(_facts(result)))
    (hidden / "scores.csv").write_text(_scores_csv(result.scores), encoding="utf-8")
    (hidden / "findings.json").write_bytes(to_json(result.findings))
    if result.output:
        (hidden / "output.txt").write_text(result.output, encoding="utf-8", errors="replace")
    if result.artifacts is not None:
        _write_arrays(hidden, result.artifacts)


def to_json(record: object) -> bytes:
    """A record as JSON that a person can read too."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


@dataclass(frozen=True)
class Facts:
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


def _facts(result: TrialResult) -> Facts:
    return Facts(**{f.name: getattr(result, f.name) for f in fields(Facts)})


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
    facts = {"steps": history.steps, "breakdown": history.breakdown}
    table = pa.table({name: pa.array(column) for name, column in history.columns.items()})
    table = table.replace_schema_metadata({"ganbench": msgspec.json.encode(facts)})
    pq.write_table(table, folder / "history.parquet")
    if artifacts.weights:
        save_file({name: array.copy() for name, array in artifacts.weights.items()}, folder / "weights.safetensors")
    if artifacts.samples is not None and artifacts.reals is not None:
        from .picture import draw

        draw(artifacts.samples, artifacts.reals, folder / "samples.png")
