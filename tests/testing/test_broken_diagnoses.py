"""Each broken diagnosis is refused by the check meant for it; a sound one passes them all."""

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "diagnoses.py"

REFUSALS = [
    ("Alarmist", {"is-silent-on-healthy-runs": "in the recorded run 'healthy-points', which is healthy"}),
    ("Deaf", {"is-loud-on-a-failed-run": "finds nothing in the recorded run 'mode-collapse'"}),
    ("Undeclared", {"names-a-failed-run": "declare loud_on"}),
    ("Overconfident", {"findings-are-well-formed": "confidence = 90"}),
    ("NoRemedy", {"findings-are-well-formed": "give ganbench.Remedy(settings, advice)"}),
    ("Misnamed", {"findings-are-well-formed": "give the component's name, 'Misnamed'"}),
    ("Trusting", {"handles-missing-signals": "raises IndexError for a history without rows"}),
    ("Overwrites", {"leaves-the-history-alone": "auc_d"}),
    ("Remembers", {"diagnoses-alike-twice": "other findings"}),
    ("NoSuchProbe", {"probes-exist": "an unknown probe 'coverag'"}),
    ("ChangesWeights", {"observing-changes-nothing": "with other weights than the same trial without it"}),
    ("WithHistory", {}),
    ("Sound", {}),
]


@pytest.mark.parametrize(("name", "refused"), REFUSALS, ids=[name for name, _ in REFUSALS])
def test_a_diagnosis_is_refused_for_its_defect_alone(name, refused):
    (candidate,) = [s for s in select_candidates([str(FILE)]) if s.entry.name == name]
    failed = {outcome.check: outcome.message for outcome in run_checks(candidate) if outcome.status == "failed"}
    assert failed.keys() == refused.keys()
    for check, words in refused.items():
        assert words in failed[check] and "fix:" in failed[check]
