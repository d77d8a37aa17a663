"""The Markdown page renders as meant, whatever the names in it."""

import re

from ganbench.builtin.reports.markdown_page import MarkdownReport, escape


def written(comparison, folder):
    (file,) = MarkdownReport().write(comparison, folder)
    return file.read_text(encoding="utf-8")


def tables(text):
    return [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]


def test_every_row_has_as_many_cells_as_its_head(comparison, tmp_path):
    found = tables(written(comparison, tmp_path))
    assert len(found) == 5  # two metrics on each of two data sets, and the environment
    for table in found:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1


def test_it_shows_intervals_failures_and_what_to_change(comparison, tmp_path):
    text = written(comparison, tmp_path)
    assert r"| 1 | plain | 0.100 \[0.0500, 0.200\] | – | 0.0900 | 1 of 3 (6–79 %) | – | best |" in text
    assert "seed 1 **diverged** after step 500: loss of D is &lt;NaN&gt; at step 12" in text
    assert "2 of 3 seeds, from step 120" in text and "What to change: Add r1_r2 &amp; wait." in text
    assert "coverage 0.420 (threshold 0.700) at step 480" in text and "not JSON" in text


def test_names_are_escaped(comparison, tmp_path):
    text = written(comparison, tmp_path)
    assert "<script" not in text and "<b>" not in text
    assert escape("a|b") == r"a\|b" and escape("auc_d") == "auc_d" and escape("_x_") == r"\_x\_"
    assert escape("a\nb `c` [d](e)") == r"a b \`c\` \[d\](e)"


def test_without_any_score_it_still_says_what_happened(all_failed, tmp_path):
    text = written(all_failed, tmp_path)
    assert "No trial was scored." in text and "| plain | 2 of 2 |" in text and "no such file" in text
