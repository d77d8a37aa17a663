"""A small comparison written by hand: names with markup, a diverged trial, a failed one, missing floors."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import ganbench

COLUMNS = {
    "trials": "suite trial dataset method generator discriminator loss regularizers seed status reason verdicts "
    "failed steps train_seconds seconds device",
    "scores": "suite trial dataset method seed step metric value better floor n_real n_fake seconds",
    "findings": "suite trial dataset method seed diagnosis horizon severity confidence onset_step summary evidence "
    "remedy",
    "comparison": "suite dataset method metric better n_seeds n_scored failed failure_rate failure_low failure_high "
    "mean std iqm iqm_low iqm_high best_mean floor rank p_better verdict",
}
HOSTILE = "<script>alert(1)</script>"
AWKWARD = "a_b & 50% | σ"
METHODS = ("plain", HOSTILE, AWKWARD)
DATASETS = ("ring", "Ziffern “ü” {x}")


def frame(table, records):
    return pd.DataFrame(records, columns=COLUMNS[table].split())


@dataclass
class FakeComparison(ganbench.Comparison):
    trials: pd.DataFrame
    scores: pd.DataFrame
    findings: pd.DataFrame
    comparison: pd.DataFrame
    pictures: Path
    suite: str = "basic"
    summary: str = "Three <b>methods</b>."
    damaged: tuple = ()
    environment: dict = field(
        default_factory=lambda: {
            "torch": "2.6",
            "plugins": {"extra": "<i>1</i>"},
            "command": "ganbench run",
            "gpus": ["a", "b"],
        }
    )

    def history(self, trial):
        steps = np.arange(0.0, 500.0)
        losses = np.exp(steps / 20) if trial == "ring/plain/1" else np.cos(steps)
        losses[-3:] = (np.nan, np.inf, -np.inf)
        return {
            "step": steps,
            "loss_d": losses,
            "d_real": np.full(500, 0.7),
            "value": -losses,
            "input_gradient": np.where(steps < 100, 0.0, 1e-3),
            "coverage": np.where(steps % 100 == 0, steps / 500, np.nan),
            "auc_d": np.full(500, np.nan),
        }

    def picture(self, trial):
        if trial == "ring/plain/1":
            return None
        path = self.pictures / ("cut.png" if trial == "ring/plain/2" else "samples.png")
        return path if path.exists() else None

    def snapshots(self, trial):
        return {250: self.pictures / "earlier.png"} if trial.endswith("/0") and trial != "ring/plain/0" else {}

    def nearest(self, trial):
        return self.pictures / "earlier.png" if trial.endswith("/0") else None


def _trial(dataset, method, seed, status="done", reason="", verdicts="no-failure-found"):
    return {
        "suite": "basic", "trial": f"{dataset}/{method}/{seed}", "dataset": dataset, "method": method,
        "generator": "mlp", "discriminator": "mlp", "loss": "hinge", "regularizers": "", "seed": seed,
        "status": status, "reason": reason, "verdicts": verdicts, "failed": status != "done", "steps": 500, "train_seconds": 0.1 + 0.2,
        "seconds": 1.5, "device": "cpu",
    }  # fmt: skip


def _compared(dataset, method, rank, metric, **changes):
    values = {
        "suite": "basic", "dataset": dataset, "method": method, "metric": metric, "better": "lower", "n_seeds": 3,
        "n_scored": 3, "failed": 0, "failure_rate": 0.0, "failure_low": 0.0, "failure_high": 0.56, "mean": 0.1,
        "std": 0.01, "iqm": 0.1 * rank, "iqm_low": 0.05 * rank, "iqm_high": 0.2 * rank, "best_mean": 0.09,
        "floor": math.nan, "rank": rank, "p_better": math.nan if rank == 1 else 0.75,
        "verdict": ("best", "equivalent", "inconclusive")[rank - 1],
    }  # fmt: skip
    return values | changes


def _finding(trial, **changes):
    values = {
        **{key: trial[key] for key in ("suite", "trial", "dataset", "method", "seed")},
        "diagnosis": "mode-collapse", "horizon": "now", "severity": "failure", "confidence": 0.9, "onset_step": 250,
        "summary": "G covers <40 % of the data | badly.", "remedy": "Add r1_r2 & wait.",
        "evidence": json.dumps({"coverage": {"value": 0.42, "threshold": 0.7, "step": 480}}),
    }  # fmt: skip
    return values | changes


@pytest.fixture
def comparison(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "samples.png")
    Image.effect_noise((48, 12), 80).save(tmp_path / "earlier.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "samples.png").read_bytes()[:500])
    trials = [_trial(dataset, method, seed) for dataset in DATASETS for method in METHODS for seed in range(3)]
    trials[1] |= {
        "status": "diverged",
        "reason": "loss of D is <NaN>\nat step 12",
        "verdicts": "divergence",
        "failed": True,
    }
    for failed in (3, 4):
        trials[failed] |= {"failed": True}
    trials[8] |= {"failed": True, "status": "error", "reason": "RuntimeError: a_b | c", "verdicts": None, "steps": None}
    compared = [
        _compared(dataset, method, rank, metric)
        for dataset in DATASETS
        for metric in ("energy_distance", "modes|lost")
        for rank, method in enumerate(METHODS, 1)
    ]
    compared[0] |= {"failed": 1, "n_scored": 2, "failure_rate": 1 / 3, "failure_low": 0.06, "failure_high": 0.79}
    compared[1] |= {"floor": 0.02}
    compared[2] |= {"n_scored": 0, "iqm": math.nan, "iqm_low": math.nan, "iqm_high": math.nan, "rank": math.nan}
    findings = [
        _finding(trials[3]),
        _finding(trials[4], summary="The generator is silent.", onset_step=120),
        _finding(trials[0], horizon="end", severity="warning", diagnosis="weak_discriminator", evidence="not JSON"),
    ]
    scores = [
        {**dict.fromkeys(COLUMNS["scores"].split()), "trial": trials[0]["trial"], "step": 500, "value": 0.1 + 0.2}
    ]
    return FakeComparison(
        frame("trials", trials),
        frame("scores", scores),
        frame("findings", findings),
        frame("comparison", compared),
        tmp_path,
    )


@pytest.fixture
def all_failed(tmp_path):
    """A comparison of trials that all ended in an error, without scores, findings or pictures."""
    trials = [_trial("ring", "plain", seed, "error", "no such file", None) for seed in range(2)]
    result = FakeComparison(
        frame("trials", trials), frame("scores", []), frame("findings", []), frame("comparison", []), tmp_path
    )
    result.history = lambda trial: {}
    return result
