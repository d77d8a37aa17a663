"""No check tries a component on data that its `skip` refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.helpers.recordings import DATA, recording
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "skips.py"
IMAGE_RUNS = [run for run, (_, spec) in DATA.items() if spec.kind == "images"]


def check(component: str) -> tuple[dict, list]:
    """Run all checks of a component of the file; return their outcomes by name, and the data that it has seen."""
    (candidate,) = [c for c in select_candidates([str(FILE)]) if c.id == component]
    seen = sys.modules[candidate.entry.build.__module__].SEEN[candidate.entry.kind]
    seen.clear()
    return {outcome.check: outcome for outcome in run_checks(candidate)}, list(seen)


def failed(outcomes: dict) -> dict[str, str]:
    return {name: outcome.message for name, outcome in outcomes.items() if outcome.status == "failed"}


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_networks_are_built_for_data_that_they_accept_with_the_options_at_hand(kind):
    outcomes, seen = check(f"{kind}/images-only")
    assert {spec.kind for spec, _ in seen} == {"images"}
    assert {spec.shape for spec, conditional in seen if conditional} <= {(3, 32, 32)}
    assert (kind == "discriminator") or any(conditional for _, conditional in seen)
    assert failed(outcomes).keys() <= {"stays-in-the-value-range"}
    assert not [outcome for outcome in outcomes.values() if outcome.status == "blocked"]


@pytest.mark.parametrize("kind", ["loss", "regularizer"])
def test_losses_and_regularizers_are_called_with_data_that_they_accept(kind):
    outcomes, seen = check(f"{kind}/images-only")
    assert seen and {tuple(shape[1:]) for shape in seen} == {(1, 8, 8)}
    assert failed(outcomes) == {}


def test_metrics_score_data_that_they_accept():
    _, seen = check("metric/images-only")
    assert {tuple(shape[1:]) for shape in seen} == {(1, 8, 8), (3, 8, 8)}


def test_diagnoses_are_shown_runs_on_data_that_they_accept():
    outcomes, seen = check("diagnosis/images-only")
    first_loss = {run: recording(run).columns["loss_d"][0] for run in DATA}
    assert len(set(first_loss.values())) == len(DATA)
    assert {run for run in DATA if first_loss[run] in seen} == set(IMAGE_RUNS)
    assert failed(outcomes).keys() == {"is-loud-on-a-failed-run"}
    assert "finds nothing in the recorded run 'oscillation'" in failed(outcomes)["is-loud-on-a-failed-run"]


def test_a_diagnosis_that_skips_its_recorded_run_is_told_to_bring_one():
    outcomes, _ = check("diagnosis/points-named-by-the-run")
    assert failed(outcomes) == {}
    for name in ("names-a-failed-run", "is-loud-on-a-failed-run"):
        assert outcomes[name].status == "skipped"
        assert "declare failing_history()" in outcomes[name].message
