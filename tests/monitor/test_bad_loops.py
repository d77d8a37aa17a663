"""Whatever is wrong with the loop or the monitor, training goes on and one warning gives the reason."""

from __future__ import annotations

import copy
import re
import warnings

import pytest
import torch
from torch import nn

import ganbench

BAD_LOOPS = {  # a function that prepares it, whether it calls the networks, and the reason that is given
    "nothing is called": (lambda gan: None, False, "the generator has not been called"),
    "g is never called": (lambda gan: {"g": copy.deepcopy(gan.g)}, True, "the generator has not been called"),
    "d is never called": (lambda gan: {"d": copy.deepcopy(gan.d)}, True, "the discriminator has not been called"),
    "no logits": (
        lambda gan: gan.d.register_forward_hook(lambda m, a, o: o.expand(-1, 5)) and {},
        True,
        r"returns \(16, 5\) for 16",
    ),
    "another range": (lambda gan: {"fake": lambda x: 10 * x + 3}, True, "is not given what the generator returns"),
    "another shape": (
        lambda gan: {"fake": lambda x: torch.cat([x, x], 1), "d": gan.wide, "real": gan.twice},
        True,
        r"\(4,\)",
    ),
    "too few real samples": (lambda gan: setattr(gan, "batch", 2), True, "too few real samples"),
}


@pytest.mark.parametrize("name", BAD_LOOPS)
def test_a_loop_that_is_not_understood_disables_the_monitor_with_one_warning(name, gan, issued_warnings):
    prepare, trains, reason = BAD_LOOPS[name]
    gan.wide, gan.twice = nn.Sequential(nn.Linear(4, 1)), lambda x: torch.cat([x, x], 1)
    options = prepare(gan) or {}
    monitor = ganbench.Monitor(gan.g, options.get("d", gan.d) if name == "another shape" else gan.d, budget=40)
    for _ in range(45):
        if trains:
            gan.step(**options)
        monitor.step()
    assert monitor.muted is not None and monitor.findings == () and not monitor.should_stop
    (line,) = issued_warnings()
    assert re.search(reason, line)
    assert not gan.g._forward_hooks and not gan.d._forward_pre_hooks


class Faulty:
    """A diagnosis that finds something twice and then raises."""

    def __init__(self, error):
        self.error, self.calls = error, 0

    def diagnose(self, history):
        self.calls += 1
        if self.calls > 2:
            raise self.error
        yield ganbench.Finding("faulty", "now", "warning", 0.7, 1, "Something.", {}, ganbench.Remedy())


def test_an_error_in_a_diagnosis_disables_the_monitor_and_keeps_its_findings(gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, diagnoses=[])
    monitor._diagnoses["faulty"] = Faulty(KeyError("gone"))
    gan.train(monitor)
    assert [finding.diagnosis for finding in monitor.findings] == ["faulty"]
    assert "KeyError" in monitor.muted and len(issued_warnings()) == 1
    assert len(monitor.history().columns["step"]) == 3


def test_an_error_in_a_hook_does_not_reach_the_loop(gan, issued_warnings, monkeypatch):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    monkeypatch.setattr(monitor._capture, "_find_origin", lambda leaves: 1 / 0)
    gan.train(monitor)
    assert monitor.muted is not None and len(issued_warnings()) == 1


def test_an_error_whose_message_raises_does_not_reach_the_loop(gan, issued_warnings):
    class NoMessage(Exception):
        def __str__(self):
            raise RuntimeError("nothing to say")

    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, diagnoses=[])
    monitor._diagnoses["faulty"] = Faulty(NoMessage())
    gan.train(monitor)
    assert "NoMessage" in monitor.muted and len(issued_warnings()) == 1


def test_an_interrupt_reaches_the_loop(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, diagnoses=[])
    monitor._diagnoses["faulty"] = Faulty(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        gan.train(monitor)
    gan.train(monitor)
    assert monitor.muted is None and not gan.g._forward_hooks


def test_a_callback_that_raises_does_not_disable_the_monitor(gan, issued_warnings):
    def on_finding(finding):
        raise OSError("no network")

    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, on_finding=on_finding, diagnoses=[])
    monitor._diagnoses["a"] = Faulty(ValueError())
    monitor._diagnoses["a"].calls = -100
    gan.train(monitor)
    assert monitor.muted is None and len(monitor.history().columns["step"]) == 4
    (line,) = issued_warnings()
    assert "on_finding raised OSError: no network" in line


def test_training_goes_on_where_warnings_are_errors(gan, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor = ganbench.Monitor(gan.g, gan.d, real=iter([]), budget=40, diagnoses=[])
        monitor._diagnoses["faulty"] = Faulty(RuntimeError("broken"))
        gan.train(monitor)
    assert monitor.muted == "RuntimeError: broken"
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("empty", [{0}, {0, 1, 2}, {9}, {3, 8, 9, 10}])
def test_an_empty_batch_is_skipped(empty, gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    for i in range(40):
        gan.batch = 0 if i in empty else 32
        gan.step()
        monitor.step()
    assert monitor.muted is None and issued_warnings() == []
    assert list(monitor.history().columns["step"]) == [10, 20, 30, 40]


def test_a_loop_whose_batches_are_all_empty_disables_the_monitor(gan, issued_warnings):
    gan.batch = 0
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    gan.train(monitor)
    assert "not been called on any sample" in monitor.muted and len(issued_warnings()) == 1


def test_a_discriminator_that_is_not_called_yet_is_told_how_to_say_so(gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=60)
    for _ in range(60):
        gan.g(torch.randn(8, gan.g[0].in_features))
        monitor.step()
    assert "the discriminator has not been called on any sample in 20 steps" in monitor.muted
    assert "Monitor(..., adversarial_from=STEP)" in monitor.muted and len(issued_warnings()) == 1


class UnreadableData:
    """A data set whose error message has two lines."""

    def __len__(self):
        return 100

    def __getitem__(self, i):
        raise OSError("no such file:\n  a.png")


def test_every_note_is_one_line(gan, issued_warnings):
    monitor = ganbench.Monitor(gan.g, gan.d, real=UnreadableData(), budget=40)
    gan.train(monitor)
    (note,) = monitor.notes
    assert "reading it raised OSError: no such file: a.png; real samples are taken from the" in note
    assert "\n" not in note and len(issued_warnings()) == 1 and monitor.muted is None


def test_a_note_is_issued_once(gan, issued_warnings):
    """The discriminator ends in a sigmoid at every other observation."""
    detected = []
    gan.d.register_forward_hook(lambda module, args, out: out if len(detected) % 2 else out.sigmoid())
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=100, diagnoses=[])
    detect = monitor._view._detect_logits
    monitor._view._detect_logits = lambda: (detected.append(monitor._view._read_logits.probabilities), detect())[0]
    gan.train(monitor, 100)
    assert len(monitor.history().columns["step"]) == 10 and {True, False} == set(detected)
    assert len(monitor.notes) == len(issued_warnings()) == 1


def test_samples_that_are_not_finite_are_not_a_divergence(gan):
    corrupted = gan.real.clone()
    corrupted[::100] = float("nan")
    monitor = ganbench.Monitor(gan.g, gan.d, real=corrupted, budget=40)
    gan.train(monitor, 40)
    assert "divergence" not in {f.diagnosis for f in monitor.findings}
    assert any("not finite" in note for note in monitor.notes)
