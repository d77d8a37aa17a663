"""Each broken suite is refused by the check meant for it; a sound one passes them all."""

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.kinds import suites
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "suites.py"

REFUSALS = [
    ("a-text", "is-a-toml-file", "which is no path of a TOML file"),
    ("lost", "is-a-toml-file", "a file that is not packaged"),
    ("misspelt-key", "can-be-read", "unknown key 'sedes'; did you mean 'seeds'?"),
    ("renamed", "is-named-plainly", "the suite's name is 'sound', and the component's is 'renamed'"),
    ("capital-letters", "is-named-plainly", "'Hinge loss' is not made of lower-case letters"),
    ("no-summary", "describes-itself", "has no summary"),
    ("misspelt-loss", "expands-into-trials", "no loss is called 'hnige'"),
    ("data-out-of-bounds", "expands-into-trials", "sigma = -1.0"),
    ("skipped-metric", "every-part-is-used", "metric 'modes' is skipped in every trial"),
    ("skipped-method", "every-part-is-used", "method 'convolutional' is skipped in every trial"),
    ("out-of-bounds", "its-components-build", "generator 'mlp' of method 'hinge' on 'ring' does not build"),
]


def candidate(name):
    return next(s for s in select_candidates([str(FILE)]) if s.entry.name == name)


def failures(name):
    return {outcome.check: outcome.message for outcome in run_checks(candidate(name)) if outcome.status == "failed"}


@pytest.mark.parametrize(("name", "check", "words"), REFUSALS, ids=[name for name, *_ in REFUSALS])
def test_a_suite_is_refused_for_its_defect_alone(name, check, words):
    failed = failures(name)
    assert failed.keys() == {check}
    assert words in failed[check] and "fix:" in failed[check]


def test_a_sound_suite_passes_every_check():
    assert failures("sound") == {}


def test_a_suite_that_needs_a_missing_distribution_is_skipped(monkeypatch):
    monkeypatch.setattr(suites.metadata, "requires", lambda name: ['ganbench-elsewhere; extra == "more"', "ganbench"])
    result = {outcome.check: outcome for outcome in run_checks(candidate("misspelt-loss"))}
    assert result["expands-into-trials"].status == "skipped"
    assert "ganbench-elsewhere, which it may need, is not installed" in result["expands-into-trials"].message
