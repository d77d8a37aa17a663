"""Each broken suite is refused by the check meant for it; a sound one passes them all."""

from pathlib import Path

import pytest

from ganbench.testing.kinds import suites
from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "suites.py"

UNFOLDED = ("expands-into-trials", "every-part-is-used", "its-components-build")  # they need the trials

REFUSALS = [
    ("a-text", "is-a-toml-file", "which is no path of a TOML file", "*"),
    ("lost", "is-a-toml-file", "a file that is not packaged", "*"),
    ("misspelt-key", "can-be-read", "unknown key 'sedes'; did you mean 'seeds'?", "*"),
    ("renamed", "is-named-plainly", "calls itself 'sound' and is offered as 'renamed'", ()),
    ("shouts", "is-named-plainly", "'Hinge loss' is not made of small letters", ()),
    ("wordless", "says-what-it-is-for", "has no summary", ("describes-itself",)),
    ("misspelt-loss", "expands-into-trials", "no loss is called 'hnige'", UNFOLDED),
    ("broken-data", "expands-into-trials", "sigma = -1.0", UNFOLDED),
    ("useless-metric", "every-part-is-used", "metric 'modes' serves none of its data sets", ()),
    ("useless-method", "every-part-is-used", "method 'convolutional' is skipped in every trial", ()),
    ("out-of-bounds", "its-components-build", "generator 'mlp' of method 'hinge' on 'ring' does not build", ()),
]


def candidate(name):
    return next(s for s in select_candidates([str(FILE)]) if s.entry.name == name)


def failures(name):
    return {outcome.check: outcome.message for outcome in run_checks(candidate(name)) if outcome.status == "failed"}


@pytest.mark.parametrize(("name", "check", "words", "also"), REFUSALS, ids=[name for name, *_ in REFUSALS])
def test_a_suite_is_refused_for_its_defect_alone(name, check, words, also):
    failed = failures(name)
    assert words in failed[check] and "fix:" in failed[check]
    assert also == "*" or failed.keys() == {check, *also}


def test_a_sound_suite_passes_every_check():
    assert failures("sound") == {}


def test_a_suite_of_a_distribution_that_is_not_installed_is_not_judged(monkeypatch):
    monkeypatch.setattr(suites.metadata, "requires", lambda name: ['ganbench-elsewhere; extra == "more"', "ganbench"])
    said = {outcome.check: outcome for outcome in run_checks(candidate("misspelt-loss"))}
    assert said["expands-into-trials"].status == "skipped"
    assert "ganbench-elsewhere, which it may need, is not installed" in said["expands-into-trials"].message
