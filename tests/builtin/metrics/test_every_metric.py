"""Every metric that ganbench ships keeps the contract, and ranks samples as it should."""

import math
import subprocess
import sys

import pytest
import torch

from ganbench import builtin

ALL = [component.name for component in builtin.ganbench_metrics()]
WEIGHTS_APART = {"cmmd", "fid", "fid-10k-test", "fid-50k-train", "fid-infinity", "is", "kid"}
NOVELTY = {"authenticity", "data-copying"}  # these compare with training data
PAIRED = {"perceptual", "psnr", "ssim"}  # and these with the true sample of the same condition (see `test_paired`)
NAMES = [name for name in ALL if name not in WEIGHTS_APART | NOVELTY | PAIRED | {"frechet-infinity"}]
ON_IMAGES = [name for name in NAMES if name != "modes"]
ON_DIGITS = {"clipped", "frechet", "kernel-distance", "mind", "prdc", "vendi"}  # built on the digits' features here


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def samples(name, samples_of, ring, draw, stacked):
    """Samples that the metric can score: 150 generated, 140 real."""
    if name == "modes":
        return samples_of(draw(ring, 150, seed=1), draw(ring, 140, seed=2), ring)
    return samples_of(stacked[0][:150], stacked[0][150:290])


def with_fake(samples, fake):
    return type(samples)(fake, samples.real, samples.spec, samples.modes)


def test_naming_the_metrics_imports_no_torch():
    code = (
        "import sys; from ganbench import builtin; "
        "names = [c.name for c in builtin.ganbench_metrics()]; "
        "assert len(names) > 20, names; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_score_has_a_direction(name, build, samples):
    metric = build(name)
    scores = metric.score(samples)
    directions = metric.better if isinstance(metric.better, dict) else {name: metric.better}
    assert scores.keys() == directions.keys()
    assert set(directions.values()) <= {"higher", "lower"}
    assert all(type(value) is float and math.isfinite(value) for value in scores.values())


def test_the_order_of_samples_does_not_matter(name, build, samples):
    scores = build(name).score(samples)
    reordered = type(samples)(samples.fake.flip(0), samples.real.roll(17, 0), samples.spec, samples.modes)
    assert build(name).score(reordered) == pytest.approx(scores, rel=1e-4, abs=1e-6)


def test_the_global_random_state_is_neither_read_nor_changed(name, build, samples):
    torch.manual_seed(1)
    first = build(name).score(samples)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert build(name).score(samples) == first
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_are_not_changed(name, build, samples):
    before = samples.fake.clone(), samples.real.clone()
    build(name).score(samples)
    assert torch.equal(samples.fake, before[0])
    assert torch.equal(samples.real, before[1])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_without_a_finite_one_never_look_good(name, bad, build, samples):
    metric = build(name)
    scores = metric.score(with_fake(samples, torch.full_like(samples.fake, bad)))
    good = metric.score(samples)
    for key, value in scores.items():
        direction = metric.better[key] if isinstance(metric.better, dict) else metric.better
        worse = value < good[key] if direction == "higher" else value > good[key]
        assert math.isnan(value) or worse, key


def test_one_bad_sample_among_many_does_not_crash_or_raise_a_score(name, build, samples):
    metric = build(name)
    fake = samples.fake.clone()
    fake[3].view(-1)[0] = math.nan
    scores = metric.score(with_fake(samples, fake))
    clean = metric.score(samples)
    for key, value in scores.items():
        direction = metric.better[key] if isinstance(metric.better, dict) else metric.better
        if direction == "higher":
            assert math.isnan(value) or value <= clean[key]
        else:
            assert math.isnan(value) or value == pytest.approx(clean[key], abs=0.05)


def test_a_collapsed_generator_scores_worse_than_real_samples(name, build, samples):
    metric = build(name)
    collapsed = metric.score(with_fake(samples, samples.real[:1].expand_as(samples.fake)))
    good = metric.score(samples)
    diversity = {"covered", "recall", "coverage", "reverse_kl", "kl", name}  # not the share of good samples
    for key in diversity & good.keys():
        direction = metric.better[key] if isinstance(metric.better, dict) else metric.better
        assert collapsed[key] < 0.5 * good[key] if direction == "higher" else collapsed[key] > 2 * good[key], key


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e30])
def test_constant_samples_score_finite_numbers(name, value, build, samples):
    scores = build(name).score(with_fake(samples, torch.full_like(samples.fake, value)))
    assert all(math.isfinite(score) for score in scores.values())


@pytest.mark.parametrize("name", [name for name in ON_IMAGES if name != "digit-modes"], indirect=True)
def test_more_noise_scores_worse(name, build, samples_of, stacked):
    metric = build(name)
    stream = torch.Generator().manual_seed(3)
    fake, real = stacked[0][:400], stacked[0][400:800]
    noise = torch.randn(fake.shape, generator=stream)
    clean, some, much = (metric.score(samples_of((fake + s * noise).clamp(-1, 1), real)) for s in (0.0, 0.5, 1.0))
    for key in clean:
        direction = metric.better[key] if isinstance(metric.better, dict) else metric.better
        if direction == "lower":
            assert 1.2 * clean[key] < some[key] < much[key], key
        else:
            assert 0.9 * clean[key] > some[key] >= much[key], key


@pytest.mark.parametrize("name", ON_IMAGES, indirect=True)
def test_samples_of_another_count_than_the_real_ones_are_scored(name, build, samples_of, stacked):
    scores = build(name).score(samples_of(stacked[0][:40], stacked[0][40:66]))
    assert all(math.isfinite(value) for value in scores.values())


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", ON_IMAGES, indirect=True)
def test_image_metrics_serve_one_to_three_channels_at_the_sizes_they_know(
    name, channels, build, skip, samples_of, stacked
):
    small = stacked[0][:60, :channels]
    large = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    digits_alone = "digit" in name or name in ON_DIGITS
    assert (skip(name, "images", tuple(large.shape[1:])) is None) == (not digits_alone)
    for images in [small] if digits_alone else [small, large]:
        assert skip(name, "images", tuple(images.shape[1:])) is None
        assert all(math.isfinite(value) for value in build(name).score(samples_of(images[:30], images[30:])).values())


@pytest.mark.parametrize(
    ("name", "kind", "shape", "reason"),
    [
        ("modes", "images", (1, 8, 8), "modes are counted on points, not on images"),
        ("digit-modes", "points", (2,), "reads images, not points"),
        ("prdc-digits", "images", (4, 8, 8), "1 to 3 channels, not 4"),
        ("frechet-digits", "images", (1, 7, 28), "of 8x8 pixels, not 7x28"),
        ("energy-distance", "points", (2,), None),
        ("sliced-wasserstein", "points", (2,), None),
        ("modes", "points", (2,), None),
    ],
)
def test_a_metric_says_why_it_cannot_serve_a_trial(name, kind, shape, reason, skip):
    answer = skip(name, kind, shape)
    assert answer is None if reason is None else reason in answer
