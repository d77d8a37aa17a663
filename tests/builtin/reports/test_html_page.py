"""The web page is well-formed, self-contained and complete, whatever the names in it."""

import base64
import gzip
import hashlib
import io
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ganbench.builtin.reports.html_page import HtmlReport

VOID = {"meta", "img", "br", "link", "hr", "input"}


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
    assert page.tags["script"] == 1 and text.lower().count("<script") == 1  # our own
    inside = ("#", "data:image/webp", "data:text/csv", "data:application/gzip")
    assert not [value for value in page.values("src", "href") if not value.startswith(inside)]
    assert not re.search(r"@import|url\((?!#)", text)
    assert set(re.findall(r"https?://[^\"']*", text)) <= {"http://www.w3.org/2000/svg"}  # a name, in the script
    assert not [key for _, key, _ in page.attributes if key.startswith("on")]


def test_every_link_and_reference_has_a_target(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    references = [value[1:] for value in page.values("href") if value.startswith("#")]
    assert references and set(references) <= set(ids)


def test_it_shows_everything_of_the_comparison(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    wanted = [comparison.summary, "<i>1</i>", "ganbench run", "a, b", "−log 4", "permutation test"]
    for table, column in (
        ("trials", "dataset"), ("trials", "method"), ("trials", "status"), ("comparison", "metric"),
        ("comparison", "verdict"), ("findings", "diagnosis"), ("findings", "summary"), ("findings", "remedy"),
    ):  # fmt: skip
        wanted += list(getattr(comparison, table)[column].unique())
    wanted += ["loss of D is <NaN> at step 12", "RuntimeError: a_b | c", "not JSON", "[0.100, 0.400]", "6–79 %"]
    wanted += ["coverage 0.420 (threshold 0.700) at step 480", "no score", "0.0200"]
    assert [text for text in wanted if text not in page.text] == []


def test_beside_a_verdict_stands_how_many_times_its_floor_the_distance_is(comparison, tmp_path):
    assert "× floor" not in Page(written(comparison, tmp_path)).text
    comparison.trials["times_floor"] = [62.4, *[np.nan] * (len(comparison.trials) - 1)]
    assert Page(written(comparison, tmp_path)).text.count("62× floor") == 2  # on its card, and in the table of trials


def test_pictures_are_embedded_and_a_damaged_one_is_left_out(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    final = [value for value in page.values("alt") if value.endswith("step 500")]
    assert len(final) == len(comparison.trials) - 3  # one trial has none, one is cut short, one ended before
    assert page.text.count("no samples") == 2
    assert all(value.startswith("data:image/webp;base64,") for value in page.values("src") if value)


def test_earlier_samples_and_nearest_training_images_are_embedded(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    assert len([value for value in page.values("alt") if value.endswith("step 250")]) == 5
    assert len([value for value in page.values("alt") if value.endswith("above the nearest training images")]) == 6
    assert page.values("data-steps") == ["250", "250"]


def test_the_same_comparison_gives_the_same_bytes(comparison, tmp_path):
    assert written(comparison, tmp_path / "a") == written(comparison, tmp_path / "b")


def test_a_comparison_without_scores_or_histories_still_has_a_page(all_failed, tmp_path):
    page = Page(written(all_failed, tmp_path))
    assert "was scored" in page.text and "2 of 2" in page.text and "no such file" in page.text
    assert page.tags["img"] == 1  # the empty one that a picture is magnified in


def test_stored_trials_that_could_not_be_read_are_named(comparison, tmp_path):
    comparison.damaged = ("trials/abc: result.json is cut short",)
    assert "result.json is cut short" in Page(written(comparison, tmp_path)).text


def test_a_method_whose_trials_were_all_skipped_is_named_with_the_reason(comparison, tmp_path):
    comparison.trials.loc[comparison.trials.method == "plain", "status"] = "skipped"
    comparison.trials.loc[comparison.trials.method == "plain", "reason"] = "needs images"
    comparison.comparison = comparison.comparison[comparison.comparison.method != "plain"]
    assert "needs images" in Page(written(comparison, tmp_path)).text


def test_the_only_script_that_may_run_is_the_page_s_own(comparison, tmp_path):
    text = written(comparison, tmp_path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "form-action 'none'" in policy


def test_missing_trials_are_counted_and_named(comparison, tmp_path):
    comparison.missing = ("ring-plain-7-0123456789",)
    text = Page(written(comparison, tmp_path)).text
    assert "18 of 19 trials" in text and "1 of 19 is missing" in text and "ring-plain-7-0123456789" in text


def test_every_method_has_a_card_on_every_data_set_and_its_link_lands_there(comparison, tmp_path):
    text = written(comparison, tmp_path)
    for dataset in comparison.trials.dataset.unique():
        for method in comparison.trials.method.unique():
            link = re.search(
                rf'href="#(card-\d+)" aria-label="Samples and curves of {escaped(method)} on {escaped(dataset)}"', text
            )
            card = re.search(rf'<article class="card" id="{link[1]}".*?</article>', text, re.S)[0]
            heading = " ".join(re.sub("<[^>]*>", "", re.search("<h4>(.*?)</h4>", card, re.S)[1]).split())
            assert heading.startswith(f"{escaped(method, regex=False)} on {escaped(dataset, regex=False)}")


def escaped(name, regex=True):
    text = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.escape(text) if regex else text


def test_every_table_can_be_saved_from_the_page_alone(comparison, tmp_path):
    page = Page(written(comparison, tmp_path))
    files = {
        value: next(v for tag, key, v in page.attributes[:i][::-1] if key == "href")
        for i, (_, key, value) in enumerate(page.attributes)
        if key == "download"
    }
    assert set(files) >= {"trials.csv", "scores.csv", "findings.csv", "comparison.csv"}
    content = base64.b64decode(files["trials.csv"].partition(",")[2]).decode()
    assert list(pd.read_csv(io.StringIO(content)).method) == list(comparison.trials.method)


def test_a_long_table_is_compressed(comparison, tmp_path):
    comparison.scores = pd.concat([comparison.scores] * 20_000, ignore_index=True)
    text = written(comparison, tmp_path)
    data = re.search(r'href="data:application/gzip;base64,([^"]*)" download="scores.csv.gz"', text)[1]
    assert len(pd.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(data))))) == 20_000


def test_a_table_of_very_many_rows_lies_beside_the_page(comparison, tmp_path):
    comparison.scores = pd.concat([comparison.scores] * 100_001, ignore_index=True)
    page = Page(written(comparison, tmp_path))
    assert "scores.csv is too large for a page, and lies beside it 100,001 rows" in page.text
    assert not {"scores.csv", "scores.csv.gz"} & {value for _, key, value in page.attributes if key == "download"}


def test_each_trial_has_the_command_that_runs_it_again(comparison, tmp_path):
    text = Page(written(comparison, tmp_path)).text
    assert "ganbench run basic --only dataset=ring --only method=plain --only seed=2" in text
    assert "--only 'method=<script>alert(1)</script>'" in text


def test_what_was_compared_is_told_setting_by_setting(comparison, tmp_path):
    comparison.trials["lr"] = [0.1 if method == "plain" else 0.2 for method in comparison.trials.method]
    comparison.trials["batch_size"] = 64
    page = Page(written(comparison, tmp_path)).text
    setup = page[page.index("What was compared") : page.index("The same for all")]
    assert "hinge" in setup and "0.1" in setup and "0.2" in setup
    assert "The same for all: batch size 64, steps 500." in page


def test_settings_that_a_comparison_can_tell_are_put_together(comparison, tmp_path):
    comparison.trials["regularizers"] = "r1"
    comparison.settings = lambda trial: {
        "budget": 500, "batch_size": 64, "optimizer_g": "adam", "optimizer_g.lr": 0.001, "optimizer_d": "adam",
        "optimizer_d.lr": 0.001 if "plain" in trial else 0.002, "generator": "mlp", "generator.width": 32 if trial.startswith("ring") else 64,
        "r1.weight": 0.1, "discriminator": "mlp", "optimizer_g.eps": 1e-8, "optimizer_d.eps": 1e-8,
        **({"discriminator.normalization": "spectral"} if "plain" in trial else {}),
    }  # fmt: skip
    text = Page(written(comparison, tmp_path)).text
    for cell in (
        "mlp (width 32) (ring), mlp (width 64) (Ziffern",
        "adam (lr 0.001)",
        "adam (lr 0.002)",
        "r1 (weight 0.1)",
    ):
        assert cell in text, cell
    assert "The same for all: batch size 64, budget 500." in text


def test_scores_over_all_data_sets_decide_the_order_of_methods(comparison, tmp_path):
    rows = [
        {"method": method, "rank": 3 - n, "score": 0.2 + 0.3 * n, "score_low": 0.1, "score_high": 0.95, "failed": n, "n_trials": 6,
         "failure_low": 0.0, "failure_high": 0.5}
        for n, method in enumerate(comparison.trials.method.unique())
    ]  # fmt: skip
    comparison.aggregate = pd.DataFrame(rows)
    text = Page(written(comparison, tmp_path)).text
    ranking = text[text.index("Methods by their overall score") :]
    assert ranking.index("a_b & 50% | σ") < ranking.index("<script>alert(1)</script>") < ranking.index("plain")
    assert "0.800 [0.100, 0.950]" in ranking and "2 of 6 failed" in ranking


def test_columns_of_differences_are_shown_where_a_comparison_has_them(comparison, tmp_path):
    assert "Difference from the top" not in Page(written(comparison, tmp_path)).text
    table = comparison.comparison
    table["delta"], table["delta_low"], table["delta_high"] = 0.5, 0.25, 0.75
    table["p_value"], table["seeds_needed"] = 0.0123, 12.0
    text = Page(written(comparison, tmp_path)).text
    assert "+0.500 [0.250, 0.750]" in text and "0.0123" in text and "12 seeds would decide" in text


def test_long_and_right_to_left_names_stay_in_their_places(comparison, tmp_path):
    names = {"plain": "x" * 300, "a_b & 50% | σ": "\u202eשלום\n\"'"}
    for table in (comparison.trials, comparison.comparison, comparison.findings):
        table["method"] = table["method"].replace(names)
    page = Page(written(comparison, tmp_path))
    assert page.open == [] and "x" * 300 in page.text


def many(comparison, methods, seeds):
    """Make a comparison of one data set with so many methods and seeds, each with a history, pictures and a finding."""
    first = comparison.trials.iloc[0].to_dict()
    trials = [
        first | {"method": f"method-{m}", "seed": s, "trial": f"ring/method-{m}/{s}"} for m in range(methods) for s in range(seeds)
    ]  # fmt: skip
    compared = comparison.comparison.iloc[1].to_dict()
    comparison.comparison = pd.DataFrame([compared | {"method": f"method-{m}", "rank": m} for m in range(methods)])
    finding = comparison.findings.iloc[0].to_dict()
    comparison.findings = pd.DataFrame(
        [finding | {name: trial[name] for name in ("trial", "method", "seed", "dataset")} for trial in trials]
    )
    score = {**comparison.scores.iloc[0].to_dict(), "metric": "energy_distance"}
    comparison.scores = pd.DataFrame(
        [score | {"trial": t["trial"], "method": t["method"], "step": step} for t in trials for step in (100, 300, 500)]
    )
    comparison.trials = pd.DataFrame(trials)
    Image.effect_noise((160, 200), 90).save(comparison.pictures / "samples.png")  # noise: hard to compress
    Image.effect_noise((160, 200), 90).save(comparison.pictures / "earlier.png")
    return comparison


@pytest.mark.parametrize("methods, seeds", [(20, 5), pytest.param(100, 1, marks=pytest.mark.slow)])
def test_a_hundred_trials_take_less_than_5_mb(comparison, tmp_path, methods, seeds):
    assert len(written(many(comparison, methods, seeds), tmp_path).encode()) < 5_000_000


@pytest.mark.slow
def test_any_number_of_trials_takes_less_than_20_mb_and_what_is_left_out_is_said(comparison, tmp_path):
    text = written(many(comparison, 1000, 3), tmp_path)
    assert len(text.encode()) < 20_000_000
    assert "The first 1500 of 3,000; trials.csv has all." in text
    assert "those of the first 24 of 1,000 methods by mean rank" in text
