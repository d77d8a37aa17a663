"""Loops in which the adversarial term is one of several: a bug of each is named, and a healthy one is not accused.

The programs in `examples/adversarial/` have the contracts of VQGAN, HiFi-GAN, DMD2 and CTGAN.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "adversarial"
BUGS = {
    ("tokenizer", "never-steps"): "D does not change while G learns.*no optimizer",
    ("tokenizer", "no-grad"): "A term of G's loss has no gradient to G",
    ("vocoder", "swapped-targets"): "D is rewarded for calling real and generated samples real alike",
    ("vocoder", "not-detached"): "G is not detached while D learns",
    ("distillation", "same-noise"): "G is given the same z at every step",
    ("distillation", "heads-left-out"): "no gradient of D's own loss has reached D's weights",
    ("table", "detached-condition"): "A term of G's loss has no gradient to G: 'condition'",
    ("table", "evaluation-mode"): "G is trained in evaluation mode.*BatchNorm1d",
}


def train(name, **options):
    monitors = runpy.run_path(str(FOLDER / f"{name}.py"))["train"](**options)
    return monitors if isinstance(monitors, list) else [monitors]


def wiring(monitor):
    return [finding.summary for finding in monitor.findings if finding.diagnosis == "wiring"]


@pytest.mark.parametrize(("name", "bug"), BUGS, ids=["-".join(bug) for bug in BUGS])
def test_the_bug_of_a_loop_is_named_and_nothing_else_of_the_program(name, bug):
    pattern = BUGS[name, bug].split(".*")
    for monitor in train(name, steps=100, bug=bug):
        (summary,) = wiring(monitor)
        assert all(part in summary for part in pattern)
        assert monitor.should_stop and monitor.muted is None


@pytest.mark.parametrize("name", ["tokenizer", "vocoder", "distillation", "table"])
def test_a_healthy_loop_is_understood_and_its_program_not_accused(name):
    for monitor in train(name, steps=24):
        assert monitor.muted is None and monitor.notes == () and wiring(monitor) == []
        assert len(monitor.history().columns["auc_d"]) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tokenizer", "vocoder", "distillation", "table"])
def test_no_failure_is_found_in_a_healthy_loop(name):
    for monitor in train(name):
        assert [finding.summary for finding in monitor.findings if finding.severity == "failure"] == []


def test_each_head_of_a_vocoders_discriminator_has_a_column():
    periods, scales = train("vocoder", steps=10)
    assert "auc_d_head_3" in periods.history().columns and "auc_d_head_3" not in scales.history().columns


@pytest.mark.parametrize("name", ["tokenizer", "vocoder", "distillation", "table"])
def test_a_program_prints_what_it_found(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--steps", "10"])
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    assert "ended after 10 of 10 steps" in capsys.readouterr().out
