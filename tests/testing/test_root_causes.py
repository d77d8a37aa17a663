"""One mistake is reported once and first: checks that presuppose what is broken are not run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import ganbench.testing
from ganbench.cli import main
from ganbench.contract.hooks import HOOKS
from ganbench.testing.candidate import select_candidates
from ganbench.testing.check import CHECKS, RENAMED, checks_of
from ganbench.testing.run_checks import run_checks

LOSSES = str(Path(__file__).parent / "broken" / "losses.py")
BLOCKED = "not run: needs gives-scalars"


@pytest.fixture
def check(monkeypatch, capsys):
    """Call `ganbench check ARGUMENTS`; return its exit code and its output."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["ganbench", "check", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().out

    return call


@pytest.fixture
def without_mean(tmp_path):
    """A plugin file with one loss, whose generator's loss lacks `.mean()`."""
    file = tmp_path / "without_mean.py"
    file.write_text(
        "import torch.nn.functional as F\nimport ganbench\n\n"
        "class WithoutMean(ganbench.Loss):\n    'Lacks the mean.'\n"
        "    def discriminator(self, d, real, fake):\n"
        "        return F.softplus(-d(real)).mean() + F.softplus(d(fake)).mean()\n"
        "    def generator(self, d, real, fake):\n        return F.softplus(-d(fake))\n\n"
        "@ganbench.hookimpl\ndef ganbench_losses():\n    yield ganbench.Component('mine', WithoutMean)\n"
    )
    return str(file)


def test_a_missing_mean_is_one_failure_and_comes_before_all_that_depends_on_it(without_mean):
    (candidate,) = select_candidates([without_mean])
    outcomes = list(run_checks(candidate))
    (failure,) = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert failure.check == "gives-scalars" and "the mean over the batch is missing" in failure.message
    blocked = [outcome for outcome in outcomes if outcome.status == "blocked"]
    assert {outcome.message for outcome in blocked} == {BLOCKED} and len(blocked) >= 10
    assert outcomes.index(failure) < min(map(outcomes.index, blocked))
    assert len(outcomes) == len(checks_of("loss"))


def test_the_command_shows_the_cause_and_counts_the_rest(check, without_mean):
    code, output = check(without_mean)
    head, first, *_, reason, total = output.splitlines()
    assert code == 1
    assert "1 failed" in head and "not run" in head
    assert first.strip().startswith("✗ gives-scalars: the generator's loss is shape (1,)")
    assert reason.strip().startswith("·") and reason.endswith(f"more checks {BLOCKED}")
    assert output.count("✗") == 1 and total.startswith("1 components,")


def test_verbose_output_and_json_have_every_check(check, without_mean):
    code, output = check(without_mean, "--verbose")
    assert code == 1 and output.count(f": {BLOCKED}") >= 10
    code, output = check(without_mean, "--json")
    outcomes = json.loads(output)
    assert code == 1 and len(outcomes) == len(checks_of("loss"))
    assert [o["check"] for o in outcomes if o["status"] == "failed"] == ["gives-scalars"]
    assert {o["message"] for o in outcomes if o["status"] == "blocked"} == {BLOCKED}


def test_as_pytest_cases_the_cause_fails_and_the_rest_is_skipped_in_any_order(without_mean):
    test = ganbench.testing.cases(without_mean)
    (mark,) = test.pytestmark
    results = {}
    for candidate, check in reversed(mark.args[1]):
        try:
            test(candidate, check)
            results[check.name] = "passed"
        except pytest.skip.Exception as reason:
            results[check.name] = str(reason)
        except pytest.fail.Exception:
            results[check.name] = "failed"
    assert [name for name, result in results.items() if result == "failed"] == ["gives-scalars"]
    assert results["does-the-same-twice"] == results["trains-d-to-separate"] == BLOCKED
    assert results["describes-itself"] == "passed"


def test_a_check_that_is_declared_to_fail_blocks_no_other(without_mean, tmp_path):
    text = (
        Path(without_mean)
        .read_text()
        .replace(
            "    def discriminator", "    expected_failures = {'gives-scalars': 'on purpose'}\n    def discriminator", 1
        )
    )
    (tmp_path / "declared.py").write_text(text)
    (candidate,) = select_candidates([str(tmp_path / "declared.py")])
    status = {outcome.check: outcome.status for outcome in run_checks(candidate)}
    assert status.pop("gives-scalars") == "expected" and "failed" in status.values()


@pytest.mark.parametrize("kind", HOOKS)
def test_every_check_comes_after_those_that_it_needs(kind):
    checks = checks_of(kind)
    for check in checks:
        assert {needed.name for needed in check.needed(kind)} <= {c.name for c in checks[: checks.index(check)]}
    names = [check.name for check in checks]
    assert len(set(names)) == len(names)


def test_names_of_needed_checks_exist():
    names = {check.name for check in CHECKS} | {"basic"}
    assert {name for check in CHECKS for name in check.needs} <= names
    assert set(RENAMED.values()) <= names and not set(RENAMED) & names


def test_old_names_in_expected_failures_are_understood_with_a_warning(tmp_path):
    (tmp_path / "old.py").write_text(
        "import ganbench\nfrom ganbench.testing import select_candidates\n\n"
        "class Backwards:\n    'Trains D the wrong way.'\n"
        "    expected_failures = {'teaches-d-to-tell-them-apart': 'on purpose'}\n"
        "    def discriminator(self, d, real, fake):\n        return (d(real) - d(fake)).mean()\n"
        "    def generator(self, d, real, fake):\n        return -d(fake).mean()\n\n"
        "@ganbench.hookimpl\ndef ganbench_losses():\n    yield ganbench.Component('backwards', Backwards)\n"
    )
    (candidate,) = select_candidates([str(tmp_path / "old.py")])
    with pytest.warns(FutureWarning, match="'teaches-d-to-tell-them-apart' is now 'trains-d-to-separate'"):
        outcomes = {outcome.check: outcome for outcome in run_checks(candidate)}
    assert outcomes["trains-d-to-separate"].status == "expected"
    assert not [outcome for outcome in outcomes.values() if outcome.status == "failed"]
