"""Kernel distances equal their definitions and the reference's, and their intervals are as wide as they say."""

import math

import pytest
import torch
from torch_fidelity.metric_kid import kid_features_to_metric

from ganbench import CannotScore, DataSpec, Samples
from ganbench.builtin.metrics.kernels import CMMD, KID, MMD, KernelDistance, kid


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def polynomial(x, y):
    return (x.double() @ y.double().T / x.shape[1] + 1) ** 3


def unbiased(kernel, x, y):
    """The squared discrepancy over all pairs of different samples, from whole matrices."""
    xx, yy, xy = kernel(x, x), kernel(y, y), kernel(x, y)
    n, m = xy.shape
    return float(
        (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1)) - 2 * xy.mean(),
    )


def mmd(fake, real):
    return MMD().score(Samples(fake, real, DataSpec("points", tuple(fake.shape[1:]))))[""]


def reference_kid(fake, real):
    """torch-fidelity's KID of float64 features."""
    return kid_features_to_metric(fake.double(), real.double(), verbose=False)["kernel_inception_distance_mean"]


CASES = {
    "alike": (normal(1, 300, 8), normal(2, 300, 8)),
    "apart, of unequal counts": (1.2 * normal(1, 90, 8) + 0.2, normal(2, 400, 8)),
    "several blocks": (normal(1, 1100, 4) + 0.5, normal(2, 1300, 4)),
    "a large mean": (normal(1, 200, 4) + 30, 1.5 * normal(2, 200, 4) + 30),
    "repeated samples": (normal(1, 10, 4).repeat(20, 1), normal(2, 200, 4)),
    "constant samples": (torch.full((40, 4), 0.5), normal(2, 100, 4)),
}


@pytest.mark.parametrize("case", CASES)
def test_kernel_distance_equals_its_definition(case, score_rows):
    fake, real = CASES[case]
    scale = float(polynomial(real, real).mean())
    found = score_rows(KernelDistance, fake, real)[""]
    assert float(found) == pytest.approx(unbiased(polynomial, fake, real), rel=1e-5, abs=1e-6 * scale)
    assert found.low < found.value < found.high and not found.biased


def test_kernel_distance_equals_its_definition_on_features_of_real_pictures(picture_rows, score_rows):
    fake, real = picture_rows
    expected = unbiased(polynomial, fake, real)
    scale = float(polynomial(real, real).mean())
    assert float(score_rows(KernelDistance, fake, real)[""]) == pytest.approx(expected, rel=1e-5, abs=1e-7 * scale)


@pytest.mark.parametrize(("n", "m"), [(1000, 1000), (1100, 1700)])
def test_kid_equals_torch_fidelitys(n, m, score_rows):
    fake, real = 1.1 * normal(1, n, 24) + 0.2, normal(2, m, 24)
    expected = reference_kid(fake, real)
    assert float(score_rows(KID, fake, real)[""]) == pytest.approx(expected, rel=1e-5)
    assert kid(fake, real) == pytest.approx(expected, rel=1e-5)


def test_kid_of_more_samples_than_are_compared_at_once_equals_torch_fidelitys(score_rows, monkeypatch):
    monkeypatch.setattr("ganbench.builtin.metrics.pairs.MAX_SHARED", 1200)
    fake, real = normal(1, 1050, 8) + 0.3, normal(2, 1300, 8)
    assert float(score_rows(KID, fake, real)[""]) == pytest.approx(reference_kid(fake, real), rel=1e-5)


def test_kid_equals_torch_fidelitys_on_features_of_real_pictures(picture_rows, score_rows):
    fake, real = picture_rows
    fake = fake * 1.1  # pictures of one kind have a KID near 0, of which no digit is certain
    assert float(score_rows(KID, fake, real)[""]) == pytest.approx(reference_kid(fake, real), rel=1e-5)


@pytest.mark.parametrize("shift", [0.0, 0.4])
@pytest.mark.parametrize("which", ["kernel-distance", "mmd"])
def test_the_interval_is_as_wide_as_the_spread_of_new_samples(which, shift, score_rows):
    """Where both are alike, the error is that of single pairs; where they are not, that of the means of rows.

    Alike in few dimensions, means of rows vary too much to say which it is: the interval may then be wider.
    """
    values, widths = [], []
    for seed in range(200):
        fake, real = normal(2 * seed, 150, 4) + shift, normal(2 * seed + 1, 200, 4)
        found = mmd(fake, real) if which == "mmd" else score_rows(KernelDistance, fake, real)[""]
        values.append(float(found))
        widths.append((found.high - found.low) / (2 * 1.959964))
    spread = float(torch.tensor(values).std())
    ratio = sum(widths) / len(widths) / spread
    assert 0.75 < ratio < (2 if which == "mmd" and shift == 0 else 1.25)


def test_mmd_equals_its_definition():
    fake, real = normal(1, 80, 3) + 0.5, normal(2, 120, 3)
    width = float(torch.pdist(real.double()).median())

    def gaussian(x, y):
        return (-torch.cdist(x.double(), y.double()).square() / (2 * width**2)).exp()

    assert float(mmd(fake, real)) == pytest.approx(unbiased(gaussian, fake, real), rel=1e-6)


def test_mmd_of_constant_reals_has_no_width():
    with pytest.raises(CannotScore, match="the real samples are all equal"):
        mmd(normal(1, 50, 3), torch.ones(50, 3))


def test_cmmd_equals_its_definition(score_rows):
    fake, real = normal(1, 60, 5) + 0.5, normal(2, 70, 5)
    x, y = (part.double() / part.double().norm(dim=1, keepdim=True) for part in (fake, real))
    xx, yy, xy = ((-torch.cdist(a, b).square() / 200).exp().mean() for a, b in ((x, x), (y, y), (x, y)))
    found = score_rows(CMMD, fake, real)[""]
    assert float(found) == pytest.approx(1000 * float(xx + yy - 2 * xy), rel=1e-6) and found.biased


@pytest.mark.parametrize(("kind", "needed"), [(KernelDistance, 20), (KID, 1000)])
def test_too_few_or_spoiled_samples_have_no_distance(kind, needed, score_rows):
    rows = normal(1, needed, 4)
    spoiled = rows.clone()
    spoiled[3, 2] = math.nan
    for fake, real, part in ((rows[1:], rows, "generated"), (rows, rows[1:], "real")):
        with pytest.raises(CannotScore, match=f"at least {needed} {part} samples, and there are {needed - 1}"):
            score_rows(kind, fake, real)
    with pytest.raises(CannotScore, match=f"1 of {needed} real samples have features that are not finite"):
        score_rows(kind, rows, spoiled)
    assert math.isnan(float(score_rows(kind, spoiled, rows)[""]))
