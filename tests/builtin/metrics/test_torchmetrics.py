"""What torchmetrics has as well equals torchmetrics' on the same features."""

import pytest
import torch
from torch import nn

from ganbench.builtin.metrics.frechet import Frechet
from ganbench.builtin.metrics.inception import inception_score
from ganbench.builtin.metrics.kernels import KernelDistance

images = pytest.importorskip("torchmetrics.image")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Metric .* will save all extracted features:UserWarning",
    "ignore:std.*degrees of freedom:UserWarning",  # of one split
)


class AsGiven(nn.Module):
    """A network whose features are its input; of the picture that torchmetrics tries it on, as many zeros."""

    def __init__(self, dim):
        super().__init__()
        self.num_features = dim

    def forward(self, x):
        return x if x.ndim == 2 else torch.zeros(len(x), self.num_features)


def score(kind, fake, real, **options):
    metric = kind(feature=AsGiven(fake.shape[1]), **options)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return metric.compute()


@pytest.fixture
def rows(picture_rows):
    """Features of real pictures, of which one half is changed: of two alike, distances are all rounding."""
    fake, real = (part.double() for part in picture_rows)
    return 1.1 * fake + 0.05, real


def test_the_frechet_distance_equals_torchmetrics(rows, score_rows):
    expected = float(score(images.FrechetInceptionDistance, *rows))
    assert float(score_rows(Frechet, *rows)[""]) == pytest.approx(expected, rel=1e-5)


def test_the_kernel_distance_equals_torchmetrics_of_one_subset_of_all_samples(rows, score_rows):
    fake, real = (part[:1050] for part in rows)
    mean, _ = score(images.KernelInceptionDistance, fake, real, subsets=1, subset_size=1050)
    assert float(score_rows(KernelDistance, fake, real)[""]) == pytest.approx(float(mean), rel=1e-5)


def test_the_inception_score_equals_torchmetrics_of_one_split(rows):
    logits, _ = rows
    metric = images.InceptionScore(feature=AsGiven(logits.shape[1]), splits=1)
    metric.update(logits)
    assert inception_score(logits, 1, 0) == pytest.approx(float(metric.compute()[0]), rel=1e-9)
