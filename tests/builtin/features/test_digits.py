"""Features of digits are those that the digit metrics are computed in."""

from __future__ import annotations

import hashlib
import math

import torch
from sklearn.datasets import load_digits

from ganbench.builtin.features.digits import FEATURE_DIM, WEIGHTS, DigitFeatures, digit_features


def test_they_are_those_of_the_digit_metrics():
    x = torch.from_numpy(load_digits().images[:20]).float().unsqueeze(1) / 8 - 1
    x[3, 0, 0, 0] = math.nan
    rows = DigitFeatures()(x.expand(-1, 2, -1, -1))
    assert rows.shape == (20, 2 * FEATURE_DIM) and rows.dtype == torch.float32
    assert torch.equal(rows.nan_to_num(7), digit_features(x.expand(-1, 2, -1, -1)).nan_to_num(7))
    assert rows.isnan().any(dim=1).nonzero().tolist() == [[3]]


def test_the_checksum_is_that_of_the_weights_that_ship():
    assert DigitFeatures().checksum == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
