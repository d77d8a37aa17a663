"""Each broken report is refused by the check meant for it; a sound one passes them all."""

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

FILE = Path(__file__).parent / "broken" / "reports.py"

REFUSALS = [
    ("WritesIntoTheWorkingDirectory", {"writes-nowhere-else": "elsewhere/draft.txt"}),
    ("WritesBesideItsFolder", {"writes-nowhere-else": "draft.txt"}),
    ("WritesAnExtraFile", {"returns-the-files-it-wrote": "writes style.css and does not return it"}),
    (
        "WritesTheTime",
        {"writes-the-same-again": "other bytes the second time: trials.txt"},
    ),
    ("EmptiesTheFolder", {"leaves-other-files-alone": "notes-of-someone-else.dat"}),
    ("WantsScores", {"serves-a-run-without-scores": "raises IndexError if all trials ended in an error"}),
    ("WantsTrials", {"serves-a-run-without-trials": "raises IndexError if no trial has ended yet"}),
    ("RenamesMethods", {"leaves-the-comparison-alone": "changes the tables of the comparison: trials"}),
    ("Latin1", {"text-is-utf-8": "trials.txt is not UTF-8"}),
    ("Grows", {"writes-the-same-again": "other bytes the second time: trials.jsonl"}),
    ("Latin1Log", {"text-is-utf-8": "trials.LOG is not UTF-8"}),
    ("NoEncoding", {"text-is-utf-8": "opens trials.md, trials.txt for writing without an encoding"}),
    ("WritesAnImage", {}),
    ("Sound", {}),
]


def failures(name):
    (candidate,) = [s for s in select_candidates([str(FILE)]) if s.entry.name == name]
    return {outcome.check: outcome.message for outcome in run_checks(candidate) if outcome.status == "failed"}


@pytest.mark.parametrize(("name", "refused"), REFUSALS, ids=[name for name, _ in REFUSALS])
def test_a_report_is_refused_for_its_defect_alone(name, refused):
    failed = failures(name)
    assert failed.keys() == refused.keys()
    for check, words in refused.items():
        assert words in failed[check] and "fix:" in failed[check]


def test_a_report_that_returns_no_files_is_refused():
    assert "write() returns None" in failures("ReturnsNothing")["returns-the-files-it-wrote"]
