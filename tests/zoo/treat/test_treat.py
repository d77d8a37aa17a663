"""`ganbench treat`: counts cures and harm on a real run, reruns a sample to verify results, resumes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def table(folder, name="treatments"):
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=True)


def stamps(folder):
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("trials/*/result.json")}


def test_cures_and_harm_are_counted_by_arm(run, treat):
    said = treat(run)
    assert said.code == 0, said.err
    assert "outcomes by verdicts (4 trials): 2 failed, 2 ended well" in said.out
    assert "NOT REPRODUCED" not in said.err
    rows = table(run / "treat")
    assert list(rows.columns[:12]) == [
        *("trial", "dataset", "method", "seed", "arm", "diagnosis", "remedy", "cured", "harmed"),
        *("failures_before", "failures_after", "status"),
    ]
    arms = {arm: mine.reset_index() for arm, mine in rows.groupby("arm")}
    assert {arm: len(mine) for arm, mine in arms.items()} == {
        "recommended": 2, "random": 2, "unchanged": 2, "healthy": 2
    }  # fmt: skip
    first = arms["recommended"]
    assert first.cured.all() and set(first.diagnosis) == {"broken-down"} and set(first.seed) == {0, 1}
    assert set(first.failures_before) == {"broken-down"} and first.failures_after.isna().all()
    assert first.remedy.str.contains("adam").all() and (arms["random"].remedy != first.remedy).all()
    assert not arms["unchanged"].cured.any() and set(arms["unchanged"].failures_after) == {"broken-down"}
    harmed = arms["healthy"]
    assert harmed.harmed.all() and set(harmed.diagnosis) == {"false-alarm"} and set(harmed.status) == {"diverged"}

    summary = table(run / "treat", "summary").set_index(["arm", "diagnosis"])
    told = summary.loc["recommended", "broken-down"]
    assert (told.n, told.cured, told.rate, told.high) == (2, 2, 1.0, 1.0) and told.low == pytest.approx(0.342, abs=1e-3)
    gain = 1 - arms["random"].cured.mean()
    assert told.n_pairs == 2 and told.difference == pytest.approx(gain)
    assert summary.loc[("healthy", "all"), "harmed"] == 2 and summary.loc[("unchanged", "all"), "rate"] == 0
    treated = pd.read_json(run / "treat" / "suite.json", typ="series")
    assert treated.suite == "small-treated"


def test_a_second_command_resumes_and_reruns_nothing(run, treat):
    treat(run, "--limit", 1, "--healthy", 0, "--verify", 0)
    first = stamps(run / "treat")
    assert len(first) == 2 and len(table(run / "treat")) == 3
    treat(run)
    second = stamps(run / "treat")
    assert first.items() <= second.items() and len(table(run / "treat")) == 8
    treat(run, "--only", "method=wild", "--limit", 1)
    assert stamps(run / "treat") == second and len(table(run / "treat")) == 8


def test_results_that_are_not_reproduced_are_named_and_rerun(run, treat):
    for path in run.glob("trials/*wild-0*/history.parquet"):
        history = pq.read_table(path)
        moved = pa.array(np.nan_to_num(history["loss_g"].to_numpy()) + 1e-12)
        index = history.column_names.index("loss_g")
        pq.write_table(history.set_column(index, "loss_g", moved), path)
    said = treat(run, "--healthy", 0, "--verify", 2, "--output", "elsewhere")
    assert said.code == 0
    assert "NOT REPRODUCED: ring-wild-0" in said.err and "'loss_g' from step" in said.err
    assert "NOT REPRODUCED: ring-wild-1" not in said.err
    rows = table(run.parent / "elsewhere")
    assert rows[rows.arm == "unchanged"].treated.notna().all()
    assert not (run / "treat").exists()


def test_a_healthy_trial_without_a_finding_gets_a_remedy_of_a_failed_one(run, treat):
    for path in run.glob("trials/*calm*/history.parquet"):  # then what is stored counts
        path.unlink()
        (path.parent / "findings.json").write_text("[]")
    treat(run, "--verify", 0)
    rows = table(run / "treat")
    healthy = rows[rows.arm == "healthy"]
    assert len(healthy) == 2 and not healthy.harmed.any()
    assert set(healthy.remedy) == set(rows[rows.arm == "recommended"].remedy)
    assert healthy.note.str.contains("remedy of a failed trial").all()


def test_trials_use_as_many_threads_as_the_run_had(run, treat):
    for path in run.glob("trials/*/result.json"):
        path.write_text(path.read_text().replace('"threads": 1', '"threads": 2'))
    treat(run, "--limit", 1, "--healthy", 0, "--verify", 0)
    made = [json.loads(path.read_text()) for path in (run / "treat").glob("trials/*/result.json")]
    assert len(made) == 2 and {facts["threads"] for facts in made} == {2}


def test_damaged_trials_are_left_out_and_named(run, treat):
    (damaged,) = run.glob("trials/*wild-0*")
    (damaged / "result.json").write_text("{")
    said = treat(run, "--healthy", 0)
    assert said.code == 0
    assert "left out" in said.first_line and damaged.name in said.first_line
    assert damaged.name not in set(table(run / "treat").trial)


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["gone"], "gone holds no run: there is no suite.json in it"),
        (["run", "--output", "run"], "--output run is the run itself"),
        (["run", "--output", "other"], "output other is not empty and holds no run"),
        (["run", "--only", "method=calm"], "--only method=calm: none of the 2 trials that match failed"),
        (["run", "--only", "methd=calm"], "did you mean 'method'?"),
        (["run", "--executor", "inlin"], "no executor is called 'inlin'; did you mean 'inline'?"),
        (["run", "--limit", "0"], "0 is not in the range x>=1"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(run, treat, tmp_path, arguments, line):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    before = set(tmp_path.rglob("*"))
    said = treat(*arguments)
    assert said.code == 2 and line in said.first_line
    assert {path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts} == before


def test_a_run_without_a_failed_trial_is_refused(run, treat):
    for path in run.glob("trials/*wild*/result.json"):
        path.write_text(path.read_text().replace('"diverged"', '"error"'))
    said = treat(run)
    assert said.code == 2
    assert "nothing to treat: none of 2 trials failed; left out: 2 trials that ended in error" in said.first_line


@pytest.mark.filterwarnings("always")
def test_a_run_with_missing_plugins_names_the_file_to_bring(run, made, treat, tmp_path):
    (tmp_path / "ganbench_plugins.py").unlink()
    said = treat(run)
    assert f"plugin file '{made / 'ganbench_plugins.py'}', which is not loaded here" in said.first_line
    assert said.code == 2
    assert "made with ganbench_plugins.py" in said.first_line
    assert "cannot be rerun: no diagnosis is called 'broken-down'" in said.first_line
    assert not (run / "treat").exists()


def test_plugins_of_the_folder_it_is_run_in_reach_worker_processes(run, treat):
    said = treat(run, "--limit", 1, "--healthy", 0, "--verify", 0, "--executor", "processes", "--workers", 1)
    assert said.code == 0, said.err
    made = [json.loads(path.read_text()) for path in (run / "treat").glob("trials/*/result.json")]
    assert all(facts["origins"]["diagnosis broken-down"].startswith("ganbench_plugins.py ") for facts in made)
    assert len(made) == 2 and not any(facts["status"] == "error" for facts in made)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_plugin_file_that_a_stored_trial_names_is_never_run(run, treat, tmp_path, executor):
    marker, evil = tmp_path / "marker", tmp_path / "elsewhere" / "evil.py"
    evil.parent.mkdir()
    here = (tmp_path / "ganbench_plugins.py").read_text()
    evil.write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\n{here}")
    for path in run.glob("trials/*/trial.json"):
        stored = json.loads(path.read_text())
        path.write_text(json.dumps(stored | {"plugin_files": [str(evil)]}))
    workers = ["--workers", 1] if executor == "processes" else []
    said = treat(run, "--limit", 1, "--healthy", 0, "--verify", 1, "--executor", executor, *workers)
    assert said.code == 0, said.err
    assert len(list((run / "treat").glob("trials/*/result.json"))) == 3 and not marker.exists()
    (tmp_path / "ganbench_plugins.py").unlink()
    assert treat(run).code == 2 and not marker.exists()
