"""A newer version is better, worse or equivalent only where its seeds can show it."""

from __future__ import annotations

import math

import pytest
from stored_runs import LOST, results_of, store_run

from ganbench import RequestError
from ganbench.results.versions import Version, compare_versions

LOW, MIDDLE, HIGH = [1, 1.5, 2, 1.2, 1.7], [4, 4.5, 5, 4.2, 4.7], [6.9, 7.0, 7.1, 6.95, 7.05]


def versions(tmp_path, old, new, **changes):
    sides = [store_run(tmp_path / name, results_of(of, **changes)) for name, of in (("old", old), ("new", new))]
    return compare_versions(*map(Version, sides))


def test_runs_are_compared_method_by_method(tmp_path):
    found = versions(tmp_path, {"a": MIDDLE, "b": MIDDLE, "gone": LOW}, {"a": HIGH, "b": LOW, "added": LOW})
    table = found.table.set_index("method")
    assert table.verdict.to_dict() == {"a": "better", "b": "worse"}
    assert table.loc["a", "delta"] == pytest.approx(2.55, abs=0.1) and table.loc["a", "delta_low"] > 0
    assert found.left_out == ("modes.covered on ring: added, gone: one of the runs has it only",)


def test_the_same_run_twice_is_equivalent_whatever_its_seeds(tmp_path):
    found = versions(tmp_path, {"a": [3, LOST, 7]}, {"a": [3, LOST, 7]})
    assert list(found.table.verdict) == ["equivalent"] and list(found.table.old_failed) == [1]


def test_a_trial_that_cannot_be_read_is_left_out_and_said(tmp_path):
    sides = [store_run(tmp_path / name, results_of({"a": LOW})) for name in ("old", "new")]
    broken = next((tmp_path / "new" / "trials").iterdir()) / "result.json"
    broken.write_text("cut short")
    found = compare_versions(*map(Version, sides))
    assert (list(found.table.old_seeds), list(found.table.new_seeds)) == ([5], [4])
    assert len(found.left_out) == 1 and found.left_out[0].startswith(f"{broken}: ")


def test_few_seeds_cannot_tell_and_say_how_many_would(tmp_path):
    found = versions(tmp_path, {"a": LOW[:3]}, {"a": HIGH[:3]})
    assert list(found.table.verdict) == ["inconclusive"] and found.table.seeds_needed[0] == 4


def test_many_methods_are_corrected_for_together(tmp_path):
    names = [f"m{i}" for i in range(8)]
    same = {name: [5 + i / 10, 5.3, 5.6, 4.9, 5.2] for i, name in enumerate(names)}
    changed = {name: [value + (0.01 if i else 2) for value in values] for i, (name, values) in enumerate(same.items())}
    table = versions(tmp_path, same, changed).table.set_index("method")
    assert table.loc["m0", "p_value"] == pytest.approx(8 * 2 / math.comb(10, 5))
    assert table.loc["m0", "verdict"] == "inconclusive", "0.0079 is no small p-value of one method among eight"


def test_two_methods_of_a_run_are_compared(tmp_path):
    store = store_run(tmp_path, results_of({"old": MIDDLE, "new": HIGH}))
    table = compare_versions(Version(store, "old"), Version(store, "new")).table
    assert list(table.method) == ["old → new"] and list(table.verdict) == ["better"]


def test_what_cannot_be_compared_is_said(tmp_path):
    one = store_run(tmp_path / "a", results_of({"a": MIDDLE}))
    two = store_run(tmp_path / "b", results_of({"b": MIDDLE}))
    with pytest.raises(RequestError, match="nothing is common to both"):
        compare_versions(Version(one), Version(two))
    with pytest.raises(RequestError, match="no method is called 'c'; valid: a"):
        compare_versions(Version(one, "c"), Version(two))
