"""FID and Inception score equal torch-fidelity's on the same features, and take the samples that their names say."""

import math

import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric

from ganbench import CannotScore
from ganbench.builtin.metrics.inception import FID, FID10kTest, FID50kTrain, InceptionScore, inception_score


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n", [10, 105, 400])
@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_the_inception_score_equals_torch_fidelitys(n, scale, score_rows):
    logits = scale * normal(1, n, 20)
    theirs = isc_features_to_metric(logits)["inception_score_mean"]
    found = score_rows(InceptionScore, logits, logits)[""]
    assert float(found) == pytest.approx(theirs, rel=1e-9) and found.biased


def test_the_inception_score_equals_torch_fidelitys_on_features_of_real_pictures(picture_rows, score_rows):
    rows, _ = picture_rows
    theirs = isc_features_to_metric(rows)["inception_score_mean"]
    assert float(score_rows(InceptionScore, rows, rows)[""]) == pytest.approx(theirs, rel=1e-9)


def test_samples_that_are_all_alike_score_1_and_certain_even_classes_their_number():
    assert inception_score(torch.ones(50, 10), 5, 0) == pytest.approx(1)
    certain = 1e4 * torch.eye(10).repeat(50, 1)  # other classes have a probability of 0
    assert inception_score(certain, 1, 0) == pytest.approx(10, rel=1e-6)
    assert inception_score(certain, 500, 0) == pytest.approx(1)


def test_fid_is_the_frechet_distance_and_is_said_of_inception_alone(score_rows):
    fake, real = normal(1, 200, 8) + 0.3, normal(2, 300, 8)
    both = [fid_features_to_statistics(part.double()) for part in (fake, real)]
    theirs = fid_statistics_to_metric(*both, verbose=False)["frechet_inception_distance"]
    assert float(score_rows(FID, fake, real)[""]) == pytest.approx(theirs, rel=1e-6)
    assert FID.implied_features == InceptionScore.implied_features == "inception-v3"


def test_protocols_state_their_counts_and_their_reference():
    assert (FID50kTrain.n_samples, FID50kTrain.reference) == (50_000, "training")
    assert (FID10kTest.n_samples, FID10kTest.reference) == (10_000, "held-out")


def test_too_few_or_spoiled_logits_have_no_score(score_rows):
    logits = normal(1, 20, 5)
    spoiled = logits.clone()
    spoiled[3, 2] = math.nan
    with pytest.raises(CannotScore, match="at least 10 generated samples, and there are 9"):
        score_rows(InceptionScore, logits[:9], logits)
    assert math.isnan(float(score_rows(InceptionScore, spoiled, logits)[""]))
