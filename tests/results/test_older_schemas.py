"""Results of earlier versions are found and read; those of later ones are refused in one line."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ganbench
from ganbench.cli import cli
from ganbench.results.checkpoints import Checkpoint, CheckpointFolder, identify
from ganbench.results.store import Store
from ganbench.results.trial_files import read_trial

OLD_ID, OTHER_OLD_ID = "ring-hinge-0-0000000000", "ring-hinge-0-1111111111"
ADAM = {"name": "adam", "options": {"lr": 0.0002, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0}}


def write_old_trial(folder: Path, trial_id: str, diagnoses: tuple[str, ...] = ("mode-collapse",)) -> None:
    """A trial as version 0.1.0 stored it before schemas were numbered."""
    place = folder / "trials" / trial_id
    place.mkdir(parents=True)
    trial = {
        "id": trial_id,
        "suite": "old",
        "dataset": "ring",
        "method": "hinge",
        "seed": 0,
        "data": {"kind": "points", "shape": [2], "value_range": None, "classes": 0, "modes": 8},
        "components": {
            "dataset": {"name": "ring", "options": {}},
            "generator": {"name": "mlp", "options": {}},
            "discriminator": {"name": "mlp", "options": {}},
            "loss": {"name": "hinge", "options": {}},
            "regularizers": [],
        },
        "training": {
            "steps": 60,
            "batch_size": 16,
            "optimizer_g": ADAM,
            "optimizer_d": ADAM,
            "d_steps": 1,
            "g_steps": 1,
            "d_warmup": 0,
            "lr_decay": "constant",
            "ema": 0.0,
            "stop_when": None,
            "stop_on": [],
            "observations": 60,
        },
        "evaluation": {
            "metrics": [{"name": "energy-distance", "options": {}}],
            "at": [0.25, 0.5, 0.75, 1.0],
            "samples": 2500,
        },
        "diagnoses": [{"name": name, "options": {}} for name in diagnoses],
        "device": "cpu",
        "timeout": 900.0,
        "plugin_files": [],
    }
    result = {
        "status": "done",
        "reason": "",
        "steps": 60,
        "train_seconds": 1.0,
        "seconds": 2.0,
        "device": "cpu",
        "threads": 1,
        "origins": {},
        "verdicts": ["mode-collapse"],
    }
    finding = {
        "diagnosis": "mode-collapse",
        "horizon": "now",
        "severity": "failure",
        "confidence": 0.9,
        "onset_step": 30,
        "summary": "The generator does not reach 0.5 of the real data.",
        "evidence": {"uncovered": {"value": 0.5, "threshold": 0.2, "step": 60}},
        "remedy": 'd_steps = 1, regularizers = [{ name = "r1", weight = 0.05 }]',
        "cause": "",
        "track_record": "",
    }
    (place / "trial.json").write_text(json.dumps(trial))
    (place / "result.json").write_text(json.dumps(result))
    (place / "findings.json").write_text(json.dumps([finding]))
    (place / "scores.csv").write_text(
        "step,metric,value,better,floor,n_real,n_fake,seconds\n60,energy-distance,0.5,lower,0.01,100,100,0.1\n"
    )
    facts = json.dumps(
        {"steps": 60, "breakdown": {"step": 50, "player": "generator", "layer": "net.0", "what": "output"}}
    )
    table = pa.table({"step": np.array([30, 60]), "auc_d": np.array([0.6, 0.7])})
    pq.write_table(table.replace_schema_metadata({"ganbench": facts}), place / "history.parquet")


def main(arguments):
    """The exit code of a command, with an error as one line on standard error, as `ganbench` itself prints it."""
    try:
        return cli.main(arguments, standalone_mode=False)
    except ganbench.RequestError as error:
        sys.stderr.write(f"ganbench: {error}\n")
        return 2


@pytest.fixture
def old_run(tmp_path):
    folder = tmp_path / "old"
    write_old_trial(folder, OLD_ID)
    (folder / "suite.json").write_text(json.dumps({"suite": "old", "summary": "", "source": "", "trials": [OLD_ID]}))
    (folder / "environment.json").write_text("{}")
    return folder


SUITE = """
seeds = 1
datasets = ["ring"]
metrics = ["energy-distance"]
diagnoses = ["mode-collapse", "divergence"]

[training]
steps = 60
batch_size = 16

[methods.hinge]
loss = "hinge"
generator = "mlp"
discriminator = "mlp"
"""


def test_an_old_folder_is_loaded_under_the_ids_of_today(old_run):
    comparison = ganbench.load(old_run)
    (trial,) = comparison.trials.trial
    assert trial != OLD_ID and trial.startswith("ring-hinge-0-")
    assert comparison.history(trial)["auc_d"].tolist() == [0.6, 0.7]
    assert list(comparison.scores.value) == [0.5]
    assert (old_run / "trials" / OLD_ID).is_dir(), "reading renames nothing"


def test_old_findings_are_read_with_their_remedy_and_evidence(old_run):
    result = Store(old_run).results()[0][0]
    (finding,) = result.findings
    assert finding.remedy == ganbench.Remedy({"d_steps": 1, "regularizers": [{"name": "r1", "weight": 0.05}]})
    assert finding.evidence.keys() == {"coverage_deficit"}


def test_where_an_old_history_stopped_being_finite_is_read(old_run):
    from ganbench.results.trial_files import read_history

    assert read_history(old_run / "trials" / OLD_ID).nonfinite == ganbench.NonFinite(50, "generator", "net.0", "output")


def test_report_and_diagnose_read_an_old_folder(old_run, capsys):
    assert main(["report", str(old_run), "--format", "csv"]) == 0
    assert main(["diagnose", str(old_run)]) == 0
    assert "0 findings in 1 trial" in capsys.readouterr().out


def test_run_keeps_the_trials_of_an_old_folder_and_renames_them(old_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("old.toml").write_text(SUITE)
    assert main(["run", "old.toml", "--output", str(old_run), "--executor", "inline"]) == 0
    (folder,) = (old_run / "trials").iterdir()
    stored = json.loads((folder / "trial.json").read_text())
    assert (stored["schema"], stored["id"]) == (2, folder.name) and folder.name != OLD_ID
    assert ganbench.load(old_run).scores.value.tolist() == [0.5], "its result was kept"
    assert "no findings of 'divergence'" in capsys.readouterr().err


def test_of_two_old_folders_with_one_id_the_listed_one_counts(old_run):
    write_old_trial(old_run, OTHER_OLD_ID, diagnoses=())
    results, damaged = Store(old_run).results()
    assert len(results) == 1 and not damaged
    assert [ref.name for ref in results[0].trial.diagnoses] == ["mode-collapse"]


@pytest.mark.parametrize(("command", "code"), [("report", 2), ("diagnose", 2), ("run", 2)])
def test_a_folder_of_a_newer_schema_is_refused_in_one_line(command, code, old_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("old.toml").write_text(SUITE)
    (old_run / "suite.json").write_text(json.dumps({"schema": 3, "suite": "old", "trials": [OLD_ID]}))
    arguments = {"run": ["run", "old.toml", "--output", str(old_run)]}.get(command, [command, str(old_run)])
    assert main(arguments) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "suite.json: written by a newer ganbench (schema 3; this one reads up to 2); upgrade ganbench" in line


def test_a_trial_of_a_newer_schema_is_left_out_by_name(old_run):
    path = old_run / "trials" / OLD_ID / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 3}))
    results, damaged = Store(old_run).results()
    assert not results and "trial.json: written by a newer ganbench (schema 3" in damaged[0]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.fixture
def run_it(tmp_path, say_here):
    """Run the suite into `out`, with further arguments."""
    (tmp_path / "old.toml").write_text(SUITE.replace("steps = 60", "steps = 4"))
    return lambda *more: say_here("run", "old.toml", "--output", "out", "--executor", "inline", *more)


@pytest.mark.parametrize("more", [(), ("--fresh",), ("--dry-run",)])
def test_a_trial_of_a_newer_schema_is_not_replaced(run_it, tmp_path, more):
    assert run_it().code == 0
    (path,) = tmp_path.glob("out/trials/*/trial.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 3, "hurdles": 7}))
    before = contents(tmp_path)
    said = run_it(*more)
    (line,) = said.err.splitlines()
    assert said.code == 2
    assert "trial.json: written by a newer ganbench (schema 3" in line and "give another --output" in line
    assert contents(tmp_path) == before


@pytest.mark.parametrize("newer", [{"format": 2}, {"versions": {"ganbench": "0.10.0"}}])
def test_a_checkpoint_of_a_newer_version_is_not_replaced(run_it, tmp_path, newer):
    assert run_it().code == 0
    (done,) = (tmp_path / "out" / "trials").iterdir()
    trial = read_trial(done)
    shutil.rmtree(done)
    folder = CheckpointFolder(tmp_path / "out" / "checkpoints" / trial.id, identify(trial, {}) | newer)
    folder.save(Checkpoint(3, 1.0, 1, {"invented": "later"}))
    before = contents(tmp_path)
    said = run_it()
    (line,) = said.err.splitlines()
    assert said.code == 2 and f"{trial.id}: saved by a newer ganbench" in line and "give another --output" in line
    assert contents(tmp_path) == before
    assert run_it("--fresh").code == 0
    assert not folder.folder.exists()


def test_a_checkpoint_of_an_older_version_costs_a_line_and_the_trial_starts_again(run_it, tmp_path):
    assert run_it().code == 0
    (done,) = (tmp_path / "out" / "trials").iterdir()
    trial = read_trial(done)
    shutil.rmtree(done)
    older = identify(trial, {}) | {"versions": {"ganbench": "0.0.9"}}
    CheckpointFolder(tmp_path / "out" / "checkpoints" / trial.id, older).save(Checkpoint(3, 1.0, 1, {}))
    said = run_it()
    assert said.code == 0 and "is left aside" in said.err and "the trial starts again" in said.err


def test_the_former_word_for_a_run_without_a_failure_is_read_as_the_present_one(tmp_path, result):
    store = Store(tmp_path)
    store.write(replace(result, verdicts=("healthy",)))
    assert store.read(result.trial.id).verdicts == ("no-failure-found",)
