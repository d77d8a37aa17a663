"""A tree of tensors and plain values is the same, bit for bit, after it was written as JSON and safetensors."""

from __future__ import annotations

import json
import math
from collections import deque

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from ganbench.contract.state import GeneratorState
from ganbench.results.state_trees import decode, encode


def there_and_back(tree):
    document, tensors = encode(tree)
    text = json.dumps(document, allow_nan=False)
    return decode(json.loads(text), load(save(tensors)), torch.device("cpu"))


def test_plain_values_come_back_as_they_were():
    tree = {
        "none": None,
        "numbers": [True, 0, -(2**200), 0.1 + 0.2, 1e-320, math.inf, -math.inf, -0.0],
        "texts": ["", "ü\n\ud800", "$"],
        "$": "a key that stands for something else",
        3: {"keys that are no texts": {(1, None): b"\x00\xff"}},
        "containers": ((1, [2]), {1, 2}, deque([1, 2], maxlen=2), [], {}, ()),
        "generator": GeneratorState("python", (3, (1, 2), None)),
    }
    back = there_and_back(tree)
    assert back == tree and repr(back) == repr(tree)
    assert math.isnan(there_and_back([math.nan])[0])


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5, dtype=torch.float64),
        torch.tensor([math.nan, -0.0, 1e-45]),
        torch.arange(6, dtype=torch.int64).view(2, 3),
        torch.tensor([True, False]),
        torch.randn(3).to(torch.bfloat16),
        torch.empty(0, 4),
        torch.arange(12.0)[2:9:3],
        torch.ones(1).expand(5),
        torch.zeros(2, dtype=torch.uint8),
    ],
)
def test_tensors_come_back_bit_for_bit(tensor):
    back = there_and_back([tensor])[0]
    assert (back.dtype, back.shape) == (tensor.dtype, tensor.shape)
    assert (
        back.numpy(force=True).tobytes() == tensor.numpy(force=True).tobytes()
        if tensor.dtype != torch.bfloat16
        else torch.equal(back, tensor)
    )


def test_a_tensor_keeps_the_order_of_its_memory():
    tensor = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    back = there_and_back([tensor])[0]
    assert back.stride() == tensor.stride() and torch.equal(back, tensor)


def test_a_tensor_that_occurs_twice_is_stored_once_and_comes_back_as_two():
    tensor = torch.randn(3)
    document, tensors = encode({"a": tensor, "b": tensor})
    assert len(tensors) == 1
    back = decode(document, tensors, torch.device("cpu"))
    back["a"].zero_()
    assert torch.equal(back["b"], tensor) and not torch.equal(back["a"], tensor)


@pytest.mark.parametrize("array", [np.array([1, 2], np.uint32), np.array("text"), np.float32(0.1), np.int64(3)])
def test_arrays_come_back_with_their_type(array):
    back = there_and_back([array])[0]
    assert type(back) is type(array) and back.dtype == array.dtype and np.array_equal(back, array)


def test_the_state_of_every_global_generator_can_be_written():
    from ganbench.training.seeding import restore_rng_state, rng_state

    back = there_and_back(rng_state(torch.device("cpu")))
    expected = np.random.rand(), torch.rand(())
    restore_rng_state(back, torch.device("cpu"))
    assert (np.random.rand(), torch.rand(())) == expected


def test_what_has_no_plain_form_is_refused_with_its_place():
    with pytest.raises(ValueError, match=r"^gan\.loss\[1\] is object, which cannot be saved"):
        encode({"gan": {"loss": [1, object()]}})
