"""Each broken metric is refused by the check meant for it alone; a sound one passes them all."""

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "metrics.py"

REFUSALS = [
    ("WrongDirection", {"better-is-true": "better is 'higher'"}),
    ("NoDirection", {"better-is-declared": "better is None for its score 'far'"}),
    ("Tensors", {"better-is-declared": "a Tensor"}),
    ("Blind", {"better-is-true": "as good as real samples or better"}),
    ("CountsCopies", {"the-floor-is-low": "hardly separates real samples from degraded ones"}),
    ("FirstOnly", {"order-does-not-matter": "in another order"}),
    ("DrawsGlobally", {"scores-alike-twice": "for the same samples of ring"}),
    ("LikesNaN", {"broken-samples-never-look-good": "for samples that are all nan"}),
    ("RefusesNaN", {"broken-samples-never-look-good": "raises ValueError"}),
    ("RewardsOneNaN", {"one-broken-sample-does-not-help": "one NaN among 300 samples improves RewardsOneNaN"}),
    ("InPlace", {"leaves-its-samples-alone": "changes the samples of ring"}),
    ("EqualCounts", {"scores-are-finite": "for 100 generated and 300 real samples of ring"}),
    ("Sound", {}),
]


def outcomes(name):
    (candidate,) = [s for s in select_candidates([str(FILE)]) if s.entry.name == name]
    return list(run_checks(candidate))


@pytest.mark.parametrize(("name", "refused"), REFUSALS, ids=[name for name, _ in REFUSALS])
def test_a_metric_is_refused_for_its_defect_alone(name, refused):
    failed = {outcome.check: outcome.message for outcome in outcomes(name) if outcome.status == "failed"}
    for check, words in refused.items():
        assert words in failed[check] and "fix:" in failed[check]
    assert failed.keys() == refused.keys()


def test_a_metric_that_skips_all_data_is_not_checked():
    result = {outcome.check: outcome for outcome in outcomes("SkipsAll")}
    assert not [outcome for outcome in result.values() if outcome.status == "failed"]
    assert result["better-is-true"].status == "skipped" and "ring: not today" in result["better-is-true"].message
