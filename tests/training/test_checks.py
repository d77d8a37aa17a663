"""Samples that are not what their data set states."""

from __future__ import annotations

import pytest
import torch

from ganbench import Batch, DataSpec
from ganbench.training.checks import check_batch

GREY = DataSpec("images", (1, 4, 4), value_range=(-1.0, 1.0))
LABELLED = DataSpec("points", (2,), classes=3)


@pytest.mark.parametrize(
    ("batch", "spec", "words"),
    [
        (Batch(torch.empty(0, 2)), DataSpec("points", (2,)), "it holds no samples"),
        (Batch(torch.zeros(4, 2), torch.tensor([0, 1, 2, 3])), LABELLED, "from 0 to 3, and its spec states 3 classes"),
        (Batch(torch.zeros(2, 2), torch.tensor([-1, 1])), LABELLED, "labels run from -1 to 1"),
        (Batch(torch.full((2, 1, 4, 4), 255.0)), GREY, r"in \[255, 255\], and its spec states \[-1, 1\]; scale them"),
    ],
)
def test_a_part_that_is_not_as_its_spec_states_is_refused(batch, spec, words):
    with pytest.raises(ValueError, match=words):
        check_batch(batch, spec)


def test_values_at_the_ends_of_the_range_are_accepted():
    check_batch(Batch(torch.tensor([-1.0, 1.0001]).repeat(16).reshape(2, 1, 4, 4)), GREY)


@pytest.mark.parametrize(("part", "n"), [("training", 0), ("held-out", 0)])
def test_a_run_on_an_empty_part_says_so_before_training(make_trial, run_here, plugin_file, part, n):
    files = plugin_file(
        f"""
class Empty:
    spec = ganbench.DataSpec("points", (2,))
    modes = None
    def training(self):
        return ganbench.Batch(torch.randn({n if part == "training" else 200}, 2))
    def held_out(self):
        return ganbench.Batch(torch.randn({n if part == "held-out" else 200}, 2))

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("empty", Empty)
"""
    )
    result = run_here(make_trial(datasets={"empty": {}}, metrics=["energy-distance"], files=files))
    assert (result.status, result.steps) == ("error", 0)
    assert f"data set 'empty': {part} part: it holds no samples" in result.reason
