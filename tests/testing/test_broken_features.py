"""Each broken feature extractor is refused by the check meant for it alone; a sound one passes them all."""

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "features.py"

REFUSALS = [
    ("NotCallable", {"has-required-members": "has no '__call__'"}),
    ("NoPreprocessing", {"states-its-preprocessing": "preprocessing is ''"}),
    ("ChecksumIsAVersion", {"states-its-preprocessing": "checksum is 'v1.2'"}),
    ("Column", {"gives-a-row-a-sample": "returns (4,) of float32 for samples (1, 2)"}),
    ("WrongDim", {"gives-a-row-a-sample": "returns (6, 4) of float32 for samples (6, 2), and dim is 3"}),
    ("Float64", {"gives-a-row-a-sample": "returns float64"}),
    ("NotFinite", {"gives-a-row-a-sample": "not finite for finite samples"}),
    ("WrongTap", {"taps-are-as-stated": "returns (6, 3) of float32 for samples (6, 2), and taps['summary'] is 4"}),
    ("IgnoresSamples", {"samples-matter": "the same features"}),
    ("Augments", {"gives-the-same-features-again": "other features at the next call"}),
    ("NormalizesByTheBatch", {"rows-do-not-depend-on-the-batch": "alone and in a batch of 6"}),
    ("ClipsNaN", {"a-broken-sample-breaks-its-row-alone": "a nan features that are not all NaN"}),
    ("SpreadsNaN", {"a-broken-sample-breaks-its-row-alone": "gives other samples other features"}),
    ("KeepsAGraph", {"computes-no-gradient": "require a gradient"}),
    ("InPlace", {"leaves-its-samples-alone": "changes the samples (6, 2)"}),
    ("DrawsWeights", {"draws-nothing": "draws from torch's global random stream"}),
    ("Images", {}),
    ("Sound", {}),
]


def outcomes(name):
    (candidate,) = [s for s in select_candidates([str(FILE)]) if s.entry.name == name]
    return list(run_checks(candidate))


@pytest.mark.parametrize(("name", "refused"), REFUSALS, ids=[name for name, _ in REFUSALS])
def test_features_are_refused_for_their_defect_alone(name, refused):
    failed = {outcome.check: outcome.message for outcome in outcomes(name) if outcome.status == "failed"}
    assert failed.keys() == refused.keys()
    for check, words in refused.items():
        assert words in failed[check] and "fix:" in failed[check]


def test_features_whose_weights_are_not_here_are_not_judged():
    result = {outcome.check: outcome for outcome in outcomes("WeightsAreElsewhere")}
    assert {outcome.status for outcome in result.values()} == {"passed", "skipped"}
    for name in ("gives-a-row-a-sample", "draws-nothing", "does-the-same-twice", "leaves-global-state-alone"):
        assert result[name].message == "its files are not here: fetch the weights to /nowhere"


def test_sound_features_are_tried_by_every_check():
    status = {outcome.check: outcome.status for outcome in outcomes("Sound")}
    assert set(status.values()) == {"passed"}
    assert "taps-are-as-stated" in status
