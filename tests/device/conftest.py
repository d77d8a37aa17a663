"""Tests marked `cuda` need a GPU, and are skipped where there is none; GANBENCH_FAKE_CUDA=1 tries them on a fake one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from device.fake_cuda import fake_cuda

FAKE = os.environ.get("GANBENCH_FAKE_CUDA") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked `cuda` on a machine without a CUDA device."""
    for item in items:
        if item.get_closest_marker("cuda") and not torch.cuda.is_available() and not FAKE:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def _fake_device(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test marked `cuda` on the fake device, where that is asked for."""
    if FAKE and request.node.get_closest_marker("cuda"):
        with fake_cuda():
            yield
    else:
        yield
