"""A run with ground truth is scored: every diagnoser on the past of every run, against what is true."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score

from ganbench.cli import cli
from ganbench.contract.errors import RequestError
from ganbench.contract.records import Evidence, Finding, History, WiringFault
from ganbench.registry.registry import load_registry
from ganbench.zoo.ground_truth.labels import FRACTIONS, Labels
from ganbench.zoo.score import dataset, score
from ganbench.zoo.score.diagnosers import DiagnosesOfDistribution
from ganbench.zoo.score.evaluate import evaluate
from ganbench.zoo.score.heuristics import ALWAYS
from ganbench.zoo.score.metrics import auprc, auroc, auroc_interval, precision_recall
from ganbench.zoo.score.recordings import Recording, until
from ganbench.zoo.score.tables import score_table, stopping_table, verdict_table

STEPS = 100


def recording(run, *, fails, level, recipe="collapse/some", seed=0, dataset="ring", status="done"):
    """A run whose `signal` is `level` from its middle on."""
    step = np.arange(5, STEPS + 1, 5)
    columns = {"step": step, "signal": np.where(step >= 50, level, 0.0), "loss_d": np.full(len(step), 0.6)}
    there = frozenset({"mode-collapse"}) if fails else frozenset()
    state = {f: there if f >= 0.5 else frozenset() for f in FRACTIONS}
    onset = {"mode-collapse": 50} if fails else {}
    labels = Labels(state, there, onset)
    return Recording(run, dataset, recipe, "hinge", seed, status, 8, History(columns, STEPS), labels, 1.0)


class Threshold:
    """Finds a collapse where the signal is high."""

    def diagnose(self, history):
        value, step = history.columns["signal"][-1], int(history.columns["step"][-1])
        if value > 0.5:
            evidence = {"signal": Evidence(value, 0.5, step)}
            yield Finding("mode-collapse", "now", "failure", min(1.0, value), step, "high", evidence, "")


RUNS = [
    *(recording(f"bad-{i}", fails=True, level=0.95, seed=i) for i in range(4)),
    recording("missed", fails=True, level=0.1),
    *(recording(f"good-{i}", fails=False, level=0.2, recipe="healthy/a", seed=i) for i in range(4)),
    recording("alarm", fails=False, level=0.8, recipe="healthy/b"),
]


@pytest.fixture
def predictions():
    return evaluate(RUNS, [DiagnosesOfDistribution("mine", {"mode-collapse": Threshold()})]).assign(part="held-out")


def test_state_and_forecast_are_scored_separately_at_every_fraction(predictions):
    table = score_table(predictions).set_index(["horizon", "fraction"])
    early, late = table.loc[("end", 0.1)], table.loc[("end", 1.0)]
    assert early["auroc"] == 0.5  # nothing to see yet
    assert late["auroc"] == pytest.approx(4 / 5 + 1 / 5 * 4 / 5 * 0.5)
    assert np.isnan(table.loc[("now", 0.1), "auroc"])  # no run has it by then
    assert (late["n_positive"], late["n_negative"]) == (5, 5)
    assert (late["precision"], late["recall"]) == (0.8, 0.8)
    assert late["false_alarm_rate"] == 0.2
    assert early["false_alarm_rate"] == 0.0
    assert table.loc[("now", 0.5), "latency"] == 0.0


def test_a_diagnosis_sees_the_past_alone(predictions):
    class Recorder:
        def __init__(self):
            self.seen = []

        def diagnose(self, history):
            self.seen.append(int(history.columns["step"].max()))
            return ()

    recorder = Recorder()
    evaluate(RUNS[:1], [DiagnosesOfDistribution("mine", {"mode-collapse": recorder})])
    assert sorted(set(recorder.seen)) == [10, 25, 50, 75, 100]


def test_stopping_saves_what_was_left_of_failed_runs_and_counts_healthy_ones_stopped(predictions):
    (row,) = stopping_table(predictions).query("part == 'all'").to_dict("records")
    assert row["saved"] == pytest.approx(4 / 5 * 0.5)  # sure at half of the budget, of four in five
    assert row["healthy_stopped"] == 0  # its alarm is not sure


def test_nothing_is_saved_of_a_run_that_diverged_before():
    short = recording("broke", fails=True, level=0.95, status="diverged")
    short = replace(short, history=until(short.history, 25))
    whole = recording("bad", fails=True, level=0.95, seed=1)
    always = evaluate([short, whole], [DiagnosesOfDistribution("mine", {"mode-collapse": Threshold()})])
    (row,) = stopping_table(always).query("part == 'all'").to_dict("records")
    assert row["saved"] == pytest.approx(0.5 / 1.25)


class Raises:
    def diagnose(self, history):
        raise IndexError("too young")


class Unsure:
    def diagnose(self, history):
        return ()

    def score(self, history, horizon):
        return np.nan


class Scribbles:
    def diagnose(self, history):
        history.columns["signal"][:] = 9.0
        return ()


@pytest.mark.parametrize(
    ("theirs", "said"), [(Raises, "IndexError: too young"), (Scribbles, "read-only"), (Unsure, "")]
)
def test_a_diagnosis_that_misbehaves_costs_its_own_row_alone(theirs, said):
    bad = DiagnosesOfDistribution("bad", {"mode-collapse": theirs()})
    table = evaluate(RUNS, [bad, DiagnosesOfDistribution("mine", {"mode-collapse": Threshold()})])
    assert not table.loc[table["diagnoser"] == "bad", "found"].any()
    assert (table.loc[table["diagnoser"] == "bad", "score"] == -np.inf).all()
    assert table.loc[table["diagnoser"] == "mine", "found"].any()
    assert said in "".join(bad.notes.values()) and bool(bad.notes) == bool(said)


def test_verdicts_are_summed_up_as_macro_f1(predictions):
    table = verdict_table(predictions).set_index("verdict")["f1"]
    assert table["mode-collapse"] == pytest.approx(0.8)
    assert table["healthy"] == pytest.approx(0.8)
    assert np.isnan(table["oscillation"])  # no run has it, and it counts for nothing
    assert table["macro"] == pytest.approx(0.8)


def test_metrics_agree_with_scikit_learn_and_intervals_resample_recipes():
    rng = np.random.default_rng(0)
    true, score = rng.random(60) < 0.4, np.round(rng.random(60), 1)
    assert auroc(true, score) == pytest.approx(roc_auc_score(true, score))
    recipe = np.repeat(np.arange(30), 2)
    low, high = auroc_interval(true, score, recipe)
    assert low < auroc(true, score) < high
    alike = auroc_interval(true, score, np.arange(60))
    assert high - low != alike[1] - alike[0]
    assert auroc(true, np.full(60, -np.inf)) == 0.5
    assert np.isnan(auroc(np.ones(5, bool), np.ones(5)))
    assert np.isnan(auprc(np.zeros(5, bool), np.ones(5)))
    assert precision_recall(np.array([True, False]), np.array([False, False]))[1] == 0


def test_seeds_of_a_recipe_are_in_one_part():
    parts = {recording("r", fails=False, level=0, seed=seed).part for seed in range(5)}
    assert len(parts) == 1
    of_all = {
        recording("r", fails=False, level=0, recipe=f"{family}/x", dataset=data).part
        for family in ("healthy", "weak", "collapse")
        for data in ("ring", "grid", "digits")
    }
    assert of_all == {"development", "held-out"}


def test_runs_on_other_data_than_the_zoos_are_all_held_out():
    parts = {
        recording("r", fails=False, level=0, recipe=f"{family}/x", dataset=data).part
        for family in ("healthy", "weak", "collapse", "oscillation")
        for data in ("spiral", "mnist", "mnist/few")
    }
    assert parts == {"held-out"}


def test_drawn_pictures_are_in_both_parts_by_their_networks_too():
    parts = {
        replace(recording("r", fails=False, level=0, recipe=f"{family}/x", dataset="shapes"), network=network).part
        for family in ("healthy", "weak", "collapse")
        for network in ("conv", "small-residual")
    }
    assert parts == {"development", "held-out"}


def test_recordings_are_the_same_when_read_back(tmp_path):
    broken = replace(recording("broken", fails=False, level=np.nan, status="diverged"), network="conv")
    bug = WiringFault("ignores-fake", "discriminator", 20, {"shown": "yes"})
    broken = replace(broken, history=replace(broken.history, wiring=(bug,)))
    dataset.write([*RUNS, broken], tmp_path)
    back = dataset.read(tmp_path)
    assert [r.run for r in back] == [*(r.run for r in RUNS), "broken"]
    assert (back[0].network, back[-1].network) == ("", "conv")
    assert (back[0].history.wiring, back[-1].history.wiring) == ((), (bug,))
    for old, new in zip(RUNS, back, strict=False):
        assert old.labels == new.labels
        np.testing.assert_allclose(old.history.columns["signal"], new.history.columns["signal"], rtol=1e-6)
    runs = pd.read_parquet(tmp_path / "runs.parquet")
    assert {"run", "recipe", "part", "ended_with", "healthy"} <= set(runs.columns)
    assert "## How labels are made" in (tmp_path / "README.md").read_text()
    (tmp_path / "states.parquet").write_bytes(b"no parquet")
    with pytest.raises(RequestError, match="no recordings that can be read"):
        dataset.read(tmp_path)


def test_several_folders_are_scored_as_one_and_no_run_twice(tmp_path, monkeypatch):
    for name, runs in (("one", RUNS[:5]), ("two", RUNS[5:])):
        dataset.write(runs, tmp_path / name)
    registry = load_registry()
    monkeypatch.setattr(score, "diagnosers", lambda registry: ([ALWAYS], []))
    made = score.score(tmp_path / "one", registry, [tmp_path / "two"])
    assert [r.run for r in made.recordings] == [r.run for r in RUNS]
    with pytest.raises(RequestError, match=r"two.*'bad-0'|'good-0'"):
        score.score(tmp_path / "two", registry, [tmp_path / "one", tmp_path / "two"])


def test_a_history_is_cut_at_a_step():
    past = until(RUNS[0].history, 42)
    assert past.columns["step"].max() == 40
    assert past.steps == STEPS
    bug = WiringFault("ignores-fake", "discriminator", 20)
    found = replace(RUNS[0].history, wiring=(bug,))
    assert until(found, 19).wiring == () and until(found, 20).wiring == (bug,)


SUITE = """
seeds = 1
metrics = ["ground-truth"]
executor = "inline"
datasets = { ring = { dataset = { name = "ring", sigma = 0.08, size = 5000, held_out = 2000 } } }
training = { steps = 60, batch_size = 32, observations = 10 }
evaluation = { at = [0.1, 0.25, 0.5, 0.75, 0.95, 1.0], samples = 300 }
[methods."weak/frozen"]
loss = "hinge"
generator = { name = "mlp", width = 16 }
discriminator = { name = "frozen", inner = { name = "mlp", width = 16 } }
[methods."healthy/one"]
loss = "hinge"
generator = { name = "mlp", width = 16 }
discriminator = { name = "mlp", width = 16 }
"""

THEIRS = '''
import ganbench

class Theirs:
    """Calls every run collapsed."""
    detects = "mode-collapse"
    def diagnose(self, history):
        yield ganbench.Finding("theirs", "now", "failure", 0.9, 1, "so it is", {}, "")

class Unrelated:
    """Detects what no run of the zoo has."""
    def diagnose(self, history):
        return ()

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("theirs", Theirs)
    yield ganbench.Component("unrelated", Unrelated)
'''


def test_a_run_is_scored_by_the_command_with_the_diagnoses_of_a_plugin(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(SUITE)
    assert CliRunner().invoke(cli, ["run", "--suite", "small.toml", "--output", "out"]).exit_code == 0
    (tmp_path / "ganbench_plugins.py").write_text(THEIRS)
    said = CliRunner().invoke(cli, ["score", "out"])
    assert said.exit_code == 0, said.output
    assert "unrelated" in said.output
    table = pd.read_csv("out/score/score.csv")
    assert {"ganbench", "ganbench_plugins.py", "always fail"} <= set(table["diagnoser"])
    assert set(table[table["diagnoser"] == "ganbench_plugins.py"]["diagnosis"]) == {"mode-collapse"}
    assert (table[table["diagnoser"] == "always fail"]["auroc"].dropna() == 0.5).all()
    assert "<h1>How good the diagnoses are</h1>" in (tmp_path / "out/score/index.html").read_text()
    refused = CliRunner().invoke(cli, ["score", "out", "--output", "small.toml"])
    assert isinstance(refused.exception, RequestError) and "small.toml is not a folder" in str(refused.exception)
    again = CliRunner().invoke(cli, ["score", "out/recordings", "--output", "again"])
    assert again.exit_code == 0, again.output
    pd.testing.assert_frame_equal(table, pd.read_csv("again/score.csv"), rtol=1e-4)
    assert json.loads((tmp_path / "out/suite.json").read_text())["suite"] == "small"


@pytest.mark.parametrize("there", [None, "empty", "unrelated"])
def test_a_folder_that_cannot_be_scored_is_one_clear_line(tmp_path, there):
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    if there == "unrelated":
        (folder / "suite.json").write_text('{"suite": "x", "trials": []}')
    with pytest.raises(RequestError) as raised:
        score.read(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)
