"""Recordings from outside may hold anything: what is wrong is one line that names the file, the run and the column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ganbench.contract.errors import RequestError
from ganbench.registry.registry import load_registry
from ganbench.zoo.score import dataset, score

REFERENCE = Path(__file__).parents[3] / "results" / "reference" / "failures" / "recordings"
TABLES = ("runs", "states", "histories")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four of the committed recordings, one of which broke down."""
    runs = pd.read_parquet(REFERENCE / "runs.parquet")
    few = pd.concat([runs[runs["status"] == "done"].head(3), runs[runs["status"] == "diverged"].head(1)])
    for name in TABLES:
        table = pd.read_parquet(REFERENCE / f"{name}.parquet")
        table[table["run"].isin(few["run"])].to_parquet(tmp_path / f"{name}.parquet", index=False)
    return tmp_path


def rewritten(folder, name, change):
    path = folder / f"{name}.parquet"
    table = pd.read_parquet(path).reset_index(drop=True)
    table = change(table)
    table.to_parquet(path, index=False)
    return table


def put(column, value, row=7, dtype=None):
    """Another value in one row."""

    def change(table):
        at = min(row, len(table) - 1)
        cells = table[column].astype(dtype or table[column].dtype).tolist()
        cells[at] = value
        return table.assign(**{column: cells})

    return change


@pytest.mark.parametrize(
    ("name", "change", "column", "said"),
    [
        ("histories", lambda t: t.assign(loss_d="high"), "loss_d", "holds 'high', where a number is expected"),
        ("histories", lambda t: t.assign(auc_d=t["auc_d"].astype(str)), "auc_d", "where a number is expected"),
        ("histories", lambda t: t.assign(mine=pd.Timestamp(0)), "mine", "holds 1970-01-01"),
        ("histories", put("step", 5), "step", "goes back from 175 to 5"),
        ("histories", put("step", 12.5, dtype=float), "step", "holds 12.5, where a whole number of 0 or more"),
        ("histories", put("step", float("nan"), dtype=float), "step", "where a number is expected"),
        ("histories", put("step", -25, row=0), "step", "holds -25"),
        ("histories", lambda t: t.assign(step="ten"), "step", "holds 'ten', where a number is expected"),
        ("runs", lambda t: t.assign(wiring="[{"), "wiring", "Input data was truncated"),
        ("runs", lambda t: t.assign(wiring='[{"fault": 3}]'), "wiring", "Expected `str`, got `int`"),
        ("states", put("fraction", 1.5), "fraction", "holds 1.5, where a fraction from 0 to 1 is expected"),
        ("states", put("fraction", -0.1), "fraction", "holds -0.1"),
        ("states", put("fraction", float("nan")), "fraction", "holds nan"),
        ("states", lambda t: t.assign(fraction="half"), "fraction", "holds 'half'"),
        ("states", lambda t: t.assign(oscillation=0.5), "oscillation", "holds 0.5, where true or false is expected"),
        ("runs", lambda t: t.assign(steps="1000"), "steps", "holds '1000', where a number is expected"),
        ("runs", put("steps", 0), "steps", "where a whole number of 1 or more is expected"),
        ("runs", lambda t: t.assign(recipe=3), "recipe", "holds 3, where text is expected"),
        ("runs", put("ended_with", "oscilation"), "ended_with", "did you mean 'oscillation'?"),
        ("runs", put("broke_player", "generatr"), "broke_player", "did you mean 'generator'?"),
    ],
)
def test_a_wrong_cell_is_named_by_its_file_its_run_and_its_column(folder, say, name, change, column, said):
    table = rewritten(folder, name, change)
    answer = say("score", folder)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"{name}.parquet: run '" in answer.err and f"column {column!r} " in answer.err and said in answer.err
    assert any(run in answer.err for run in table["run"])
    assert not (folder / "score").exists()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("histories", lambda t: t.drop(columns="step"), "histories.parquet has no column 'step'"),
        ("histories", lambda t: t.drop(columns="run"), "histories.parquet has no column 'run'"),
        ("states", lambda t: t.drop(columns="oscillation"), "states.parquet has no column 'oscillation'"),
        ("states", lambda t: t[t["run"] != t["run"].iloc[0]], "states.parquet has no rows of run 'ring-healthy-r3-0"),
        ("histories", lambda t: t[t["run"] != t["run"].iloc[0]], "histories.parquet has no rows of run 'ring-heal"),
        ("runs", lambda t: pd.concat([t, t.head(1)]), "is listed twice"),
        ("runs", lambda t: t.head(0), "runs.parquet has no rows"),
    ],
)
def test_a_table_that_lacks_something_is_named(folder, name, change, said):
    rewritten(folder, name, change)
    with pytest.raises(RequestError) as raised:
        score.read(folder)
    assert said in str(raised.value) and str(folder) in str(raised.value)


def test_valid_recordings_are_read_whatever_type_their_numbers_have(folder):
    before = dataset.read(folder)
    rewritten(folder, "histories", lambda t: t.assign(step=t["step"].astype(float), loss_d=t["loss_d"].astype(float)))
    rewritten(folder, "runs", lambda t: t.assign(broke_at=t["broke_at"].astype("Int64")))
    rewritten(folder, "histories", lambda t: t.assign(never=None))
    after = dataset.read(folder)
    assert [r.labels for r in after] == [r.labels for r in before]
    assert [r.history.nonfinite for r in after] == [r.history.nonfinite for r in before]
    assert all(set(a.history.columns) == set(b.history.columns) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_recordings_without_one_of_their_tables_are_refused(folder, say, name):
    (folder / f"{name}.parquet").unlink()
    answer = say("score", folder)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert f"there is no {name}.parquet in it" in answer.err and "`ganbench score` of the run" in answer.err


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("at", ["README.md", "states.parquet", "histories.parquet", "runs.parquet"])
def test_interrupted_writing_leaves_no_recordings_that_look_complete(folder, monkeypatch, tmp_path, at, existed):
    recordings = dataset.read(folder)
    target = tmp_path / "recordings"
    if existed:
        dataset.write(recordings, target)
    replace = Path.replace

    def killed(path, to):
        if Path(to).name == at:
            raise KeyboardInterrupt
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        dataset.write(recordings[:2], target)
    monkeypatch.undo()
    with pytest.raises(RequestError):
        score.read(target)
    assert not [path.name for path in target.iterdir() if path.name.startswith(".")]
    dataset.write(recordings, target)
    assert len(score.read(target)[0]) == len(recordings)


@pytest.fixture(scope="module")
def made() -> score.Scoring:
    runs = dataset.read(REFERENCE)[:1]
    registry = load_registry()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "read", lambda folder: (runs, []))
        return score.score(REFERENCE, registry)


def test_tables_and_the_page_are_written_atomically(made, tmp_path, monkeypatch):
    files = score.write(made, tmp_path)
    assert files[0] == tmp_path / "index.html" and {file.name for file in tmp_path.iterdir()} == {f.name for f in files}
    for file in files:
        file.write_text("old")
    write = Path.write_bytes

    def disk_full(path, content):
        write(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(OSError, match=r"/index\.html'") as raised:
        score.write(made, tmp_path)
    assert raised.value.filename == str(files[0])
    assert {file: file.read_text() for file in tmp_path.iterdir()} == dict.fromkeys(files, "old")
