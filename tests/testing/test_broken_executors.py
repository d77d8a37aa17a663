"""Each broken executor is refused by the check meant for it, and none affects the checking process."""

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.helpers.executor_trace import TimeLimits
from ganbench.testing.kinds import executors
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "executors.py"
DEADLY = "survives-a-trial-that-dies"

REFUSALS = [
    ("LosesErrors", {"gives-each-trial-back-once": "yields 'faulty' 0 times"}),
    ("Silent", {"announces-every-trial": "emits no TrialStarted"}),
    ("DropsWeights", {"gives-the-results-of-run-trial": "without weights"}),
    ("WantsTrials", {"has-nothing-to-do-without-trials": "raised IndexError"}),
    ("LeavesAProcess", {"leaves-no-process-behind": "leaves 1 process"}),
    ("Collects", {"can-be-closed-early": "yields no result before all trials have ended"}),
    ("WaitsWhenClosed", {"can-be-closed-early": "closed after the first result, it runs for another"}),
    ("LastFirst", {}),
    ("MiddleFirst", {}),
]


@pytest.fixture(autouse=True)
def short_time_limits(monkeypatch):
    """Broken executors use up the time limits; the others need no more than these."""
    monkeypatch.setattr(executors, "TIME_LIMITS", TimeLimits(scenario=30.0, ending=1.0, slow=4.0))


def outcomes(name):
    (candidate,) = [s for s in select_candidates([str(FILE)]) if s.entry.name == name]
    return {outcome.check: outcome for outcome in run_checks(candidate)}


def failures(name):
    return {check: outcome.message for check, outcome in outcomes(name).items() if outcome.status == "failed"}


@pytest.mark.parametrize(("name", "refused"), REFUSALS, ids=[name for name, _ in REFUSALS])
def test_an_executor_is_refused_for_its_defect_alone(name, refused):
    failed = failures(name)
    assert failed.keys() == refused.keys()
    for check, words in refused.items():
        assert words in failed[check] and "fix:" in failed[check]


def test_an_executor_that_never_ends_does_not_hold_the_checker_up(monkeypatch):
    monkeypatch.setattr(executors, "TIME_LIMITS", TimeLimits(scenario=8.0, ending=1.0, slow=2.0))
    result = outcomes("Hangs")
    assert "was not done after 8 s" in result["gives-each-trial-back-once"].message
    assert result["can-be-closed-early"].status == "passed"
    assert result["a-trial-that-raises-is-an-error"].message == "not run: needs gives-each-trial-back-once"
    assert result[DEADLY].status == "expected"


def test_a_trial_that_ends_the_calling_process_does_not_end_the_checker():
    failed = failures("Undeclared")
    assert failed.keys() == {DEADLY}
    assert "of which the second ends the process that it runs in" in failed[DEADLY]
    assert "exit code 3" in failed[DEADLY] and "fix:" in failed[DEADLY]


def test_an_executor_that_declares_it_passes():
    status = {check: outcome.status for check, outcome in outcomes("InProcess").items()}
    assert status.pop(DEADLY) == "expected"
    assert set(status.values()) == {"passed"}
