"""Columns of restarted, unordered, incomplete, very long and very wide logs are read with a note on each correction."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ganbench.logs.columns import ROWS_PER_CHUNK
from ganbench.logs.downsample import MAX_VALUES, SeriesBuffer
from ganbench.logs.history import to_history
from ganbench.logs.log import Log, describe_log
from ganbench.logs.read import read_logs

STEPS = range(0, 1000, 10)


def read_one(path) -> Log:
    (log,) = read_logs(path).logs
    return log


def test_rows_after_a_restart_replace_earlier_ones_with_a_note(write_csv):
    steps = [*range(60), *range(40, 80)]
    log = read_one(write_csv(step=steps, d_loss=[*[1.0] * 60, *[2.0] * 40]))
    series = log.series["loss_d"]
    assert list(series.steps) == list(range(80)) and list(series.values) == [1.0] * 40 + [2.0] * 40
    assert "step goes back from 59 to 40" in " ".join(log.notes) and "rows written later replace" in " ".join(log.notes)


def test_nan_overwritten_by_a_restart_is_no_divergence(diagnose, write_csv):
    losses = [*np.linspace(0.7, 0.6, 50), *["nan"] * 10, *np.linspace(0.6, 0.5, 60)]
    result = diagnose(write_csv(step=[*range(60), *range(40, 100)], loss_d=losses, loss_g=losses))
    assert set(result.findings) == {"inconclusive"} and "the log restarts" in result.err


@pytest.mark.parametrize("restarts", [2, 30])
def test_every_restart_replaces_what_had_come_after_its_checkpoint(write_csv, diagnose, restarts):
    steps, losses = [], []
    for restart in range(restarts + 1):
        begin, end = 30 * restart, 30 * restart + 50  # the last twenty rows of each are lost, and NaN
        steps += range(begin, end)
        losses += [0.7 + 0.01 * (step % 7) if step < end - 5 else "nan" for step in range(begin, end)]
    steps += range(end - 20, end + 30)
    losses += [0.7 + 0.01 * (step % 7) for step in range(end - 20, end + 30)]
    path = write_csv(step=steps, loss_d=losses, loss_g=losses)
    series = read_one(path).series["loss_d"]
    assert list(series.steps) == list(range(end + 30)) and np.isfinite(series.values).all()
    result = diagnose(path)
    assert set(result.findings) == {"inconclusive"} and "the log restarts" in result.err


@pytest.mark.parametrize("epochs", [3, 40])
def test_a_counter_that_returns_to_its_first_value_counts_within_epochs(write_csv, epochs):
    steps = [*range(0, 500, 10)] * epochs
    log = read_one(write_csv(iter=steps, d_loss=np.linspace(1, 0.5, len(steps)), fid=[*[None] * 49, 50.0] * epochs))
    assert list(log.series["loss_d"].steps) == list(range(0, 500 * epochs, 10))
    assert list(log.series["fid"].steps) == list(range(490, 500 * epochs, 500))
    assert log.notes == ("iteration restarts every 500, as with each epoch: numbered consecutively",)


def test_a_run_that_starts_over_replaces_the_one_before(write_csv):
    log = read_one(write_csv(step=[*range(60), *range(40)], d_loss=[*[1.0] * 60, *[2.0] * 40]))
    assert list(log.series["loss_d"].steps) == list(range(40)) and set(log.series["loss_d"].values) == {2.0}


def test_unordered_rows_are_sorted_by_step(write_csv):
    steps = np.random.default_rng(0).permutation(500)
    log = read_one(write_csv(step=steps, d_loss=steps / 100))
    assert list(log.series["loss_d"].steps) == list(range(500)) and "sorted by step" in " ".join(log.notes)
    newest_first = read_one(write_csv(step=range(500, 0, -1), d_loss=range(500)))
    assert len(newest_first.series["loss_d"]) == 500


@pytest.mark.parametrize("rows", [6, 12, 500])
def test_a_table_with_its_newest_row_first_is_turned_round(write_csv, rows):
    steps = range(rows * 10, 0, -10)
    log = read_one(write_csv(step=steps, d_loss=[step / 100 for step in steps]))
    assert list(log.series["loss_d"].steps) == sorted(steps) and "sorted by step" in " ".join(log.notes)


def test_a_sparse_column_of_unordered_rows_is_sorted_as_the_others_are(write_csv):
    steps = np.random.default_rng(0).permutation(500)
    log = read_one(write_csv(step=steps, d_loss=steps / 100, fid=[1 + s / 10 if s % 50 == 0 else None for s in steps]))
    assert list(log.series["fid"].steps) == list(range(0, 500, 50))


def test_gaps_are_noted_and_columns_keep_their_own_steps(write_csv):
    steps = [step for step in STEPS if not 300 < step < 800]
    fid = [50.0 if step % 100 == 0 else None for step in steps]
    log = read_one(write_csv(step=steps, d_loss=[0.7] * len(steps), g_loss=[0.9] * len(steps), fid=fid))
    assert list(log.series["fid"].steps) == [0, 100, 200, 300, 800, 900]
    assert "a gap: nothing between step 300 and 800" in log.notes
    history = to_history(log)
    assert history.steps == 990 and len(history.columns["step"]) == len(steps)
    assert np.isfinite(history.columns["fid"]).sum() == 6 and history.columns["step"].dtype == np.int64


def test_rows_are_counted_without_a_step_column(write_csv):
    log = read_one(write_csv(d_loss=[0.5] * 30))
    assert list(log.series["loss_d"].steps) == list(range(1, 31)) and log.unit == "row"
    assert "no column counts steps: rows are counted instead" in log.notes


@pytest.mark.parametrize("step", ["nan", "inf", "-inf", "", "soon"])
def test_rows_are_counted_if_the_step_column_has_no_numbers(write_csv, diagnose, step):
    path = write_csv(step=[step] * 30, loss_d=[0.5 + i / 100 for i in range(30)], loss_g=[0.7] * 30)
    log = read_one(path)
    assert list(log.series["loss_d"].steps) == list(range(1, 31)) and log.unit == "row"
    result = diagnose(path)
    assert result.code == 0 and "arning" not in result.err  # numpy's warnings are not shown to users
    assert result.err.count("column 'step' never holds a number: rows are counted instead") == 1


def test_rows_before_the_first_step_are_placed_at_zero(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = ['{"step": NaN, "d_loss": 1}'] * (ROWS_PER_CHUNK + 3) + [
        f'{{"step": {i}, "d_loss": 0.5}}' for i in range(1, 40)
    ]
    path.write_text("\n".join(rows))
    log = read_one(path)
    assert log.unit == "step" and not log.notes
    series = log.series["loss_d"]
    assert (series.steps[series.values == 1] == 0).all() and list(series.steps[series.values == 0.5]) == [*range(1, 40)]


def test_a_log_with_a_single_step_raises_no_numpy_warning(write_csv, diagnose):
    path = write_csv(step=[0] * 30, loss_d=[0.5] * 30, loss_g=[0.7] * 30)
    result = diagnose(path)
    assert result.code == 0 and "arning" not in result.err
    assert to_history(read_one(path)).steps == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_of_duplicate_columns_the_first_is_read_with_one_note(tmp_path, diagnose, kind):
    path = tmp_path / f"log.{kind}"
    if kind == "csv":
        lines = ["step,loss_d,loss_d,loss_g", *(f"{i},0.5,3,0.7" for i in range(30))]
        path.write_text("\n".join(lines))
    else:
        columns = [pa.array(range(30)), *(pa.array([value] * 30) for value in (0.5, 3.0, 0.7))]
        pq.write_table(pa.Table.from_arrays(columns, ["step", "loss_d", "loss_d", "loss_g"]), path)
    log = read_one(path)
    assert set(log.series["loss_d"].values) == {0.5} and set(log.series["loss_g"].values) == {0.7}
    result = diagnose(path)
    assert result.code == 0 and result.err.count("several columns are called loss_d: the first is read") == 1


def test_a_ruler_line_above_a_table_is_no_header(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("\n".join(["==== ====", "step loss_d", *(f"{i} 0.5" for i in range(30))]))
    assert read_one(path).recognised == ("loss_d",)


def test_fractional_epochs_stay_distinct(write_csv):
    log = read_one(write_csv(epoch=[i / 4 for i in range(40)], d_loss=[0.5] * 40))
    assert log.unit == "epoch" and len(to_history(log).columns["step"]) == 40


def test_of_two_columns_for_one_signal_the_longer_is_read(write_csv):
    log = read_one(write_csv(step=STEPS, val_fid=[1.0, *[None] * 99], fid50k=[2.0] * 100))
    assert set(log.series["fid"].values) == {2.0}
    assert "not read, because another column holds the same signal: val_fid" in log.notes


def test_outputs_are_probabilities_only_between_zero_and_one(write_csv):
    inside = read_one(write_csv(step=STEPS, D_real=[0.9] * 100, D_fake=[0.1] * 100))
    outside = read_one(write_csv(step=STEPS, D_real=[0.9] * 100, D_fake=[-0.1] * 100))
    assert inside.recognised == ("d_real", "d_fake") and outside.recognised == ("score_real", "score_fake")


def test_a_long_series_is_downsampled_and_keeps_extremes_and_nonfinite_values():
    rng = np.random.default_rng(0)
    values = rng.normal(size=30 * MAX_VALUES)
    odd = rng.choice(len(values), 500, replace=False)
    values[odd[:300]], values[odd[300]], values[odd[301]] = np.nan, 1e9, -1e9
    buffer = SeriesBuffer("x")
    for begin in range(0, len(values), 7919):
        part = values[begin : begin + 7919]
        buffer.extend(np.arange(begin, begin + len(part)), part)
        assert sum(map(len, [buffer._kept, *buffer._pending])) < 4 * MAX_VALUES
    kept = buffer.series()
    assert buffer.downsampled and MAX_VALUES // 2 < len(kept) < 2 * MAX_VALUES + 500
    assert np.isnan(kept.values).sum() == 300 and {1e9, -1e9} <= set(kept.values)
    assert kept.steps[-1] == len(values) - 1 and (np.diff(kept.steps) > 0).all()
    assert abs(kept.finite.median()) < 0.05


def test_memory_is_bounded_for_a_series_that_is_never_finite():
    buffer = SeriesBuffer("x")
    for begin in range(0, 10 * MAX_VALUES, MAX_VALUES):
        buffer.extend(np.arange(begin, begin + MAX_VALUES), np.full(MAX_VALUES, np.nan))
    assert MAX_VALUES <= len(buffer.series()) < 3 * MAX_VALUES


def test_a_very_wide_table_keeps_its_known_columns(tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"x{i}" for i in range(5000)]
    path.write_text("\n".join([",".join(["step", *names, "d_loss"]), *[",".join(["1"] * 5002)] * 30]))
    log = read_one(path)
    assert log.recognised == ("loss_d",) and len(log.series) <= 200 and len(describe_log(log)) < 300


def test_control_characters_in_names_are_replaced(tmp_path, diagnose):
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "d_loss": 0.5, "\\u001b[2J\\ud800\\n": 1}\n' * 20)
    result = diagnose(path, as_json=False)
    assert result.code == 0 and "not recognised: ?[2J??" in result.err and "\x1b" not in result.err + result.out
