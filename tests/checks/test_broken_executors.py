"""Each broken executor is refused by the check meant for it, and none of them takes the checker along."""

from pathlib import Path

import pytest

from ganbench.checks import carry_out, executor_rehearsal, select

FILE = Path(__file__).parent / "broken" / "executors.py"
DEADLY = "survives-a-trial-that-dies"

REFUSALS = [
    (
        "LosesErrors",
        {"gives-each-trial-back-once": "gives back 'faulty' 0 times", "a-trial-that-raises-is-an-error": "None"},
    ),
    ("Silent", {"announces-every-trial": "emits no TrialStarted"}),
    ("DropsWeights", {"gives-the-results-of-run-trial": "without weights"}),
    ("WantsTrials", {"has-nothing-to-do-without-trials": "raised IndexError"}),
    (
        "LeavesAProcess",
        {"leaves-no-process-behind": "leaves 1 process", "can-be-closed-early": "running after it was closed"},
    ),
]


def outcomes(name):
    (subject,) = [s for s in select([str(FILE)]) if s.entry.name == name]
    return {outcome.check: outcome for outcome in carry_out(subject)}


def failures(name):
    return {check: outcome.message for check, outcome in outcomes(name).items() if outcome.status == "failed"}


@pytest.mark.parametrize(("name", "refused"), REFUSALS, ids=[name for name, _ in REFUSALS])
def test_an_executor_is_refused_for_its_defect_alone(name, refused):
    failed = failures(name)
    assert failed.keys() == refused.keys()
    for check, words in refused.items():
        assert words in failed[check] and "to mend it:" in failed[check]


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [
        ("Hangs", "gives-each-trial-back-once", "was not done after"),
        ("Collects", "can-be-closed-early", "gives no result while other trials run"),
    ],
)
def test_an_executor_that_never_ends_does_not_hold_the_checker_up(name, check, words, monkeypatch):
    monkeypatch.setattr(executor_rehearsal, "PATIENCE", 15.0)
    assert words in failures(name)[check]


def test_a_trial_that_dies_in_the_calling_process_takes_the_executor_along_and_not_the_checker():
    failed = failures("Undeclared")
    assert failed.keys() == {DEADLY}
    assert "of which the second ends the process that it runs in" in failed[DEADLY]
    assert "exit code 3" in failed[DEADLY] and "to mend it:" in failed[DEADLY]


def test_an_executor_that_declares_it_passes():
    status = {check: outcome.status for check, outcome in outcomes("InProcess").items()}
    assert status.pop(DEADLY) == "expected"
    assert set(status.values()) == {"passed"}
