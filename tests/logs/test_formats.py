"""Logs are read in the formats that other programs write."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

import ganbench as package
from ganbench.logs.read import read_logs

RECORDINGS = Path(package.__file__).parent / "testing" / "helpers" / "recordings"
LOSSES = [("step", "D_loss", "G_loss")] + [(str(step), "0.7", "0.9") for step in range(0, 500, 10)]


def read_one(path, *patterns):
    (log,) = read_logs(path, patterns).logs
    return log


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " ", "  "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_tables_are_read_with_any_delimiter_encoding_and_line_end(tmp_path, delimiter, encoding, line_end):
    header = ("step", "D_loss", "G_loss", "Größe") if delimiter != "  " else LOSSES[0]
    rows = [header, *((*row, "1")[: len(header)] for row in LOSSES[1:])]
    path = tmp_path / "log.csv"
    path.write_bytes(line_end.join(delimiter.join(row) for row in rows).encode(encoding))
    log = read_one(path)
    assert (log.rows, log.unit, log.recognised) == (50, "step", ("loss_d", "loss_g"))
    assert set(log.series["loss_d"].values) == {0.7} and log.series["loss_g"].steps[-1] == 490
    assert log.unrecognised in ((), ("Größe",))


@pytest.mark.parametrize(
    "text, values",
    [
        ("step;loss_d\n1;0,5\n2;1.234,5\n3;-2e-3", [0.5, 1234.5, -0.002]),
        ('"Step","run-7 - loss_d","run-7 - loss_d__MIN"\n"1","0.5","9"\n"2","0.25","9"', [0.5, 0.25]),
        ("# step loss_d\n1 tensor(0.5, device='cuda:0')\n2 0.25", [0.5, 0.25]),
        ("step,loss_d\n1,tensor(0.5)\n2,[0.25]\n3,1.#INF\n4,-1.#IND", [0.5, 0.25, np.inf, np.nan]),
        ("step,loss_d\n1,0.5\n2,-nan(ind)\n3,nan(snan)\n4,-nan", [0.5, np.nan, np.nan, np.nan]),
        (
            "step,loss_d\n1,NaN\n2,nan\n3,inf\n4,-Infinity\n5,\n6,NA\n7,null\n8,0.5",
            [np.nan] * 2 + [np.inf, -np.inf, 0.5],
        ),
        ("# made by hand\n\nstep,loss_d\n1,0.5\n2,0.25\nstep,loss_d\n3,0.1", [0.5, 0.25, 0.1]),
        ("step,loss_d\n1,0.5\n2\n3,0.25,7,7\n4,\0\0\n5,what", [0.5, 0.25]),
    ],
)
def test_numbers_are_parsed_in_all_common_notations(tmp_path, text, values):
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    np.testing.assert_array_equal(read_one(path).series["loss_d"].values, values)


@pytest.mark.parametrize(
    "text, steps, values",
    [
        ('step,loss_d\n"1,000",0.5\n"12,000",0.25\n"1,200,000",0.1', [1000, 12_000, 1_200_000], [0.5, 0.25, 0.1]),
        ("step;loss_d\n500;0,5\n1.000;0,25\n1.500;0,125", [500, 1000, 1500], [0.5, 0.25, 0.125]),
        ("step\tloss_d\n500\t0,5\n1\u202f000\t0,25\n12 000\t0,125", [500, 1000, 12_000], [0.5, 0.25, 0.125]),
        ("step,loss_d\n500,0.5\n1k,0.25\n1.5k,0.125", [500, 1000, 1500], [0.5, 0.25, 0.125]),
        ("step,loss_d\n1,0.5 nats\n2,0.25 nats", [1, 2], [0.5, 0.25]),
        ('step,loss_d\n1,999.5\n2,"1,234"', [1, 2], [999.5, 1234]),
        ("step [it],loss_d (nats)\n1,\u22120.5\n2,0.25", [1, 2], [-0.5, 0.25]),
    ],
)
def test_thousands_and_units_are_understood_in_steps_and_values(tmp_path, text, steps, values):
    path = tmp_path / "log.csv"
    path.write_text(text, encoding="utf-8")
    series = read_one(path).series["loss_d"]
    assert list(series.steps) == steps and list(series.values) == values


def test_percentages_are_fractions(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,D_real,D_fake\n" + "\n".join(f"{i},95%,5.5 %" for i in range(20)))
    log = read_one(path)
    assert log.recognised == ("d_real", "d_fake") and set(log.series["d_real"].values) == {0.95}
    assert log.series["d_fake"].values == pytest.approx(0.055)


SPLIT_ROWS = [(i, split) for i in range(60) for split in ("train", "val")]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_of_validation_samples_give_scores_and_no_losses(tmp_path, diagnose, kind):
    rows = [
        {"step": i, "split": split, "loss_d": 1 + i % 7 / 10 if split == "train" else 9.5, "fid": 50.0 - i / 2}
        for i, split in SPLIT_ROWS
    ]
    path = tmp_path / f"log.{kind}"
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines if kind == "csv" else map(json.dumps, rows)))
    log = read_one(path)
    assert len(log.series["loss_d"]) == 60 and log.series["loss_d"].values.max() < 2 and len(log.series["fid"]) == 120
    assert any("(column 'split'): only quality scores are read there" in note for note in log.notes)
    assert diagnose(path).json == []


def test_a_file_of_validation_rows_alone_is_read_as_any_other(tmp_path):
    path = tmp_path / "val.csv"
    path.write_text("step,split,loss_d\n" + "\n".join(f"{i},val,0.5" for i in range(20)))
    assert len(read_one(path).series["loss_d"]) == 20


def test_terminal_codes_in_a_table_are_no_part_of_it(tmp_path):
    path = tmp_path / "log.csv"
    rows = ["step,loss_d,loss_g", *(f"{i},0.5,0.7" for i in range(20))]
    path.write_text("".join(f"\x1b[1;32m{row}\x1b[0m\n" for row in rows) + "\x1b]0;title\x07")
    log = read_one(path)
    assert log.recognised == ("loss_d", "loss_g") and len(log.series["loss_d"]) == 20


def test_a_tensor_that_stands_for_a_billion_numbers_is_not_unfolded(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util

    tensor = tensor_util.make_tensor_proto(np.float32(0.5))
    tensor.tensor_shape.dim.add(size=10**11)
    writer = EventFileWriter(str(tmp_path))
    for step in range(20):
        values = [
            summary_pb2.Summary.Value(tag="loss_d", simple_value=0.7),
            summary_pb2.Summary.Value(tag="loss_g", tensor=tensor),
        ]
        writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=values)))
    writer.close()
    assert read_one(tmp_path).recognised == ("loss_d",)


def test_a_record_of_an_event_file_that_claims_any_length_ends_it(event_folder):
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    (file,) = (event_folder / "a").iterdir()
    length = struct.pack("<Q", 2**62)
    file.write_bytes(file.read_bytes() + length + struct.pack("<I", masked_crc32c(length)) + b"?" * 50)
    log = read_one(file)
    assert len(log.series["loss_d"]) == 50 and "truncated or damaged" in " ".join(log.notes)


def test_several_runs_in_one_table_are_split_and_labelled(diagnose, write_csv):
    steps = list(range(0, 100, 5))
    broken = [0.7] * 10 + ["nan"] * 10
    shared = {"dataset": ["ring"] * 60, "seed": [seed for seed in range(3) for _ in steps], "step": steps * 3}
    path = write_csv(**shared, d_loss=[0.7] * 40 + broken, g_loss=[0.9] * 60)
    logs = {log.name: log for log in read_logs(path).logs}
    assert set(logs) == {"log-ring-0", "log-ring-1", "log-ring-2"}
    assert all(log.rows == 20 and not log.notes for log in logs.values())
    (row,) = [row for row in json.loads(diagnose(path).out) if row["diagnosis"] == "divergence"]
    assert (row["trial"], row["dataset"], row["method"], row["seed"]) == ("log-ring-2", "ring", "", 2)


def test_a_second_header_in_a_resumed_table_is_followed(tmp_path):
    path = tmp_path / "log.csv"
    before = ["step,d_loss,g_loss", *(f"{step},1,2" for step in range(20))]
    after = ["step,fid,d_loss,g_loss", *(f"{step},50,1,2" for step in range(15, 40))]
    path.write_text("\n".join(before + after))
    log = read_one(path)
    assert set(log.series["loss_d"].values) == {1.0}
    assert list(log.series["fid"].steps) == list(range(15, 40)) and set(log.series["fid"].values) == {50.0}
    assert list(log.series["loss_g"].steps) == list(range(40)) and len(log.notes) == 1


def test_findings_of_a_stored_history_carry_the_labels_of_its_trial(diagnose, tmp_path, make_trial):
    from ganbench.contract.records import Artifacts, TrialResult
    from ganbench.results.store import Store
    from ganbench.results.trial_files import read_history

    trial = make_trial(seed=3)
    history = read_history(RECORDINGS / "mode-collapse")
    Store(tmp_path).write(TrialResult(trial, "done", artifacts=Artifacts(history)))
    row = diagnose(tmp_path).findings["mode-collapse"]
    assert (row["trial"], row["dataset"], row["method"], row["seed"]) == (trial.id, trial.dataset, "method", 3)


def test_tensorboard_csv_export_is_named_after_its_file(tmp_path):
    path = tmp_path / "run-a-tag-Loss_D.csv"
    path.write_text("Wall time,Step,Value\n1.5,10,0.5\n2.5,20,0.25\n")
    log = read_one(path)
    assert log.recognised == ("loss_d",) and list(log.series["loss_d"].steps) == [10, 20]


@pytest.fixture
def stylegan(tmp_path) -> Path:
    """Write a run in StyleGAN2-ADA's format whose FID is best at 200 kimg."""
    run = tmp_path / "00007-stylegan2-faces"
    run.mkdir()
    nothing = {"num": 0, "mean": float("nan"), "std": float("nan")}
    with (run / "training_stats.jsonl").open("w") as file:
        for kimg in range(0, 400, 4):
            sign = 0.2 + kimg / 550
            means = {"Loss/signs/real": sign, "Loss/signs/fake": -sign, "Loss/G/loss": 1.0, "Loss/D/loss": 0.9}
            means |= {
                "Loss/scores/real": 0.5,
                "Loss/scores/fake": 0.4,
                "Progress/tick": kimg / 4,
                "Progress/kimg": kimg,
            }
            entry = {key: {"num": 64, "mean": mean, "std": 0.1} for key, mean in means.items()}
            file.write(json.dumps(entry | {"Loss/pl_penalty": nothing, "timestamp": 1.7e9 + kimg}) + "\n")
    with (run / "metric-fid50k_full.jsonl").open("w") as file:
        for kimg in range(0, 400, 40):
            fid = 300 / (1 + kimg / 20) + max(0, kimg - 200) / 2
            entry = {"results": {"fid50k_full": fid}, "metric": "fid50k_full", "total_time": 9.0}
            file.write(
                json.dumps(entry | {"snapshot_pkl": f"network-snapshot-{kimg:06d}.pkl", "timestamp": 1.0}) + "\n"
            )
    return run


def test_stylegan_folder_is_one_run_with_scores_at_their_snapshots(stylegan, diagnose):
    log = read_one(stylegan)
    assert (log.name, log.unit) == (stylegan.name, "kimg")
    assert list(log.series["fid"].steps) == list(range(0, 400, 40))
    assert {"sign_real", "sign_fake", "score_real", "score_fake", "loss_d", "loss_g", "fid"} == set(log.recognised)
    assert "Loss/pl_penalty" not in log.series  # the mean of no values was not logged
    finding = diagnose(stylegan.parent).finding
    assert (finding["diagnosis"], finding["severity"], finding["trial"]) == ("memorization", "failure", stylegan.name)
    assert "best at kimg 200" in finding["summary"] and set(finding["evidence"]) == {"fid", "sign_real"}


@pytest.mark.parametrize("name", ["stats.jsonl", "training_stats.jsonl"])
def test_stylegan_statistics_are_one_run_under_either_name_and_with_whatever_lies_beside(stylegan, diagnose, name):
    (stylegan / "training_stats.jsonl").rename(stylegan / name)
    (stylegan / "log.txt").write_text("tick 0     kimg 0.0      time 12s       sec/tick 4.2     augment 0.000\n" * 9)
    (stylegan / "training_options.json").write_text('{"G_kwargs": {"z_dim": 512}}')
    (stylegan / "metric-kid50k_full.jsonl").write_text(
        '{"results": {"kid50k_full": 0.01}, "snapshot_pkl": "network-snapshot-000040.pkl"}\n'
    )
    for path in (stylegan.parent, stylegan, stylegan / name):  # the file alone is read with the scores beside it
        finding = diagnose(path).finding
        assert (finding["diagnosis"], finding["severity"]) == ("memorization", "failure")
        assert set(finding["evidence"]) == {"fid", "sign_real"}


def test_statistics_under_both_names_are_one_run(stylegan):
    shutil.copy(stylegan / "training_stats.jsonl", stylegan / "stats.jsonl")
    found = read_logs(stylegan.parent)
    assert len(found.logs) == 1 and not any("restarts" in note for note in found.logs[0].notes)
    assert "training_stats.jsonl: it repeats what stats.jsonl holds" in found.skipped[0]


def test_statistics_of_another_program_or_damaged_ones_are_files_like_any_other(tmp_path):
    for run in ("a", "b", "c"):
        (tmp_path / run).mkdir()
    lines = [json.dumps({"step": i, "d_loss": 0.5 + i / 100}) for i in range(30)]
    (tmp_path / "a" / "stats.jsonl").write_text("\n".join(lines))
    (tmp_path / "b" / "stats.jsonl").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "c" / "training_stats.jsonl").touch()
    found = read_logs(tmp_path)
    assert [log.name for log in found.logs] == ["a/stats"] and len(found.skipped) == 2


def test_event_files_with_snapshot_scores_but_without_statistics_are_one_run(stylegan, event_folder):
    shutil.copy(next((event_folder / "a").iterdir()), stylegan)
    (stylegan / "training_stats.jsonl").unlink()
    log = read_one(stylegan)
    assert {"loss_d", "loss_g", "fid"} == set(log.recognised)
    assert list(log.series["fid"].steps) == list(range(0, 400, 40))


def test_event_files_beside_training_stats_are_skipped(stylegan):
    (stylegan / "events.out.tfevents.0").write_bytes(b"whatever they hold")
    found = read_logs(stylegan.parent)
    assert len(found.logs) == 1 and "1 event files repeat what training_stats.jsonl holds" in found.skipped[0]


def test_nested_flat_and_truncated_json_lines_are_read(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [{"train": {"step": i, "d_loss": 0.5, "note": "x"}, "global_step": 10 * i} for i in range(20)]
    text = "\n".join(map(json.dumps, lines))
    path.write_text(text + '\n{"global_step": 200, "train": {"d_loss": NaN}}\n{"global_step": 210, "tra')
    log = read_one(path)
    assert log.recognised == ("loss_d",) and list(log.series["loss_d"].steps[-2:]) == [190, 200]
    assert np.isnan(log.series["loss_d"].values[-1])
    assert "1 lines of log.jsonl are not JSON objects" in " ".join(log.notes)


@pytest.fixture
def event_folder(tmp_path) -> Path:
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
    for run in ("a", "b"):
        with writer(tmp_path / "runs" / run) as events:
            events.add_text("settings", "lr = 1")
            events.add_histogram("weights", np.arange(9.0), 0)
            for step in range(50):
                events.add_scalar("Loss/D", 0.7, step)
                events.add_scalar("Loss/G", float("nan") if run == "b" and step > 30 else 0.9, step)
    return tmp_path / "runs"


def test_event_files_are_read_one_run_per_folder(event_folder, diagnose):
    logs = {log.name: log for log in read_logs(event_folder).logs}
    assert set(logs) == {"a", "b"} and logs["a"].recognised == ("loss_d", "loss_g")
    assert list(logs["a"].series["loss_d"].steps) == list(range(50)) and not logs["a"].notes
    (file,) = (event_folder / "b").iterdir()
    finding = diagnose(file).finding
    assert (finding["diagnosis"], finding["onset_step"]) == ("divergence", 31)


def test_tensorflow_2_scalar_tensors_are_read(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.scalar.metadata import create_summary_metadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util import tensor_util

    writer = EventFileWriter(str(tmp_path))
    for step in range(20):
        tensor = tensor_util.make_tensor_proto(np.float32(step / 2))
        metadata = create_summary_metadata("", "")
        value = summary_pb2.Summary.Value(tag="disc_loss", tensor=tensor, metadata=metadata)
        words = summary_pb2.Summary.Value(tag="loss_g", tensor=tensor_util.make_tensor_proto("text"))
        writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value, words])))
    writer.close()
    log = read_one(tmp_path)
    assert log.recognised == ("loss_d",) and list(log.series["loss_d"].values) == [step / 2 for step in range(20)]


@pytest.mark.parametrize("cut", [1, 10, 300])
def test_a_truncated_event_file_is_read_up_to_its_last_record(event_folder, cut):
    (file,) = (event_folder / "a").iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    log = read_one(file)
    assert 40 < len(log.series["loss_d"]) <= 50
    assert "truncated or damaged" in " ".join(log.notes)


def test_a_damaged_event_file_does_not_affect_others(event_folder):
    (event_folder / "a" / "events.out.tfevents.1.bad").write_bytes(struct.pack("<QI", 24, 0) + b"?" * 99)
    (event_folder / "a" / "events.out.tfevents.0.empty").touch()
    log = next(log for log in read_logs(event_folder).logs if log.name == "a")
    assert len(log.series["loss_d"]) == 50
    assert "bad holds no intact record" in " ".join(log.notes) and "empty is empty" in " ".join(log.notes)


def test_missing_tensorboard_is_reported_with_the_extra_to_install(event_folder, diagnose, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard.backend.event_processing.event_file_loader", None)
    result = diagnose(event_folder)
    assert result.code == 2 and "pip install 'ganbench[tensorboard]'" in result.err.splitlines()[0]


BATCH = "[Epoch {}/3] [Batch {}/20] [D loss: {}, acc.: 50.00%] [G loss: {}]"
PATTERN = r"Epoch (?P<epoch>\d+)/.*Batch (?P<batch>\d+)/.*D loss: (?P<d_loss>[^,]+).*G loss: (?P<g_loss>[^]]+)"


def test_text_is_read_with_a_pattern_and_batches_continue_over_epochs(tmp_path, diagnose):
    path = tmp_path / "train.log"
    lines = [
        BATCH.format(epoch, batch, 0.69, "nan" if epoch == 2 else 0.7) for epoch in range(3) for batch in range(20)
    ]
    path.write_text("\n".join(["loading...", *lines, "done"]))
    result = diagnose(path, "--pattern", PATTERN)
    assert (result.finding["diagnosis"], result.finding["onset_step"]) == ("divergence", 40)
    assert "60 rows up to batch 59" in result.err


def test_several_patterns_match_several_kinds_of_line(tmp_path, diagnose):
    path = tmp_path / "train.log"
    path.write_text("\n".join(f"it {i}: D=0.6 G=0.8\n  score {10 if i < 7 else 40}" for i in range(10)))
    result = diagnose(path, "--pattern", r"it (?P<iter>\d+): D=(?P<loss_d>\S+)", "--pattern", r"score (?P<fid>\S+)")
    assert result.finding["summary"].startswith("fid was best at iteration 0 (10) and is now 4.0 times worse")


def test_a_pattern_may_match_steps_on_their_own_lines(tmp_path, diagnose):
    path = tmp_path / "train.log"
    path.write_text("\n".join(f"=== iteration {i * 10}\nD=0.6 G={'nan' if i > 6 else 0.8}" for i in range(20)))
    patterns = [r"iteration (?P<iter>\d+)", r"D=(?P<loss_d>\S+) G=(?P<loss_g>\S+)"]
    result = diagnose(path, *(word for pattern in patterns for word in ("--pattern", pattern)))
    assert (result.finding["diagnosis"], result.finding["onset_step"]) == ("divergence", 70)


def test_causes_are_assigned_for_a_single_history(say_here, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench

class Root:
    """Always found."""
    def diagnose(self, history):
        yield ganbench.Finding("root", "now", "failure", 0.9, 1, "seen", {}, "")

class Twig:
    """Always found, and may follow from the root."""
    follows = ("root",)
    def diagnose(self, history):
        yield ganbench.Finding("twig", "now", "failure", 0.8, 1, "seen too", {}, "")

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("root", Root)
    yield ganbench.Component("twig", Twig)
''')
    shutil.copy(RECORDINGS / "healthy-points" / "history.parquet", tmp_path)
    found = say_here("diagnose", "history.parquet", "--json").findings
    assert found["twig"]["cause"] == "root" and found["root"]["cause"] == ""
    assert "  seen too\n  follows from: root\n" in say_here("diagnose", "history.parquet").out


@pytest.mark.parametrize("failure", ["divergence", "mode-collapse", "overpowering-discriminator", "weak-discriminator"])
def test_stored_histories_are_diagnosed_singly_or_by_folder(failure, diagnose, tmp_path):
    result = diagnose(RECORDINGS / failure / "history.parquet")
    assert failure in result.findings
    for name in (failure, "healthy-points"):
        shutil.copytree(RECORDINGS / name, tmp_path / name)
    rows = json.loads(diagnose(tmp_path).out)
    assert {row["trial"] for row in rows} == {failure}


def test_ganbench_columns_in_a_csv_reach_the_installed_diagnoses(diagnose, write_csv):
    from ganbench.results.trial_files import read_history

    columns = read_history(RECORDINGS / "mode-collapse").columns
    cells = {name: [None if np.isnan(v) else v for v in column.astype(float)] for name, column in columns.items()}
    path = write_csv(**cells)
    stored = diagnose(RECORDINGS / "mode-collapse" / "history.parquet").findings
    assert diagnose(path).findings["mode-collapse"]["evidence"] == stored["mode-collapse"]["evidence"]


def test_a_history_of_more_numbers_than_any_run_has_is_refused(tmp_path, diagnose):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "history.parquet"
    schema = pa.schema([("step", pa.int64())], {"ganbench": b'{"steps": 1}'})
    zeros = pa.table({"step": np.zeros(1_000_000, np.int64)}, schema=schema)
    with pq.ParquetWriter(path, schema) as file:
        for _ in range(101):
            file.write_table(zeros)
    assert path.stat().st_size < 1_000_000
    result = diagnose(path)
    assert result.code == 2 and "it holds 1e+08 numbers, and no history has more than" in result.first_line


def test_parquet_tables_of_other_programs_are_read(tmp_path):
    import pandas as pd

    path = tmp_path / "log.parquet"
    pd.DataFrame({"iteration": range(30), "errD": [0.5, None] * 15, "who": "me"}).to_parquet(path)
    log = read_one(path)
    assert log.recognised == ("loss_d",) and list(log.series["loss_d"].steps) == list(range(0, 30, 2))
