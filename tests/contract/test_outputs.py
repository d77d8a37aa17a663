"""Whatever a discriminator returns is read in one form, or refused in one line."""

from __future__ import annotations

import pytest
import torch

from ganbench import Batch
from ganbench.contract.outputs import read_outputs

LOGITS = torch.tensor([1.0, -2.0, 3.0])
MAP = torch.arange(12.0).reshape(3, 1, 2, 2)


def test_one_logit_a_sample_stays_the_tensor_that_it_is():
    outputs = read_outputs(LOGITS)
    assert outputs.logits is LOGITS and outputs.of_samples is LOGITS and outputs.heads == (LOGITS,)


def test_a_map_is_given_to_losses_as_it_is_and_means_one_logit_a_sample():
    outputs = read_outputs(MAP)
    assert outputs.logits is MAP
    assert outputs.of_samples.tolist() == [1.5, 5.5, 9.5]


@pytest.mark.parametrize("as_sequence", [list, tuple])
def test_heads_are_averaged_or_added(as_sequence):
    mean, total = (read_outputs(as_sequence([LOGITS, MAP]), combine) for combine in ("mean", "sum"))
    assert total.of_samples.tolist() == [2.5, 3.5, 12.5] == total.logits.tolist()
    assert mean.of_samples.tolist() == [1.25, 1.75, 6.25] == mean["logits"].tolist()
    assert [head.shape for head in mean.heads] == [(3,), (3, 1, 2, 2)]
    assert [head.tolist() for head in mean.of_heads] == [LOGITS.tolist(), [1.5, 5.5, 9.5]]


def test_what_stands_beside_the_logits_is_kept_by_name():
    outputs = read_outputs({"features": [MAP], "logits": LOGITS, "classes": MAP})
    assert outputs["features"] == [MAP] and outputs["classes"] is MAP and outputs["logits"] is LOGITS
    assert set(outputs) == {"logits", "features", "classes"} and "attention" not in outputs


@pytest.mark.parametrize(
    "returned, said",
    [
        ({"features": MAP}, r"returns a mapping of 'features', without 'logits'"),
        ({}, "returns a mapping of nothing, without 'logits'"),
        ([], "the list of its heads is empty"),
        (torch.tensor(1.0), "returns a scalar, not a tensor of logits with one row for each sample"),
        ([LOGITS, None], "returns NoneType as head 2 of 2"),
        ({"logits": {"a": LOGITS}}, "returns dict, not a tensor"),
    ],
)
def test_what_holds_no_logits_is_refused(returned, said):
    with pytest.raises(TypeError, match=f"the discriminator.*{said}"):
        read_outputs(returned)


def test_a_batch_is_cut_moved_and_changed_with_all_that_belongs_to_it():
    batch = Batch(torch.arange(4.0), torch.arange(4), 10 * torch.arange(4), 100 * torch.arange(4))
    assert len(batch) == 4
    for part in (batch[1:3], batch[torch.tensor([1, 2])], batch.to("cpu")[1:3]):
        assert [t.tolist() for t in (part.x, part.labels, part.condition, part.z)] == [
            [1, 2],
            [1, 2],
            [10, 20],
            [100, 200],
        ]
    other = batch.with_x(torch.zeros(4))
    assert other.labels is batch.labels and other.condition is batch.condition and other.z is batch.z
    assert Batch(torch.zeros(2))[:1].labels is None
