"""The commands as a user types them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import ganbench as package
from ganbench.registry.plugins import load_plugins

HEAVY = {"torch", "pandas", "numpy", "scipy", "matplotlib", "pyarrow"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--suite", "bad.toml"], ["run", "--help"]])
def test_quick_answers_import_nothing_heavy(tmp_path, arguments):
    (tmp_path / "bad.toml").write_text("seedz = 3\nmetrics = []\ndatasets = ['ring']\n")
    code = (
        "import sys, ganbench.cli\n"
        "try: ganbench.cli.main()\n"
        "finally: print('LOADED', *sorted(set(sys.modules) & set(sys.argv[0].split(','))), file=sys.stderr)"
    )
    code = f"import sys\nsys.argv = [{','.join(HEAVY)!r}, *{arguments!r}]\n" + code
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stderr.splitlines()[-1].split() == ["LOADED"], said.stderr
    assert said.returncode == (2 if "bad.toml" in arguments else 0)


def test_a_run_ends_with_a_table_and_the_path_of_the_report(ganbench, write_suite, tmp_path):
    write_suite()
    said = ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    assert said.code == 0, said.err
    assert said.out.splitlines()[-1] == "report: out/report/index.html"
    assert "hinge" in said.out and "covered" in said.out
    assert "2/2 trials" in said.err and "failed" in said.err
    assert {p.name for p in (tmp_path / "out" / "report").iterdir()} >= {
        "trials.csv",
        "scores.csv",
        "findings.csv",
        "comparison.csv",
        "index.html",
    }
    (trial, _) = sorted((tmp_path / "out" / "trials").iterdir())
    assert {p.name for p in trial.iterdir()} == {
        "trial.json",
        "result.json",
        "history.parquet",
        "scores.csv",
        "findings.json",
        "samples.png",
        "snapshots",
        "weights.safetensors",
    }


def test_a_second_run_keeps_what_is_done_and_only_more_seeds_are_new(ganbench, write_suite, tmp_path):
    write_suite()
    inline = ["run", "--suite", "mine.toml", "--output", "out", "--executor", "inline"]
    assert ganbench(*inline).code == 0
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "trials").glob("*/result.json")}
    dry = ganbench(*inline, "--seeds", "3", "--dry-run")
    assert dry.out.splitlines()[-1] == "1 trials to do, 2 kept, into out"
    assert ganbench(*inline, "--seeds", "3").code == 0
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "trials").glob("*/result.json")}
    assert len(after) == 3 and stamps.items() <= after.items()
    assert list(pd.read_csv(tmp_path / "out/report/trials.csv").seed) == [0, 1, 2]
    ganbench(*inline, "--fresh")
    assert all(p.stat().st_mtime_ns > stamp for p, stamp in stamps.items())


MOVING = """
from pathlib import Path
import ganbench, torch

class Moving:
    "Points in a file that comes and goes."
    spec = ganbench.DataSpec("points", (2,))
    def __init__(self):
        if not Path("points").exists():
            raise FileNotFoundError("put the file points here")
    def training(self):
        return ganbench.Batch(torch.randn(500, 2, generator=torch.Generator().manual_seed(1)))
    held_out = training

@ganbench.hookimpl
def ganbench_datasets():
    return [ganbench.Component("moving", Moving)]
"""


def test_data_that_is_not_here_is_not_needed_where_it_is_left_out_and_its_results_stay(ganbench, write_suite, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text(MOVING)
    (tmp_path / "points").touch()
    write_suite("[datasets.moving]\n")
    inline = ["run", "--suite", "mine.toml", "--output", "out", "--executor", "inline", "--seeds", "1"]
    assert ganbench(*inline, "--only", "dataset=moving").code == 0
    (tmp_path / "points").unlink()
    assert ganbench(*inline).code == 2
    assert ganbench(*inline, "--only", "dataset=mov*").code == 2
    assert ganbench(*inline, "--only", "dataset=ring").code == 0
    assert sorted(pd.read_csv(tmp_path / "out/report/trials.csv").dataset) == ["moving", "ring"]


def test_a_dry_run_writes_nothing(ganbench, write_suite, tmp_path):
    write_suite()
    said = ganbench("run", "--suite", "mine.toml", "--dry-run")
    assert said.code == 0 and "2 trials to do" in said.out
    assert {p.name for p in tmp_path.iterdir()} == {"mine.toml"}


@pytest.mark.filterwarnings("always")
def test_a_run_goes_on_around_a_plugin_that_cannot_be_imported(ganbench, write_suite, tmp_path, monkeypatch):
    (tmp_path / "ganbench_plugins.py").write_text("import a_module_that_is_gone\n")
    write_suite("""
[methods.lost]
loss = "theirs"
generator = "mlp"
discriminator = "mlp"
""")
    said = ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    assert said.code == 1
    assert "ganbench_plugins.py' is left out: ModuleNotFoundError: No module named 'a_module_that_is_gone'" in said.err
    trials = pd.read_csv(tmp_path / "out/report/trials.csv").set_index("method")
    assert set(trials.loc["hinge", "status"]) == {"done"}
    assert set(trials.loc["lost", "status"]) == {"error"}
    assert trials.loc["lost", "reason"].str.contains("no loss is called 'theirs'.*a_module_that_is_gone").all()
    assert ganbench("plugins", "--json").json[-1]["error"].startswith("ModuleNotFoundError")

    monkeypatch.setenv("GANBENCH_STRICT", "1")
    load_plugins.cache_clear()
    said = ganbench("run", "--suite", "mine.toml", "--output", "other", "--executor", "inline")
    assert said.code == 2 and "a_module_that_is_gone" in said.first_line
    assert not (tmp_path / "other").exists()


def test_a_data_set_whose_own_code_fails_costs_no_other(ganbench, write_suite, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench

class Broken:
    """Raises when it is built."""
    def __init__(self):
        raise RuntimeError("bad luck")

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("broken", Broken)
''')
    write_suite("[datasets.broken]\n")
    said = ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    assert said.code == 1
    trials = pd.read_csv(tmp_path / "out/report/trials.csv").groupby("dataset")
    assert set(trials.get_group("ring").status) == {"done"}
    assert trials.get_group("broken").reason.str.startswith("RuntimeError: bad luck").all()
    failed = pd.read_csv(tmp_path / "out/report/comparison.csv").set_index("dataset").loc[["broken"]]
    assert list(failed.failure_rate) == [1.0]


def test_a_finding_in_numpy_numbers_is_stored_in_plain_ones(ganbench, write_suite, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench
import numpy as np

class Natural:
    """What one writes who computes with arrays."""
    def diagnose(self, history):
        steps = history.columns["step"]
        read = ganbench.Evidence(np.float32(np.nan), np.float64(1.0), steps[-1])
        yield ganbench.Finding("natural", "now", "warning", np.float64(2.0), steps[0], "text", {"x": read}, "none")

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("natural", Natural)
''')
    write_suite()
    said = ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    assert said.code == 0, said.err
    found = pd.read_csv(tmp_path / "out/report/findings.csv").set_index("diagnosis").loc["natural"].iloc[0]
    assert json.loads(found.evidence) == {"x": {"step": 40, "threshold": 1.0, "value": None}}
    assert found.confidence == 1.0


def test_list_survives_a_component_whose_module_is_gone(ganbench, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text("""
import ganbench

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("lost", "a_module_that_is_gone:Loss")
""")
    listed = ganbench("list", "loss").out
    assert "cannot be loaded:" in listed and "ModuleNotFoundError" in listed
    (entry,) = [entry for entry in ganbench("list", "loss", "--json").json if entry["name"] == "lost"]
    assert "a_module_that_is_gone" in entry["error"]


def test_reports_are_rebuilt_without_training(ganbench, write_suite, tmp_path):
    write_suite()
    ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    report = tmp_path / "out" / "report"
    before = {p.name: p.read_bytes() for p in report.iterdir()}
    for path in report.iterdir():
        path.unlink()
    said = ganbench("report", "out")
    assert said.code == 0
    assert {p.name: p.read_bytes() for p in report.iterdir()} == before
    for path in report.iterdir():
        path.unlink()
    assert ganbench("report", "out", "--format", "csv").code == 0
    assert {p.suffix for p in report.iterdir()} == {".csv"}
    assert "did you mean 'csv'?" in ganbench("report", "out", "--format", "cvs").first_line


def test_a_damaged_trial_is_left_out_of_reports_by_name_and_made_again_by_run(ganbench, write_suite, tmp_path):
    write_suite()
    inline = ["run", "--suite", "mine.toml", "--output", "out", "--executor", "inline"]
    ganbench(*inline)
    victim = next((tmp_path / "out" / "trials").glob("*/result.json"))
    victim.write_text(victim.read_text()[:20])
    said = ganbench("report", "out")
    assert said.code == 0 and victim.parent.name in said.err
    assert len(pd.read_csv(tmp_path / "out/report/trials.csv")) == 1
    said = ganbench(*inline)
    assert f"{victim.parent.name} is rerun: it cannot be read" in said.err
    assert len(pd.read_csv(tmp_path / "out/report/trials.csv")) == 2


def test_a_trial_made_by_another_version_is_made_again(ganbench, write_suite, tmp_path):
    write_suite()
    inline = ["run", "--suite", "mine.toml", "--output", "out", "--executor", "inline"]
    ganbench(*inline)
    stored = next((tmp_path / "out" / "trials").glob("*/result.json"))
    facts = json.loads(stored.read_text())
    facts["origins"]["loss hinge"] = "ganbench 0.0.9"
    stored.write_text(json.dumps(facts))
    said = ganbench(*inline)
    assert f"loss hinge came from ganbench 0.0.9, now ganbench {package.__version__}" in said.err
    assert "1/1 trials" in said.err


def test_diagnose_makes_the_findings_of_a_stored_run_again(ganbench, write_suite, tmp_path):
    write_suite()
    ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    rows = ganbench("diagnose", "out", "--json").json
    stored = pd.read_csv(tmp_path / "out/report/findings.csv")
    assert len(rows) == len(stored) > 0
    assert set(stored.columns) == set(rows[0])
    assert sorted((r["trial"], r["diagnosis"], r["onset_step"]) for r in rows) == sorted(
        zip(stored.trial, stored.diagnosis, stored.onset_step, strict=True)
    )


def test_list_names_every_component_with_its_options_and_origin(ganbench):
    entries = ganbench("list", "--json").json
    names = {(entry["kind"], entry["name"]) for entry in entries}
    for kind, wanted in {
        "dataset": {"ring", "grid", "hundred-gaussians", "digits", "stacked-digits"},
        "generator": {"mlp", "conv"},
        "discriminator": {"mlp", "conv"},
        "loss": {"minimax", "non-saturating", "least-squares", "hinge", "wasserstein", "relativistic", "ac"},
        "regularizer": {
            *("r1", "r2", "r1-approx", "r2-approx", "gradient-penalty", "dragan", "lecam", "weight-clipping"),
            *("cr", "bcr", "zcr", "zcr-generator", "path-length", "orthogonal"),
        },
        "term": {
            "auxiliary-classes",
            "feature-matching",
            "l1",
            "l2",
            "mel",
            "mutual-information",
            "perceptual",
            "stft",
        },
        "augmentation": {"ada", "diffaugment"},
        "update": {"alternating", "extragradient", "optimistic", "simultaneous", "unrolled"},
        "optimizer": {"adam", "adamw", "rmsprop", "sgd"},
        "diagnosis": {"overpowering-discriminator", "weak-discriminator", "mode-collapse", "divergence"},
        "report": {"csv", "figures", "markdown", "html", "latex"},
        "executor": {"inline", "processes"},
        "suite": {"smoke", "basic", "modes"},
    }.items():
        assert {(kind, name) for name in wanted} <= names
    assert all(entry["summary"] for entry in entries if entry["kind"] != "suite")
    (ring,) = [entry for entry in entries if (entry["kind"], entry["name"]) == ("dataset", "ring")]
    assert {"name": "sigma", "type": "float", "default": 0.01} in ring["options"]
    assert ring["distribution"] == "ganbench"
    said = ganbench("list", "loss")
    assert "relativistic" in said.out and "Jolicoeur-Martineau" in said.out and "ring" not in said.out


def test_a_local_file_adds_a_component_in_ten_lines(ganbench, write_suite, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench

class Linear:
    """Differences of plain means."""
    def discriminator(self, d, real, fake):
        return d(fake).mean() - d(real).mean()
    def generator(self, d, real, fake):
        return -d(fake).mean()

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("linear", Linear)
''')
    write_suite('[methods.mine]\nloss = "linear"\ngenerator = "mlp"\ndiscriminator = "mlp"\n')
    assert "linear" in ganbench("list", "loss").out
    said = ganbench(
        "run", "--suite", "mine.toml", "--output", "out", "--workers", "1", "--only", "method=mine", "--seeds", "1"
    )
    assert said.code == 0, said.err
    assert list(pd.read_csv(tmp_path / "out/report/trials.csv").loss) == ["linear"]


def test_load_gives_the_tables_as_frames(ganbench, write_suite, tmp_path):
    write_suite()
    ganbench("run", "--suite", "mine.toml", "--output", "out", "--executor", "inline")
    loaded = package.load(Path("out"))
    for name in ("trials", "scores", "findings", "comparison"):
        written = pd.read_csv(tmp_path / "out" / "report" / f"{name}.csv")
        assert list(written.columns) == list(getattr(loaded, name).columns)
        assert len(written) == len(getattr(loaded, name))
    assert "auc_d" in loaded.history(loaded.trials.trial[0])


def test_reading_a_stored_run_runs_no_code_that_it_names(ganbench, write_suite, tmp_path):
    write_suite()
    assert ganbench("run", "--suite", "mine.toml", "--output", "out").code == 0
    (tmp_path / "out" / "evil.py").write_text("from pathlib import Path\nPath('marker').touch()\n")
    for trial in (tmp_path / "out" / "trials").glob("*/trial.json"):
        stored = json.loads(trial.read_text())
        holder = stored.get("trial", stored)
        assert "plugin_files" in holder
        holder["plugin_files"] = ["out/evil.py"]
        trial.write_text(json.dumps(stored))
    for command in (["diagnose", "out"], ["treat", "out"], ["report", "out"]):
        ganbench(*command)
        assert not (tmp_path / "marker").exists(), command


def test_a_trial_whose_history_is_gone_is_named_and_not_counted(ganbench, write_suite, tmp_path):
    write_suite()
    assert ganbench("run", "--suite", "mine.toml", "--output", "out").code == 0
    histories = sorted((tmp_path / "out" / "trials").glob("*/history.parquet"))
    histories[0].unlink()
    said = ganbench("diagnose", "out")
    assert histories[0].parent.name in said.err
    assert f"in {len(histories) - 1} trial" in said.out + said.err


def test_a_run_says_beforehand_what_it_takes_by_stored_trials_if_there_are_any(ganbench, write_suite):
    write_suite()
    inline = ["run", "--suite", "mine.toml", "--output", "out", "--executor", "inline"]
    first = ganbench(*inline)
    assert re.match(r"about \d+ s and 1 MB, one trial at a time \(by a timed step of each\)$", first.first_line)
    asked = ganbench(*inline, "--seeds", "4", "--dry-run").out.splitlines()
    assert re.match(r"about \d+ s and 1 MB, one trial at a time \(by 2 trials that have ended\)$", asked[-2])
    assert asked[-1] == "2 trials to do, 2 kept, into out"
