"""How many samples a look may take, so that looking stays a small share of training. Counted, never timed.

A time would differ from run to run, and with it the history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

SHARE = 0.003  # of the samples that are trained on, for each probe
FREE = 3e7  # operations that no step notices: small networks spend their time on being called
FEWEST = 128  # samples under which probes say little


def affordable(trained_on: int, operations: float) -> int:
    """Samples for a probe of a run that trains on `trained_on`, each at `operations` in G and D together."""
    return max(FEWEST, round(SHARE * trained_on + FREE / max(operations, 1.0)))


def operations(forward: Callable[[], Any], samples: int) -> float:
    """Floating-point operations of `forward` for each of its `samples`, counted by torch; infinite where it cannot."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            forward()
    except Exception:  # a network that the counter does not stand: it is taken for a heavy one
        return float("inf")
    return counter.get_total_flops() / samples
