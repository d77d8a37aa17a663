"""`ganbench.evaluate`: samples from elsewhere get the numbers of a run, and whatever is wrong with them is one line."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest
import torch
from PIL import Image
from small_suites import MLP, suite_table, trials_of

import ganbench
from ganbench.evaluation import memory
from ganbench.evaluation.sample_files import read_samples

RANDOM = np.random.default_rng(0)


@pytest.fixture
def pictures(tmp_path):
    """A folder of twelve colour pictures of 8x8."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{i:02}.png")
    return folder


def test_a_runs_samples_score_as_in_the_run():
    table = suite_table(
        metrics=["energy-distance", "sliced-wasserstein", "mmd"], methods={"m": {"loss": "hinge", **MLP}}
    )
    result = ganbench.run_trial(trials_of(table)[0])
    scores = ganbench.evaluate(result.artifacts.samples, result.artifacts.reals)
    assert [score.metric for score in scores] == ["energy-distance", "sliced-wasserstein", "mmd"]
    expected = {score.metric: score.value for score in result.scores}
    assert {score.metric: score.value for score in scores} == pytest.approx(expected, rel=1e-9)


def test_a_data_set_by_name_brings_its_floor_and_its_modes():
    points = torch.randn(500, 2)
    scores = ganbench.evaluate(points, "ring", metrics=["modes", "energy-distance"])
    assert [score.metric for score in scores] == [
        "modes.covered",
        "modes.high_quality",
        "modes.reverse_kl",
        "energy-distance",
    ]
    assert all(math.isfinite(score.floor) for score in scores) and scores[0].floor == 8


def test_metrics_on_features_say_which(pictures):
    reals = RANDOM.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    scores = ganbench.evaluate(reals[:20], reals[20:], metrics=["frechet", "kernel-distance-digits"], features="digits")
    assert {score.metric for score in scores} == {"frechet-digits", "kernel-distance-digits"}
    assert {score.features.partition(" ")[0] for score in scores} == {"digits"}


def test_statistics_serve_metrics_that_need_no_more(tmp_path):
    real = RANDOM.integers(0, 256, (100, 8, 8), dtype=np.uint8)
    from ganbench.builtin.features.digits import digit_features

    features = digit_features(torch.from_numpy(real).float()[:, None] / 127.5 - 1).double().numpy()
    np.savez(tmp_path / "stats.npz", mu=features.mean(0), sigma=np.cov(features, rowvar=False))
    fake = RANDOM.integers(0, 256, (90, 8, 8), dtype=np.uint8)
    metrics = ["frechet-digits", "prdc-digits", "energy-distance"]
    scores = ganbench.evaluate(fake, tmp_path / "stats.npz", metrics)
    (whole,) = ganbench.evaluate(fake, real, metrics[:1])
    assert [score.metric for score in scores] == ["frechet-digits"] and scores[0].value == pytest.approx(whole.value)
    assert set(scores.left_out) == {"prdc-digits", "energy-distance"}
    assert set(scores.left_out.values()) == {"it compares samples, and the reference holds statistics alone"}
    np.savez(tmp_path / "other.npz", mu=np.zeros(3), sigma=np.eye(3))
    wrong = ganbench.evaluate(fake, tmp_path / "other.npz", metrics[:1])
    assert "statistics are of 3 features, and these are 64" in wrong.left_out["frechet-digits"]


def test_too_few_samples_leave_a_metric_out_with_the_number_that_it_needs():
    scores = ganbench.evaluate(torch.randn(10, 2), torch.randn(100, 2), ["mmd", "energy-distance"])
    assert [score.metric for score in scores] == ["energy-distance"]
    assert scores.left_out == {"mmd": "it needs at least 20 samples to score, and there are 10"}


def test_pictures_of_all_modes_are_read(tmp_path):
    folder = tmp_path / "modes"
    folder.mkdir()
    pixels = Image.fromarray(np.full((4, 4, 3), 200, dtype=np.uint8))
    pixels.convert("L").save(folder / "grey.png")
    pixels.convert("P").save(folder / "palette.png")
    pixels.convert("CMYK").save(folder / "cmyk.jpg", quality=100)
    Image.fromarray(np.full((4, 4), 200 * 257, dtype=np.uint16)).save(folder / "deep.png")
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(folder / "transparent.png")
    samples = read_samples(folder).samples
    assert samples.shape == (5, 3, 4, 4) and samples.dtype == torch.uint8
    cmyk, deep, grey, palette, transparent = samples.float().mean((1, 2, 3)).tolist()
    assert deep == grey == 200 and transparent == 255 and abs(palette - 200) < 26 and abs(cmyk - 200) < 6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p.mkdir(), "holds no picture; pictures end in"),
        (lambda p: _folder(p, {"a.png": b"not a picture"}), "a.png cannot be read as a picture"),
        (lambda p: _folder(p, {"a.png": (4, 4), "b.png": (4, 5)}), "b.png has 4x5 pixels, and a.png 4x4"),
        (lambda p: np.savez(p, x=np.array([{"a": 1}], dtype=object)), "it holds Python objects, which are never read"),
        (lambda p: np.savez(p, a=np.zeros(3), b=np.zeros(3)), "holds a, b; name the array of samples arr_0"),
        (lambda p: np.savez(p, np.zeros(3)), "holds no samples; give (N, ...)"),
        (lambda p: np.savez(p, np.full((9, 2), np.nan)), "9 of 9 samples hold NaN or infinity"),
        (lambda p: np.savez(p, np.zeros((9, 2), dtype=int)), "int64 are neither pictures nor points"),
        (lambda p: np.savez(p, np.full((9, 3, 4, 4), 7.0)), "images of floats must lie in [-1, 1]"),
        (lambda p: np.savez(p, mu=np.zeros(3), sigma=np.zeros((2, 3))), "give (d,) and (d, d)"),
        (lambda p: np.savez(p, mu=np.zeros(2), sigma=np.array([[1.0, 0.5], [-0.5, 1.0]])), "sigma is not symmetric"),
        (lambda p: np.savez(p, mu=np.zeros(0), sigma=np.zeros((0, 0))), "give (d,) and (d, d)"),
        (lambda p: np.savez(p, mu=np.zeros(2), sigma=-np.eye(2)), "sigma has negative variances"),
        (lambda p: np.savez(p, mu=np.zeros(2), sigma=np.eye(2) * 1j), "sigma holds complex128; give real numbers"),
        (lambda p: np.savez(p, np.array([["a"], ["b"]])), "<U1 are neither pictures nor points"),
        (lambda p: np.savez(p, np.zeros((9, 2), dtype="datetime64[s]")), "datetime64[s] are neither pictures"),
        (lambda p: np.savez(p, np.full((9, 2), 1e300)), "9 of 9 samples hold numbers beyond float32"),
        (lambda p: np.savez(p, np.zeros((9, 0))), "holds no values"),
        (lambda p: p.write_bytes(b"PK\x03\x04 cut short"), "cannot be read: it is no archive of arrays, or cut short"),
        (lambda p: p.write_text("hello"), "it is no archive of arrays, or cut short"),
        (
            lambda p: _folder(p, {"a.png": (4, 4), "b.tif": Image.new("I", (4, 4), 3)}),
            "integers of 32 bits, of no known",
        ),
        (lambda p: _write_array(p), "it is one array (.npy), and no archive of named ones"),
    ],
)
def test_what_is_wrong_with_samples_is_one_line(tmp_path, make, said):
    path = tmp_path / "given.npz"
    make(path)
    with pytest.raises(ganbench.RequestError) as caught:
        ganbench.evaluate(torch.randn(9, 2), path)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def _write_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros((9, 2)))


def _folder(path, files):
    path.mkdir()
    for name, content in files.items():
        if isinstance(content, bytes):
            (path / name).write_bytes(content)
        elif isinstance(content, Image.Image):
            content.save(path / name)
        else:
            Image.new("RGB", content).save(path / name)


def test_numbers_of_any_precision_and_byte_order_are_points(tmp_path):
    points = RANDOM.normal(size=(9, 2))
    for kind in (">f4", "f2", np.longdouble):
        np.savez(tmp_path / "points.npz", points.astype(kind))
        assert read_samples(tmp_path / "points.npz").samples.numpy() == pytest.approx(points, rel=1e-2, abs=1e-3)


def test_of_a_folder_pictures_are_read_and_nothing_else(pictures):
    (pictures / "more").mkdir()
    (pictures / "00.png").rename(pictures / "more" / "00.png")
    (pictures / ".ipynb_checkpoints").mkdir()
    Image.new("RGB", (9, 9)).save(pictures / ".ipynb_checkpoints" / "copy.png")
    (pictures / "._01.png").write_bytes(b"left by another system")
    (pictures / "readme.txt").write_text("not a picture")
    (pictures / "folder.png").mkdir()
    os.mkfifo(pictures / "pipe.png")  # reading it would wait for ever
    (pictures / "circle").symlink_to(pictures)
    assert len(read_samples(pictures).samples) == 12


def test_a_link_that_leads_nowhere_is_said(pictures):
    (pictures / "gone.png").symlink_to(pictures / "nothing.png")
    with pytest.raises(ganbench.RequestError, match=r"gone\.png cannot be read as a picture .*No such file"):
        read_samples(pictures)


def test_samples_beyond_the_memory_are_refused_before_they_are_read(pictures, tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "zeros.npz", np.zeros((5000, 8, 8, 3), dtype=np.uint8))
    monkeypatch.setattr(memory, "free_memory", lambda: 10_000)
    with pytest.raises(ganbench.RequestError, match=r"pictures: 12 pictures take 0\.0 GB of memory, and 0\.0 GB are"):
        read_samples(pictures)
    with pytest.raises(ganbench.RequestError, match=r"zeros\.npz: its arrays take .* give fewer or smaller ones"):
        read_samples(tmp_path / "zeros.npz")
    monkeypatch.setattr(memory, "free_memory", lambda: 2_000_000)
    with pytest.raises(ganbench.RequestError, match=r"zeros\.npz: arr_0: 5000 pictures in float32 take"):
        read_samples(tmp_path / "zeros.npz")


def test_free_memory_is_positive_and_no_more_than_there_is():
    assert 0 < memory.free_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        (torch.randn(30, 3), r"the samples are points of shape \(2,\), and the floor points of \(3,\)"),
        (torch.randn(9, 2), "the floor has 9 samples, and there are 20 to score"),
    ],
)
def test_a_floor_that_cannot_be_scored_as_the_samples_are_is_refused(floor, said):
    with pytest.raises(ganbench.RequestError, match=said):
        ganbench.evaluate(torch.randn(20, 2), torch.randn(20, 2), ["energy-distance"], floor=floor)


def test_statistics_are_no_floor(tmp_path):
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(2), sigma=np.eye(2))
    with pytest.raises(ganbench.RequestError, match="the floor is statistics; give real samples"):
        ganbench.evaluate(torch.randn(20, 2), torch.randn(20, 2), floor=tmp_path / "statistics.npz")


def test_a_metric_that_fails_costs_no_other(tmp_path, monkeypatch):
    (tmp_path / "ganbench_plugins.py").write_text(
        """
import ganbench

class Broken(ganbench.Metric):
    'Always fails.'
    better = "lower"
    def score(self, samples):
        raise RuntimeError("no such\\nluck")

@ganbench.hookimpl
def ganbench_metrics():
    yield ganbench.Component("broken", Broken)
"""
    )
    monkeypatch.chdir(tmp_path)
    scores = ganbench.evaluate(torch.randn(20, 2), torch.randn(20, 2), ["broken", "energy-distance"])
    assert [score.metric for score in scores] == ["energy-distance"]
    assert scores.left_out == {"broken": "it failed: RuntimeError: no such luck"}


def test_a_decompression_bomb_is_one_line(pictures, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ganbench.RequestError, match=r"00\.png cannot be read as a picture .*decompression bomb"):
        read_samples(pictures)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "ring"), "samples: there is no file, folder or data set 'nowhere'"),
        (("ring", "ringg"), "reference: there is no file, folder or data set 'ringg'; did you mean 'ring'?"),
        (("ring", "ring:test"), "ring:test: a data set has the parts 'held-out' and 'training'"),
        (("ring", "digits"), "the samples are points of shape (2,), and the reference images of (1, 8, 8)"),
        (("ring", "ring", "--metric", "energy-distanc"), "no metric is called 'energy-distanc'; did you mean"),
        (("ring", "ring", "--features", "lite1"), "no features are called 'lite1'; did you mean 'lite0'?"),
        (("ring", "ring", "--metric", "frechet-digits"), "no metric can score these samples"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(say, arguments, said):
    answer = say("evaluate", *arguments)
    assert answer.code == 2 and said in answer.err and "Traceback" not in answer.err


def test_the_command_prints_what_a_run_stores(say, tmp_path):
    np.savez(tmp_path / "points.npz", RANDOM.normal(size=(300, 2)).astype(np.float32))
    np.savez(tmp_path / "reals.npz", RANDOM.normal(size=(400, 2)).astype(np.float32))
    shown = say("evaluate", str(tmp_path / "points.npz"), str(tmp_path / "reals.npz"))
    assert shown.code == 0 and "energy-distance" in shown.out
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    rows = json.loads(say("evaluate", str(tmp_path / "points.npz"), str(tmp_path / "reals.npz"), "--json").out)
    assert {"metric", "value", "better", "floor", "n_real", "n_fake", "seconds", "low", "high"} <= rows[0].keys()


def test_metrics_of_all_pairs_take_a_stated_part_of_many_samples(monkeypatch):
    monkeypatch.setattr("ganbench.builtin.metrics.distances.EnergyDistance.max_samples", 300)
    random = torch.Generator().manual_seed(0)
    points, reals = torch.randn(400, 2, generator=random), torch.randn(900, 2, generator=random)
    given = [part[part[:, 0].argsort()] for part in (points, reals)]  # sorted: the first ones would say nothing
    scores = ganbench.evaluate(*given, ["energy-distance", "sliced-wasserstein"], floor=torch.randn(500, 2))
    counts = {score.metric: (score.n_fake, score.n_real) for score in scores}
    assert counts == {"energy-distance": (300, 300), "sliced-wasserstein": (400, 900)}
    assert scores[0].value < 0.03 and scores[0].floor < 0.03
    assert scores.notes == (
        "energy-distance: 300 of 400 samples against 300 of 900, drawn at random with a fixed seed",
    )
    again = ganbench.evaluate(*given, ["energy-distance"])
    assert again[0].value == scores[0].value
