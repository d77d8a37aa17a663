"""Files and requests that are not logs are refused in one line; no input raises anything else."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import ganbench
from ganbench import RequestError
from ganbench.logs.history import to_history
from ganbench.logs.log import describe_log
from ganbench.logs.read import read_logs
from ganbench.logs.rules import apply_rules

STEPS = range(0, 1000, 10)


NOT_LOGS = {
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
    "log.csv.gz": (b"\x1f\x8b\x08\0\0", "decompress it first"),
    "weights.pt": (b"PK\x03\x04" + b"\0" * 99, "a zip archive"),
    "prose.txt": (
        b"We trained a GAN.\nIt did not go well.\n",
        "other plain text is read with a pattern, as in --pattern",
    ),
    "list.json": (b'[\n{"step": 1}\n]\n', "it does not hold one JSON object a line"),
    "broken.parquet": (b"PAR1" + b"\0" * 50, "it cannot be read as Parquet"),
    "history.parquet": (b"PAR1" + b"\0" * 50, "history.parquet: "),
    "events.out.tfevents.0": (b"what is this" * 9, "holds no intact record"),
}


@pytest.mark.parametrize("name", NOT_LOGS)
def test_files_that_are_not_logs_are_refused_in_one_line(tmp_path, diagnose, name):
    content, line = NOT_LOGS[name]
    path = tmp_path / name
    path.write_bytes(content)
    result = diagnose(path)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith(f"ganbench: {path}: ") and line in result.err


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["gone.csv"], "gone.csv does not exist; give a run's folder, or a log (CSV,"),
        (["/dev/null"], "/dev/null is neither a file nor a folder"),
        (["none"], "holds no run: there is no suite.json in it, and no readable log"),
        (["text.log", "--pattern", "("], "is not a regular expression: missing )"),
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
            "reads only 'step', which counts steps; name a signal too, such as loss_d, loss_g or fid, "
            r"as in --pattern 'step (?P<step>\d+).* loss_d (?P<loss_d>\S+)",
        ),
        (["text.log", "--pattern", "(?P<loss_d>zzz)"], "no line matches the pattern"),
        (["text.log", "--pattern", "(?P<loss_d>[a-z]+)"], "none of its rows is a signal"),
    ],
)
def test_wrong_requests_are_refused_in_one_line(tmp_path, monkeypatch, diagnose, arguments, line):
    monkeypatch.chdir(tmp_path)
    Path("none").mkdir()
    Path("text.log").write_text("loss 0.5\n" * 9)
    result = diagnose(*arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1) and line in result.err


def test_unreadable_files_in_a_folder_are_named_and_the_rest_is_read(tmp_path, diagnose, write_csv):
    write_csv("good.csv", step=STEPS, d_loss=[0.7] * 100)
    (tmp_path / "bad.csv").write_bytes(os.urandom(999))
    (tmp_path / ".hidden.csv").write_text("step,d_loss\n1,2\n")
    result = diagnose(tmp_path)
    assert result.finding["trial"] == "good" and re.search(r"left out: \S+bad\.csv: it is a binary file", result.err)


def test_pickles_are_never_executed(tmp_path, diagnose):
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
def test_any_bytes_give_findings_or_a_request_error(content, name, encoding):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content.decode("latin-1").encode(encoding) if encoding else content)
        try:
            found = read_logs(path)
        except RequestError as error:
            assert str(path) in str(error)
            return
        for log in found.logs:
            assert describe_log(log) and to_history(log).steps is not None
            assert all(0 <= finding.confidence <= 1 for finding in apply_rules(log))


NUMBERS = st.one_of(st.floats(), st.none(), st.sampled_from([0.0, 1.0, 1e-320, 1e308, -1e308]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NUMBERS, *[NUMBERS] * 6), min_size=2, max_size=60))
def test_rules_accept_any_numbers(rows):
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


@pytest.mark.parametrize(
    "name, content",
    [
        ("wide.csv", "\t".join(f"x{i}" for i in range(100_000)) + "\n" + "\n".join(["ab\t" * 100_000] * 10)),
        ("cell.csv", "step,loss_d\n" + "\n".join("1," + "x" * 200_000 for _ in range(20))),
        ("line.csv", "1," * 5_000_000),
        ("headers.csv", "\n".join("step,loss_d,loss_g\n1,2,3" for _ in range(20_000))),
        ("blank.csv", "\n" * 4_000_000),
        ("steps.csv", "step,loss_d,loss_g\n0,1,1\n1e15,1,2\n" + "\n".join(f"{i}e13,1,{i}" for i in range(101, 150))),
    ],
)
def test_size_costs_no_more_than_reading(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    began = time.process_time()
    with contextlib.suppress(RequestError):
        for log in read_logs(path).logs:
            assert apply_rules(log) and len(to_history(log).columns["step"]) <= 20_000
    assert time.process_time() - began < 5


COLUMNS = ("step", "loss_d", "fid", "auc_d", "coverage", "motion_speed", "motion_progress", "ignored-condition.gain")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[NUMBERS] * len(COLUMNS)), min_size=2, max_size=30), st.sets(st.sampled_from(COLUMNS[1:])))
def test_installed_diagnoses_accept_any_numbers_too(rows, dropped):
    kept = [at for at, name in enumerate(COLUMNS) if name not in dropped]
    lines = [",".join("" if row[at] is None else repr(row[at]) for at in kept) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.csv")
        path.write_text("\n".join([",".join(COLUMNS[at] for at in kept), *lines]))
        with contextlib.suppress(RequestError):
            assert not [note for note in ganbench.diagnose(path).notes if note.startswith("left out")]
