"""Logs as they are after crashes and restarts are read as far as they go; what is no log costs one clear line."""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ganbench import RequestError
from ganbench.logs.columns import ROWS_PER_CHUNK
from ganbench.logs.downsample import CAPACITY, Gathered
from ganbench.logs.history import to_history
from ganbench.logs.log import Log, what_was_read
from ganbench.logs.read import read_logs
from ganbench.logs.rules import apply_rules

STEPS = range(0, 1000, 10)


def log_of(path) -> Log:
    (log,) = read_logs(path).logs
    return log


def test_after_a_restart_what_was_written_later_counts_and_that_is_said(write_csv):
    steps = [*range(60), *range(40, 80)]
    log = log_of(write_csv(step=steps, d_loss=[*[1.0] * 60, *[2.0] * 40]))
    series = log.series["loss_d"]
    assert list(series.steps) == list(range(80)) and list(series.values) == [1.0] * 40 + [2.0] * 40
    assert "step goes back from 59 to 40" in " ".join(log.notes) and "written later counts" in " ".join(log.notes)


def test_a_crash_that_a_restart_went_back_behind_is_no_divergence(diagnose, write_csv):
    losses = [*[0.7] * 50, *["nan"] * 10, *[0.7] * 60]
    said = diagnose(write_csv(step=[*range(60), *range(40, 100)], loss_d=losses, loss_g=losses))
    assert set(said.findings) == {"inconclusive"} and "starts again" in said.err


def test_rows_in_no_order_are_put_in_order(write_csv):
    steps = np.random.default_rng(0).permutation(500)
    log = log_of(write_csv(step=steps, d_loss=steps / 100))
    assert list(log.series["loss_d"].steps) == list(range(500)) and "put in the order" in " ".join(log.notes)
    newest_first = log_of(write_csv(step=range(500, 0, -1), d_loss=range(500)))
    assert len(newest_first.series["loss_d"]) == 500


def test_gaps_and_columns_logged_at_different_steps(write_csv):
    steps = [step for step in STEPS if not 300 < step < 800]
    fid = [50.0 if step % 100 == 0 else None for step in steps]
    log = log_of(write_csv(step=steps, d_loss=[0.7] * len(steps), g_loss=[0.9] * len(steps), fid=fid))
    assert list(log.series["fid"].steps) == [0, 100, 200, 300, 800, 900]
    assert "a gap: nothing between step 300 and 800" in log.notes
    history = to_history(log)
    assert history.steps == 990 and len(history.columns["step"]) == len(steps)
    assert np.isfinite(history.columns["fid"]).sum() == 6 and history.columns["step"].dtype == np.int64


def test_without_a_step_column_rows_are_counted_and_that_is_said(write_csv):
    log = log_of(write_csv(d_loss=[0.5] * 30))
    assert list(log.series["loss_d"].steps) == list(range(1, 31)) and log.unit == "row"
    assert "no column counts steps: rows are counted instead" in log.notes


@pytest.mark.parametrize("step", ["nan", "inf", "-inf", "", "soon"])
def test_where_the_step_column_never_holds_a_number_rows_are_counted_and_that_is_said_once(write_csv, diagnose, step):
    path = write_csv(step=[step] * 30, loss_d=[0.5 + i / 100 for i in range(30)], loss_g=[0.7] * 30)
    log = log_of(path)
    assert list(log.series["loss_d"].steps) == list(range(1, 31)) and log.unit == "row"
    said = diagnose(path)
    assert said.code == 0 and "arning" not in said.err  # of numpy's, which a user can do nothing about
    assert said.err.count("column 'step' never holds a number: rows are counted instead") == 1


def test_rows_before_the_first_step_stand_at_its_beginning_however_many_they_are(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = ['{"step": NaN, "d_loss": 1}'] * (ROWS_PER_CHUNK + 3) + [
        f'{{"step": {i}, "d_loss": 0.5}}' for i in range(1, 40)
    ]
    path.write_text("\n".join(rows))
    log = log_of(path)
    assert log.unit == "step" and not log.notes
    series = log.series["loss_d"]
    assert (series.steps[series.values == 1] == 0).all() and list(series.steps[series.values == 0.5]) == [*range(1, 40)]


def test_a_log_of_one_moment_is_diagnosed_without_a_word_from_numpy(write_csv, diagnose):
    path = write_csv(step=[0] * 30, loss_d=[0.5] * 30, loss_g=[0.7] * 30)
    said = diagnose(path)
    assert said.code == 0 and "arning" not in said.err
    assert to_history(log_of(path)).steps == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_of_columns_with_one_name_the_first_is_read_and_that_is_said_once(tmp_path, diagnose, kind):
    path = tmp_path / f"log.{kind}"
    if kind == "csv":
        lines = ["step,loss_d,loss_d,loss_g", *(f"{i},0.5,3,0.7" for i in range(30))]
        path.write_text("\n".join(lines))
    else:
        columns = [pa.array(range(30)), *(pa.array([value] * 30) for value in (0.5, 3.0, 0.7))]
        pq.write_table(pa.Table.from_arrays(columns, ["step", "loss_d", "loss_d", "loss_g"]), path)
    log = log_of(path)
    assert set(log.series["loss_d"].values) == {0.5} and set(log.series["loss_g"].values) == {0.7}
    said = diagnose(path)
    assert said.code == 0 and said.err.count("several columns are called loss_d: the first is read") == 1


def test_a_rule_above_a_table_is_no_header(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("\n".join(["==== ====", "step loss_d", *(f"{i} 0.5" for i in range(30))]))
    assert log_of(path).recognised == ("loss_d",)


def test_epochs_that_are_fractions_stay_apart(write_csv):
    log = log_of(write_csv(epoch=[i / 4 for i in range(40)], d_loss=[0.5] * 40))
    assert log.unit == "epoch" and len(to_history(log).columns["step"]) == 40


def test_of_two_columns_for_one_thing_the_longer_is_read_and_the_other_named(write_csv):
    log = log_of(write_csv(step=STEPS, val_fid=[1.0, *[None] * 99], fid50k=[2.0] * 100))
    assert set(log.series["fid"].values) == {2.0}
    assert "not read, since another column means the same: val_fid" in log.notes


def test_outputs_of_d_are_probabilities_only_where_they_can_be(write_csv):
    inside = log_of(write_csv(step=STEPS, D_real=[0.9] * 100, D_fake=[0.1] * 100))
    outside = log_of(write_csv(step=STEPS, D_real=[0.9] * 100, D_fake=[-0.1] * 100))
    assert inside.recognised == ("d_real", "d_fake") and outside.recognised == ("score_real", "score_fake")


def test_a_long_series_is_thinned_out_but_for_extremes_and_what_is_not_finite():
    rng = np.random.default_rng(0)
    values = rng.normal(size=30 * CAPACITY)
    odd = rng.choice(len(values), 500, replace=False)
    values[odd[:300]], values[odd[300]], values[odd[301]] = np.nan, 1e9, -1e9
    gathered = Gathered("x")
    for begin in range(0, len(values), 7919):
        part = values[begin : begin + 7919]
        gathered.extend(np.arange(begin, begin + len(part)), part)
        assert sum(map(len, [gathered._held, *gathered._waiting])) < 4 * CAPACITY
    kept = gathered.series()
    assert gathered.thinned and CAPACITY // 2 < len(kept) < 2 * CAPACITY + 500
    assert np.isnan(kept.values).sum() == 300 and {1e9, -1e9} <= set(kept.values)
    assert kept.steps[-1] == len(values) - 1 and (np.diff(kept.steps) > 0).all()
    assert abs(kept.finite.median()) < 0.05


def test_a_series_that_is_never_finite_is_bounded_too():
    gathered = Gathered("x")
    for begin in range(0, 10 * CAPACITY, CAPACITY):
        gathered.extend(np.arange(begin, begin + CAPACITY), np.full(CAPACITY, np.nan))
    assert CAPACITY <= len(gathered.series()) < 3 * CAPACITY


def test_a_table_of_very_many_columns_keeps_those_it_knows(tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"x{i}" for i in range(5000)]
    path.write_text("\n".join([",".join(["step", *names, "d_loss"]), *[",".join(["1"] * 5002)] * 30]))
    log = log_of(path)
    assert log.recognised == ("loss_d",) and len(log.series) <= 200 and len(what_was_read(log)) < 300


def test_names_that_would_play_with_a_terminal_are_made_plain(tmp_path, diagnose):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "d_loss": 0.5, "\\u001b[2J\\ud800\\n": 1}\n' * 20)
    said = diagnose(path, as_json=False)
    assert said.code == 0 and "not recognised: ?[2J??" in said.err and "\x1b" not in said.err + said.out


NO_LOGS = {
    "empty.csv": (b"", "it is empty"),
    "blank.csv": (b"\n\n  \n", "blank lines"),
    "one.csv": (b"step,loss_d\n", "a single line"),
    "numbers.csv": (b"1,0.5,0.7\n2,0.4,0.6\n", "its first line does not name its columns"),
    "houses.csv": (
        b"rooms,price\n3,100\n4,200\n",
        "none of its columns (rooms, price) is a signal that ganbench knows",
    ),
    "binary.csv": (bytes(range(256)) * 40, "a binary file"),
    "zeros.log": (b"\0" * 5000, "a binary file"),
    "model.pkl": (pickle.dumps({"step": 1}), "a pickle, which ganbench never opens"),
    "log.csv.gz": (b"\x1f\x8b\x08\0\0", "unpack it first"),
    "weights.pt": (b"PK\x03\x04" + b"\0" * 99, "a zip archive"),
    "prose.txt": (b"We trained a GAN.\nIt did not go well.\n", "a plain text is read with a pattern, as in --pattern"),
    "list.json": (b'[\n{"step": 1}\n]\n', "it is not one JSON object a line"),
    "broken.parquet": (b"PAR1" + b"\0" * 50, "it cannot be read as Parquet"),
    "history.parquet": (b"PAR1" + b"\0" * 50, "history.parquet: "),
    "events.out.tfevents.0": (b"what is this" * 9, "holds no whole record"),
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_what_is_no_log_is_said_in_one_line(tmp_path, diagnose, name):
    content, line = NO_LOGS[name]
    path = tmp_path / name
    path.write_bytes(content)
    said = diagnose(path)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"ganbench: {path}: ") and line in said.err


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["gone.csv"], "gone.csv is not there; give a run's folder, or a log (CSV,"),
        (["/dev/null"], "/dev/null is neither a file nor a folder"),
        (["none"], "holds no run: there is no suite.json in it, and no log that can be read"),
        (["text.log", "--pattern", "("], "is no regular expression: missing )"),
        (["text.log", "--pattern", "loss"], "has no named group; as in --pattern 'step (?P<step>"),
        (
            ["text.log", "--pattern", "(?P<los_d>.)"],
            "names no signal that ganbench knows, but 'los_d'; did you mean 'loss_d'?",
        ),
        (
            ["text.log", "--pattern", r"(?P<step>\d+) (?P<los_d>\S+)"],
            "names no signal that ganbench knows, but 'los_d'; did you mean 'loss_d'?",
        ),
        (
            ["text.log", "--pattern", r"(?P<step>\d+)"],
            "reads 'step' alone, which counts steps; name a signal too, such as loss_d, loss_g or fid, "
            r"as in --pattern 'step (?P<step>\d+).* loss_d (?P<loss_d>\S+)",
        ),
        (["text.log", "--pattern", "(?P<loss_d>zzz)"], "the pattern is found in none of its lines"),
        (["text.log", "--pattern", "(?P<loss_d>[a-z]+)"], "none of its rows is a signal"),
    ],
)
def test_a_wrong_request_is_answered_in_one_line(tmp_path, monkeypatch, diagnose, arguments, line):
    monkeypatch.chdir(tmp_path)
    Path("none").mkdir()
    Path("text.log").write_text("loss 0.5\n" * 9)
    said = diagnose(*arguments)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1) and line in said.err


def test_in_a_folder_what_cannot_be_read_is_named_and_the_rest_is_read(tmp_path, diagnose, write_csv):
    write_csv("good.csv", step=STEPS, d_loss=[0.7] * 100)
    (tmp_path / "bad.csv").write_bytes(os.urandom(999))
    (tmp_path / ".hidden.csv").write_text("step,d_loss\n1,2\n")
    said = diagnose(tmp_path)
    assert said.finding["trial"] == "good" and re.search(r"left out: \S+bad\.csv: it is a binary file", said.err)


def test_nothing_of_a_pickle_runs(tmp_path, diagnose):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    (tmp_path / "trap.csv").write_bytes(pickle.dumps(Trap(), protocol=0))
    (tmp_path / "trap.jsonl").write_bytes(pickle.dumps(Trap()))
    assert diagnose(tmp_path).code == 2 and not (tmp_path / "sprung").exists()


FRAGMENTS = st.sampled_from(
    [
        *(
            "step",
            "loss_d",
            "D(x)",
            "fid",
            ",",
            ";",
            "\t",
            "\n",
            "\r\n",
            '"',
            "{",
            "}",
            ":",
            "nan",
            "inf",
            "1e999",
            "-1",
        ),
        *("\0", "[", "'", " ", "epoch", "é", "\u2028", '{"step": 1, "loss_d": ', "1" * 400, "tensor(", "#", "1_0", "٣"),
    ]
)
CONTENT = st.one_of(
    st.binary(max_size=300), st.lists(FRAGMENTS, max_size=60).map(lambda parts: "".join(parts).encode())
)
NAMES = ["log.csv", "log.jsonl", "log.txt", "x.parquet", "history.parquet", "events.out.tfevents.1"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONTENT, st.sampled_from(NAMES), st.sampled_from(["", "utf-16", "utf-8-sig"]))
@example(b"step,loss_d\n1e300,1e308\n-1e300,-1e308\n" * 9, "log.csv", "")
@example(b'{"step": 1e400, "loss_d": 1' + b"0" * 400 + b'}\n{"a":' * 3, "log.jsonl", "")
@example(b"[" * 100_000 + b"\n", "log.jsonl", "")
def test_no_bytes_give_anything_but_findings_or_one_line(content, name, encoding):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content.decode("latin-1").encode(encoding) if encoding else content)
        try:
            found = read_logs(path)
        except RequestError as error:
            assert str(path) in str(error)
            return
        for log in found.logs:
            assert what_was_read(log) and to_history(log).steps is not None
            assert all(0 <= finding.confidence <= 1 for finding in apply_rules(log))


NUMBERS = st.one_of(st.floats(), st.none(), st.sampled_from([0.0, 1.0, 1e-320, 1e308, -1e308]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, *[NUMBERS] * 6), min_size=2, max_size=60))
def test_no_numbers_break_a_verdict(rows):
    header = "step,loss_d,loss_g,d_real,d_fake,fid,sign_real"
    lines = [",".join("" if cell is None else repr(cell) for cell in row) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.csv")
        path.write_text("\n".join([header, *lines]))
        try:
            (log,) = read_logs(path).logs
        except RequestError:
            return
        assert to_history(log).columns and all(finding.summary for finding in apply_rules(log))
