"""The loss is its formula, and its gradient has the right sign."""

import math

import pytest
import torch
from ganbench_example.loss import SoftplusMargin

import ganbench


def batch(value: float) -> ganbench.Batch:
    return ganbench.Batch(torch.tensor([[value]]))


def logit(samples: ganbench.Batch) -> torch.Tensor:
    return samples.x.squeeze(1)


def test_d_is_penalized_up_to_the_margin():
    loss = SoftplusMargin(margin=2.0)
    even = loss.discriminator(logit, batch(0.0), batch(0.0))
    assert float(even) == pytest.approx(math.log1p(math.exp(2.0)))
    assert float(loss.discriminator(logit, batch(9.0), batch(0.0))) < 1e-2 < float(even)


def test_gs_gradient_points_towards_the_real_samples():
    fake = torch.tensor([[0.0]], requires_grad=True)
    SoftplusMargin().generator(logit, batch(1.0), ganbench.Batch(fake)).backward()
    assert float(fake.grad) < 0
