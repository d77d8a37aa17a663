"""Precision, recall, density and coverage in the features of the digit classifier."""

import math
from typing import Annotated

import msgspec
import torch

import ganbench

from .digits.features import digit_features, refuse_undigital

_BLOCK = 512  # rows whose distances to all others are held at once


class PrdcDigits:
    """Precision, recall, density and coverage of generated images, in digit features.

    Precision and recall follow Kynkäänniemi et al. (2019, https://arxiv.org/abs/1904.06991), computed by
    torch-fidelity; density and coverage follow Naeem et al. (2020, https://arxiv.org/abs/2002.09797). All
    stand on balls around samples that reach to their `neighbours`-th neighbour. All lie in 0 to 1 but
    density, which can exceed 1.

    A non-finite generated sample lies in no ball and has none. Where no more than `neighbours` generated
    samples are finite, all four are 0; where no more were given on either side, they are undefined: NaN.
    """

    better = {"precision": "higher", "recall": "higher", "density": "higher", "coverage": "higher"}
    skip = staticmethod(refuse_undigital)

    def __init__(self, *, neighbours: Annotated[int, msgspec.Meta(ge=1)] = 5) -> None:
        self.neighbours = neighbours

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Scores of `samples.fake` (N, C, H, W) against `samples.real` (M, C, H, W), images in [-1, 1]."""
        # In float64: distances are computed through products, and must tell equal samples from near ones.
        fake, real = digit_features(samples.fake).double(), digit_features(samples.real).double()
        if min(len(fake), len(real)) <= self.neighbours or not real.isfinite().all():
            return dict.fromkeys(self.better, math.nan)
        finite = fake.isfinite().all(dim=1)
        if finite.sum() <= self.neighbours:
            return dict.fromkeys(self.better, 0.0)
        precision, recall = self._precision_recall(fake[finite], real)
        density, coverage = density_coverage(fake[finite], real, self.neighbours)
        share = float(finite.double().mean())
        return {
            "precision": precision * share,
            "recall": recall,
            "density": density * share,
            "coverage": coverage,
        }

    def _precision_recall(self, fake: torch.Tensor, real: torch.Tensor) -> tuple[float, float]:
        # Imported here, since it takes seconds and 160 MB.
        from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

        scores = prc_features_to_metric(
            features_1=fake,
            features_2=real,
            prc_neighborhood=self.neighbours,
            prc_batch_size=_BLOCK,
            save_cpu_ram=True,
            verbose=False,
        )
        return scores[KEY_METRIC_PRECISION], scores[KEY_METRIC_RECALL]


def density_coverage(fake: torch.Tensor, real: torch.Tensor, neighbours: int) -> tuple[float, float]:
    """Density and coverage (Naeem et al. 2020) of features fake (N, F) against real (M, F), M > `neighbours`.

    Density: real balls that a generated sample lies in, on average, in units of `neighbours`. Coverage: share
    of real balls that hold a generated sample. The balls are open, as in the authors' code, so that real
    samples against themselves have density 1.
    """
    inside, covered = 0.0, 0.0
    for rows in torch.split(real, _BLOCK):
        radii = torch.cdist(rows, real).kthvalue(neighbours + 1, dim=1, keepdim=True).values  # the first is itself
        within = torch.cdist(rows, fake) < radii
        inside += float(within.sum())
        covered += float(within.any(dim=1).sum())
    return inside / (neighbours * len(fake)), covered / len(real)
