"""The LaTeX tables compile, whatever the names in them."""

import re
import shutil
import subprocess

import pytest

from ganbench.builtin.reports.latex_tables import LatexReport, escape


def written(comparison, folder):
    (file,) = LatexReport().write(comparison, folder)
    return file.read_text(encoding="utf-8")


def test_text_is_escaped():
    assert escape(r"a_b & 50% #1 $x {y}") == r"a\_b \& 50\% \#1 \$x \{y\}"
    assert escape("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
    assert escape("σ é 😀") == r"\ensuremath{\sigma} é U+1F600"


def test_every_row_fills_its_columns(comparison, tmp_path):
    text = written(comparison, tmp_path)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2
    body = re.findall(r"^    (.*) \\\\$", text, re.MULTILINE)
    assert len(body) == 2 * (1 + 2 * 3 + 1)  # head, two lines for each method, floor
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {3}
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_the_best_is_bold_and_an_inconclusive_verdict_is_marked(comparison, tmp_path):
    text = written(comparison, tmp_path)
    assert r"plain & \textbf{0.100}" in text and r"0.200\rlap{$^{=}$}" in text and r"$^{?}$" in text
    assert r"\textless{}script\textgreater{}alert(1)" in text


def test_without_any_score_the_failures_remain(all_failed, tmp_path):
    assert r"plain & 2 of 2 \\" in written(all_failed, tmp_path)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles(comparison, tmp_path):
    written(comparison, tmp_path)
    paper = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{tables}\end{document}"
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    subprocess.run(["pdflatex", "-halt-on-error", "paper"], cwd=tmp_path, check=True, capture_output=True)
