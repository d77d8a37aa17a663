"""The suites in `examples/`: what a generator is conditioned on, from classes to tables, and plugins of their networks."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

import ganbench
from ganbench.pipeline import Request, prepare

EXAMPLES = Path(__file__).parents[2] / "examples"
SUITES = {  # metrics of each, of a generator that has hardly been trained
    "digits_by_class/digits_by_class": "class-accuracy",
    "photos/super_resolution": "psnr",
    "photos/tokenizer": "ssim",
    "waveforms/waveforms": "spectral-distance",
    "tables/tables": "columns.categories",
    "tables/ignored_condition": "columns.obeyed",
}


def plugin(name):
    return runpy.run_path(str(EXAMPLES / name / "ganbench_plugins.py"))


@pytest.fixture(scope="module")
def tables():
    return plugin("tables")


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_ready_to_run(suite):
    prepared = prepare(Request(str(EXAMPLES / f"{suite}.toml"), steps=10))
    assert prepared.planned and not prepared.left_out


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_is_trained_and_scored(suite, tmp_path):
    comparison = ganbench.run(EXAMPLES / f"{suite}.toml", output=tmp_path / "results", steps=4, executor="inline")
    assert set(comparison.trials.status) == {"done"}, list(comparison.trials.reason)
    values = comparison.scores[comparison.scores.metric == SUITES[suite]].value
    assert len(values) >= len(comparison.trials) and np.isfinite(values).all()


def test_rows_of_a_table_are_what_they_were_after_a_round_trip(tables):
    frame = tables["read_table"]("wine")[0]
    decoded = tables["decode"]("wine", tables["encode"]("wine", frame))
    assert np.allclose(decoded["alcohol"], frame["alcohol"], atol=1e-3)
    missing = frame["malic_acid"].isna().to_numpy()
    assert missing.any() and (np.isnan(decoded["malic_acid"]) == missing).all()
    gone = frame["colour"].isna().to_numpy()
    assert gone.any() and (decoded["colour"][gone] == tables["MISSING"]).all()
    assert (decoded["cultivar"] == frame["cultivar"]).all()


def test_each_row_of_a_table_has_the_category_of_its_condition(tables):
    for rows in (tables["Table"](size=200).training(), tables["Table"]().held_out()):
        assert ((tables["told"]("orders", rows.x) * rows.condition).sum(1) == 1).all()


def test_a_category_that_training_never_sees_is_one_line(tables, tmp_path):
    order = np.random.default_rng(0).permutation(50)
    frame = pandas.DataFrame({"size": np.arange(50.0), "town": ["A", "B"] * 25})
    frame.loc[order[0], "town"] = "Nowhere"  # the first rows of that order are held out
    frame.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(ValueError, match="column 'town' holds 'Nowhere' in no training row"):
        tables["Table"](table=str(tmp_path / "table.csv"))


def test_a_run_on_a_table_with_unknown_categories_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pandas.DataFrame({"size": np.arange(50.0), "town": ["A", "B"] * 25})
    frame.loc[np.random.default_rng(0).permutation(50)[0], "town"] = "Nowhere"
    frame.to_csv("table.csv", index=False)
    (tmp_path / "ganbench_plugins.py").write_bytes((EXAMPLES / "tables" / "ganbench_plugins.py").read_bytes())
    text = (EXAMPLES / "tables" / "tables.toml").read_text().replace('datasets = ["table"]\n', "")
    own = '\n[datasets.own]\ndataset = { name = "table", table = "table.csv" }\n'
    (tmp_path / "mine.toml").write_text(text + own)
    with pytest.raises(
        ganbench.RequestError, match=r"data set 'own': table 'table\.csv': column 'town' holds 'Nowhere'"
    ):
        prepare(Request("mine.toml"))


def test_a_table_without_categories_is_refused(tables, tmp_path):
    pandas.DataFrame({"size": np.arange(50.0)}).to_csv(tmp_path / "numbers.csv", index=False)
    with pytest.raises(ValueError, match="has no column of categories"):
        tables["Table"](table=str(tmp_path / "numbers.csv"))


def test_scores_of_columns_are_best_for_the_table_itself(tables):
    rows = tables["Table"]().held_out()
    metric, spec = tables["Columns"](), tables["Table"]().spec

    def score(fake):
        return metric.score(ganbench.Samples(fake=fake, real=rows.x, spec=spec, condition=rows.condition))

    same, one = score(rows.x), score(rows.x[:1].expand(len(rows.x), -1))
    assert same["numeric"] == same["categories"] == same["missing"] == 0 and same["obeyed"] == 1
    assert one["numeric"] > 0.5 and one["categories"] > 0.5 and one["obeyed"] < 1


def test_sounds_that_are_not_there_are_named(monkeypatch, tmp_path):
    import scipy.io

    waveforms = plugin("waveforms")
    monkeypatch.setattr(scipy.io, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(FileNotFoundError, match="installed without its tests"):
        waveforms["Waveforms"](source="scipy", size=4).training()


def test_a_spectral_distance_is_nothing_for_the_sound_itself_and_much_for_silence():
    waveforms = plugin("waveforms")
    data = waveforms["Waveforms"](size=16)
    x = data.training().x

    def score(fake):
        return waveforms["SpectralDistance"]().score(ganbench.Samples(fake=fake, real=x, spec=data.spec, paired=x))[""]

    assert score(x) == 0 and score(torch.zeros_like(x)) > score(0.5 * x) > 0.5


def test_a_codebook_learns_though_its_loss_is_no_term_of_the_suite():
    photos = plugin("photos")
    data = photos["Photos"](condition="same", size=8)
    tokenizer = photos["Tokenizer"](data.spec)
    batch = data.training()
    before = tokenizer.codebook.weight.detach().clone()
    tokenizer(torch.empty(8, 0), condition=batch.condition).sum().mul(0.0).backward()
    assert torch.equal(before, tokenizer.codebook.weight) and tokenizer.codebook.weight.grad.abs().sum() > 0


def test_super_resolution_begins_as_an_interpolation():
    photos = plugin("photos")
    data = photos["Photos"](size=16)
    batch = data.training()
    made = photos["Upsampler"](data.spec)(torch.empty(16, 0), condition=batch.condition).detach()
    samples = ganbench.Samples(fake=made, real=batch.x, spec=data.spec, condition=batch.condition, paired=batch.x)
    scores = photos["Fidelity"]().score(samples)
    assert abs(scores["gain"]) < 1e-4 and scores["l1"] < 0.2
