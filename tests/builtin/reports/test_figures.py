"""Figures for papers: vector graphics with embedded fonts, the same bytes each time, whatever the names."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from ganbench.builtin.reports import figures
from ganbench.builtin.reports.figures import COLOURS, FiguresReport, shorten
from ganbench.contract.records import ComponentRef
from ganbench.results.reports import check_reports


def written(comparison, folder):
    return {file.name: file.read_bytes() for file in FiguresReport().write(comparison, folder)}


@pytest.fixture
def scored(comparison):
    rows = []
    template = comparison.scores.iloc[0].to_dict()
    for trial in comparison.trials.to_dict("records"):
        identity = {name: trial[name] for name in ("suite", "trial", "dataset", "method", "seed")}
        rows += [
            template | identity | {"step": step, "metric": "energy_distance", "value": 1 / step} for step in (10, 500)
        ]
    comparison.scores = type(comparison.scores)(rows, columns=comparison.scores.columns)
    return comparison


def test_each_data_set_has_a_ranking_and_curves_as_pdf_and_svg(scored, tmp_path):
    files = written(scored, tmp_path)
    assert sorted(files) == sorted(
        f"{kind}-{name}.{form}"
        for kind in ("ranking", "curves")
        for name in ("1-ring", "2-Ziffern-x")
        for form in ("pdf", "svg")
    )
    assert all(content.startswith(b"%PDF" if name.endswith("pdf") else b"<?xml") for name, content in files.items())
    assert all(file.parent == tmp_path / "figures" for file in (tmp_path / "figures").iterdir())


def test_fonts_are_embedded_as_truetype_and_outlines(scored, tmp_path):
    files = written(scored, tmp_path)
    for name, content in files.items():
        if name.endswith("pdf"):
            assert b"/FontFile2" in content and b"/Type3" not in content
        else:
            assert b"<text" not in content and b"font-family" not in content


def test_the_same_comparison_gives_the_same_bytes(scored, tmp_path):
    assert written(scored, tmp_path / "a") == written(scored, tmp_path / "b")


def test_a_method_has_one_colour_in_all_figures(scored, tmp_path):
    files = written(scored, tmp_path)
    first = [
        re.findall(rb"stroke: (#[0-9a-f]{6}); stroke-opacity: 0.55", files[f"ranking-{n}.svg"])
        for n in ("1-ring", "2-Ziffern-x")
    ]
    assert first[0] and set(first[0]) == set(first[1])


VISIONS = {  # linear RGB as it is seen (Machado et al. 2009, severity 1)
    "all colours": np.eye(3),
    "no green": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "no red": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
}


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("palette", ["light", "dark"])
def test_any_two_colours_can_be_told_apart(palette, vision):
    style = (Path(figures.__file__).parent / "page.css").read_text(encoding="utf-8")
    palettes = [re.findall(r"--c\d: (#\w{6})", part) for part in style.split("@media (prefers-color-scheme: dark)")]
    assert tuple(palettes[0]) == COLOURS  # the figures' are the page's
    seen = [to_oklab(np.array(VISIONS[vision]) @ to_linear(colour)) for colour in palettes[palette == "dark"]]
    assert len(seen) == 8
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.1


def to_linear(colour):
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def to_oklab(linear):
    """Coordinates in which equal distances look equal: https://bottosson.github.io/posts/oklab."""
    cones = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
    axes = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    return np.array(axes) @ np.cbrt(np.array(cones) @ np.clip(linear, 0, 1))


def test_names_are_text_however_odd(scored, tmp_path):
    scored.trials["method"] = scored.trials.method.replace("plain", "$\\frac{1}{$ \u202e\x1b[31m שלום 漢字")
    scored.comparison["method"] = scored.comparison.method.replace("plain", "$\\frac{1}{$ \u202e\x1b[31m שלום 漢字")
    assert written(scored, tmp_path)
    assert shorten("x" * 300) == "x" * 31 + "…" and shorten("a\nb\x1b$") == r"a b \$"


def test_trials_without_scores_have_failure_rates_alone(all_failed, tmp_path):
    assert sorted(written(all_failed, tmp_path)) == ["ranking-1-ring.pdf", "ranking-1-ring.svg"]


def test_figures_of_data_sets_that_are_gone_are_removed_and_nothing_else(all_failed, tmp_path):
    (tmp_path / "figures").mkdir()
    for name in ("curves-7-gone.svg", "of-mine.svg"):
        (tmp_path / "figures" / name).write_text("<svg/>")
    written(all_failed, tmp_path)
    assert not (tmp_path / "figures" / "curves-7-gone.svg").exists() and (tmp_path / "figures" / "of-mine.svg").exists()


def test_they_are_written_only_where_they_are_asked_for(registry):
    assert "figures" not in {ref.name for ref in check_reports(None, registry, "suite")}
    assert check_reports([ComponentRef("figures")], registry, "--format")[0].name == "figures"
