"""The CSV files hold the tables exactly."""

import math

import pandas as pd
import pytest

from ganbench.builtin.reports.csv_tables import CsvReport, to_csv

TABLES = ("trials", "scores", "findings", "comparison")


def test_each_table_reads_back_as_it_was(comparison, tmp_path):
    files = CsvReport().write(comparison, tmp_path / "report")

    assert [file.name for file in files] == ["comparison.csv", "trials.csv", "scores.csv", "findings.csv"]
    for name in TABLES:
        original, again = getattr(comparison, name), pd.read_csv(tmp_path / "report" / f"{name}.csv")
        assert list(again.columns) == list(original.columns)
        for column in original.columns:
            for before, after in zip(original[column], again[column], strict=True):
                if isinstance(before, float) and before == before:
                    assert math.isclose(before, after, rel_tol=1e-15)  # older pandas round the last digit they read
                else:
                    assert before == after or (pd.isna(after) and (pd.isna(before) or before == ""))


def test_missing_cells_are_empty_and_integers_stay_integers(comparison):
    trials = to_csv(comparison.trials)
    assert "500.0" not in trials  # though one trial's steps are missing
    assert "nan" not in trials.lower().replace("<nan>", "") and "0.30000000000000004" in trials
    assert ",inconclusive\n" in to_csv(comparison.comparison)


def test_a_table_without_rows_still_has_its_header(all_failed, tmp_path):
    CsvReport().write(all_failed, tmp_path)
    assert list(pd.read_csv(tmp_path / "scores.csv").columns) == list(all_failed.scores.columns)


def test_columns_with_fractions_stay_floats():
    assert to_csv(pd.DataFrame({"rank": [1.5, None], "step": [3.0, None]})) == "rank,step\n1.5,3\n,\n"


def test_an_interrupted_write_leaves_the_old_file(comparison, tmp_path, monkeypatch):
    CsvReport().write(comparison, tmp_path)
    before = (tmp_path / "trials.csv").read_bytes()
    comparison.trials = comparison.trials.iloc[:1]

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no space"):
        CsvReport().write(comparison, tmp_path)
    assert (tmp_path / "trials.csv").read_bytes() == before
    assert not list(tmp_path.glob(".*"))
