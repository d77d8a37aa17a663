"""The web page is well-formed, self-contained and complete, whatever the names in it."""

import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from ganbench.builtin.reports import curves
from ganbench.builtin.reports.html_page import HtmlReport, data_uri

VOID = {"meta", "img", "br", "link", "hr"}
SVG_SHAPES = {"path", "use", "rect"}


class Page(HTMLParser):
    """The elements, the attributes and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.tags, self.words = [], [], Counter(), []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, key, value) for key, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += [(tag, key, value) for key, value in attributes]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def values(self, *keys):
        return [value for _, key, value in self.attributes if key in keys]


def written(comparison, folder):
    (file,) = HtmlReport().write(comparison, folder)
    assert file.name == "index.html"
    return file.read_text(encoding="utf-8")


def test_it_is_well_formed_and_loads_nothing_from_outside(comparison, tmp_path):
    text = written(comparison, tmp_path)
    page = Page(text)
    assert page.open == []
    assert page.tags["script"] == 0 and "<script" not in text.lower()
    assert not [value for value in page.values("src", "href") if not value.startswith(("#", "data:image/"))]
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]


def test_every_link_and_reference_has_a_target(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    references = [value[1:] for value in page.values("href")]
    references += [found for value in page.values("clip-path") for found in re.findall(r"url\(#(.*)\)", value)]
    assert references and set(references) <= set(ids)


def test_it_shows_everything_of_the_comparison(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    wanted = [comparison.summary, "<i>1</i>", "ganbench run", "a, b", "−log 4", "Mann–Whitney"]
    for table, column in (
        ("trials", "dataset"), ("trials", "method"), ("trials", "status"), ("comparison", "metric"),
        ("comparison", "verdict"), ("findings", "diagnosis"), ("findings", "summary"), ("findings", "remedy"),
    ):  # fmt: skip
        wanted += list(getattr(comparison, table)[column].unique())
    wanted += ["loss of D is <NaN> at step 12", "RuntimeError: a_b | c", "not JSON", "[0.100, 0.400]", "6–79 %"]
    wanted += ["coverage 0.420 (threshold 0.700) at step 480", "no score", "0.0200"]
    assert [text for text in wanted if text not in page.text] == []


def test_pictures_are_embedded_and_a_damaged_one_is_left_out(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    assert page.tags["img"] == len(comparison.trials) - 2  # one trial has none, one is cut short
    assert page.text.count("no samples") == 2
    assert all(value.startswith("data:image/png;base64,") for value in page.values("src"))


def test_the_same_comparison_gives_the_same_bytes(comparison, tmp_path):
    assert written(comparison, tmp_path / "a") == written(comparison, tmp_path / "b")


def test_a_comparison_without_scores_or_histories_still_has_a_page(all_failed, tmp_path):
    page = Page(written(all_failed, tmp_path))
    assert "was scored" in page.text and "2 of 2" in page.text and "no such file" in page.text
    assert page.tags["img"] == 0


def test_stored_trials_that_could_not_be_read_are_named(comparison, tmp_path):
    comparison.damaged = ("trials/abc: result.json is cut short",)
    assert "result.json is cut short" in Page(written(comparison, tmp_path)).text


def test_a_method_whose_trials_were_all_skipped_is_named_with_the_reason(comparison, tmp_path):
    comparison.trials.loc[comparison.trials.method == "plain", "status"] = "skipped"
    comparison.trials.loc[comparison.trials.method == "plain", "reason"] = "needs images"
    comparison.comparison = comparison.comparison[comparison.comparison.method != "plain"]
    assert "needs images" in Page(written(comparison, tmp_path)).text


def test_a_large_picture_is_compressed(tmp_path):
    Image.effect_noise((900, 700), 60).save(tmp_path / "large.png")
    uri = data_uri(tmp_path / "large.png", 40_000)
    assert uri.startswith("data:image/jpeg;base64,") and len(uri) < 40_000 * 1.4
    assert uri == data_uri(tmp_path / "large.png", 40_000)


def test_downsampling_keeps_spikes():
    values = np.zeros(10_000)
    values[[1234, 7777]] = 9, -9
    steps, kept = curves.downsample(np.arange(10_000.0), values)
    assert len(kept) <= curves.MAX_POINTS and kept.max() == 9 and kept.min() == -9
    assert (np.diff(steps) >= 0).all()


def test_small_numbers_on_an_axis_keep_their_digits():
    steps = np.arange(20.0)
    (drawing,) = curves.draw_charts([curves.SeedCurves({"step": steps, "input_gradient": 10 ** (-steps / 4)})], [], "d")
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", drawing.svg)
    assert {"0.001", "1"} <= set(labels) or {"0.0001", "1"} <= set(labels)


@pytest.mark.parametrize(
    "values", [np.full(20, np.nan), np.zeros(20), np.full(20, 1e300), np.array([1.0]), np.array([])]
)
def test_extreme_histories_are_drawn_without_warnings(values):
    columns = ("step", "loss_d", "value", "d_real", "auc_d", "input_gradient")
    history = {column: np.arange(float(len(values))) if column == "step" else values for column in columns}
    for drawing in curves.draw_charts([curves.SeedCurves(history, diverged=True)], [curves.Onset(3, True)], "d"):
        assert drawing.svg.startswith("<svg") and drawing.svg.rstrip().endswith("</svg>")
