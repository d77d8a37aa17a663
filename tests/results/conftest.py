"""A result with everything in it that can be stored."""

from __future__ import annotations

import numpy as np
import pytest

from ganbench.contract.records import Artifacts, Evidence, Finding, History, NonFinite, Score, TrialResult


@pytest.fixture
def result(make_trial) -> TrialResult:
    columns = {"step": np.array([10, 20]), "loss_d": np.array([0.1, np.nan]), "auc_d": np.array([1 / 3, 0.5])}
    history = History(columns, 20, NonFinite(13, "generator", "net.0", "output"))
    pixels = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    finding = Finding(
        "x", "now", "failure", 0.9, 10, "text; with, commas\nand lines", {"a": Evidence(1.0, 2.0, 3)}, "r1"
    )
    return TrialResult(
        make_trial(),
        "diverged",
        reason="why “not”",
        steps=13,
        train_seconds=1.5,
        seconds=2.25,
        device="cpu",
        threads=1,
        origins={"loss hinge": "ganbench 0"},
        scores=(Score(10, "m", 1 / 3, "higher", float("nan"), 5, 6, 0.1),),
        findings=(finding,),
        verdicts=("x",),
        artifacts=Artifacts(history, pixels, pixels, {"g.weight": np.arange(6.0).reshape(2, 3)}),
    )
