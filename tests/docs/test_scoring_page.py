"""The tables of docs/scoring.md agree with the committed scores, and the scores with the committed recordings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

from ganbench.registry.registry import load_registry
from ganbench.zoo.score import score

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"


def test_the_page_has_the_committed_scores():
    spec = importlib.util.spec_from_file_location("scoring_tables", ROOT / "scripts" / "make_scoring_tables.py")
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.fill(page) == page


@pytest.mark.parametrize("runs", ["failures", "failures-pictures", "elsewhere"])
def test_the_committed_scores_follow_from_the_committed_recordings(runs):
    made = score.score(REFERENCE / runs / "recordings", load_registry())
    mine = {"score": made.score, "verdicts": made.verdicts, "stopping": made.stopping, "confusion": made.confusion}
    for name, table in mine.items():
        stored = pd.read_csv(REFERENCE / runs / "score" / f"{name}.csv")
        if "diagnoser" in table:
            table, stored = (t[t["diagnoser"] == "ganbench"].reset_index(drop=True) for t in (table, stored))
        pd.testing.assert_frame_equal(table, stored, check_dtype=False, rtol=1e-6)


@pytest.mark.parametrize("runs", ["failures", "failures-pictures", "elsewhere"])
def test_every_diagnoser_of_the_committed_scores_is_in_each_table_of_the_page(runs):
    page = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
    begin = {
        "failures": "<!-- figures -->",
        "failures-pictures": "<!-- pictures -->",
        "elsewhere": "<!-- elsewhere -->",
    }[runs]
    tables = page.partition(begin)[2].partition("<!-- end -->")[0]
    for diagnoser in pd.read_csv(REFERENCE / runs / "score" / "stopping.csv")["diagnoser"].unique():
        assert tables.count(f"| {diagnoser} |") >= 2, f"{diagnoser} is missing from the verdicts or from stopping"
