"""How the samples of fixed latents move from observation to observation: learning, standing still, going in circles.

Writes the history of a run: a row at each observation. Signals are measured where there is any diagnosis.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..contract.adapt import adapt
from ..contract.components import Diagnosis
from ..contract.errors import RequestError, did_you_mean
from ..contract.records import History, NonFinite
from ..contract.view import View
from .probes import PROBES, ProbeBatch
from .signals import SIGNALS, SignalBatch, textbook_signals

FIXED_NOISE_SAMPLES = 64  # fixed latents
WINDOW_OBSERVATIONS = 10  # observations that the path is looked at over


class Motion:
    """Follows the samples that G makes of the same latents."""

    def __init__(self) -> None:
        self._positions: deque[Tensor] = deque(maxlen=WINDOW_OBSERVATIONS + 1)

    def measure(self, view: View) -> dict[str, Tensor | float]:
        """The move since the last observation; NaN as long as there is nothing to compare with.

        `motion_speed` is its mean length over the distance of two real samples (root mean square), `motion_turn` its mean cosine with the
        move before (-1: back and forth), `motion_progress` the mean distance covered over the last observations,
        divided by the length of the path (0: in circles, 1: straight on).
        """
        self._positions.append(view.fixed(FIXED_NOISE_SAMPLES).flatten(1))
        row: dict[str, Tensor | float] = dict.fromkeys(("motion_speed", "motion_turn", "motion_progress"), math.nan)
        positions = list(self._positions)
        moves = [after - before for before, after in itertools.pairwise(positions)]
        if moves:
            apart = view.data_std * (2 * positions[-1].shape[1]) ** 0.5
            row["motion_speed"] = moves[-1].norm(dim=1).mean() / apart
        if len(moves) > 1:
            now, before = moves[-1], moves[-2]
            lengths = (now.norm(dim=1) * before.norm(dim=1)).clamp_min(1e-12)
            row["motion_turn"] = ((now * before).sum(dim=1) / lengths).mean()
            path = sum(move.norm(dim=1) for move in moves)
            assert isinstance(path, Tensor)
            row["motion_progress"] = ((positions[-1] - positions[0]).norm(dim=1) / path.clamp_min(1e-12)).mean()
        return row


VITAL = ("loss_d", "loss_g", "d_real", "d_fake", "logit_max")  # the run has diverged where one of them is not finite


class Observer:
    """Observes one run for the `diagnoses` given by name. One host-device transfer an observation."""

    def __init__(self, view: View, diagnoses: Mapping[str, Diagnosis]) -> None:
        self._view = view
        self._diagnoses = {name: adapt("diagnosis", diagnosis) for name, diagnosis in diagnoses.items()}
        self._motion = Motion()
        self._probes = _wanted(self._diagnoses)
        self._floors: dict[str, Tensor] = {}
        self._rows: list[dict[str, float]] = []
        self.nonfinite: NonFinite | None = None

    def observe(self, step: int, loss_d: Tensor, loss_g: Tensor, *, probe: bool) -> dict[str, float]:
        """Take the row of `step`; `probe` asks for the probes too."""
        with self._view.at(step) as view:
            glance = SignalBatch(view)
            values: dict[str, Tensor | float] = {"loss_d": loss_d, "loss_g": loss_g, **textbook_signals(glance)}
            if self._diagnoses:
                values |= {name: signal(glance) for name, signal in SIGNALS.items()}
                values |= view.norms()
                values |= self._motion.measure(view)
                values |= _columns_of(self._diagnoses, lambda diagnosis: diagnosis.observe(view))
            if probe:
                values |= self._probe(view)
                values |= _columns_of(self._diagnoses, lambda diagnosis: diagnosis.probe(view))
        row = {"step": float(step)} | _numbers(values)
        self._rows.append(row)
        return row

    def is_finite(self) -> bool:
        """Whether the losses and logits of the newest row are all finite."""
        return all(math.isfinite(self._rows[-1][name]) for name in VITAL)

    def history(self) -> History:
        """Everything observed so far."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        columns = {name: np.array([row.get(name, math.nan) for row in self._rows]) for name in names}
        if "step" in columns:
            columns["step"] = columns["step"].astype(np.int64)
        return History(columns, self._view.steps, self.nonfinite)

    def _probe(self, view: View) -> dict[str, Tensor]:
        """The probes and, measured once, since real data does not change, their floors."""
        if self._probes and not self._floors:
            probing = ProbeBatch(view, floor=True)
            self._floors = {f"{name}_floor": PROBES[name](probing) for name in self._probes}
        if not self._probes:
            return {}
        probing = ProbeBatch(view, floor=False)
        return {name: PROBES[name](probing) for name in self._probes} | self._floors


def _columns_of(
    diagnoses: Mapping[str, Diagnosis], measure: Callable[[Diagnosis], Mapping[str, Any]]
) -> dict[str, Any]:
    """The columns that diagnoses measure themselves, each under its diagnosis's name."""
    return {
        f"{name}.{key}": value for name, diagnosis in diagnoses.items() for key, value in measure(diagnosis).items()
    }


def _wanted(diagnoses: Mapping[str, Diagnosis]) -> list[str]:
    """The probes that any diagnosis declares, each once, in a fixed order."""
    wanted = {name: diagnosis for diagnosis in diagnoses for name in diagnoses[diagnosis].probes}
    for name, diagnosis in wanted.items():
        if name not in PROBES:
            raise RequestError(f"diagnosis {diagnosis!r} asks for the probe {name!r}; {did_you_mean(name, PROBES)}")
    return [name for name in PROBES if name in wanted]


def _numbers(values: Mapping[str, Tensor | float]) -> dict[str, float]:
    """All tensors to numbers in one transfer."""
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    device = next(iter(tensors.values())).device
    together = torch.stack([value.detach().to(device, torch.float64) for value in tensors.values()]).tolist()
    return {name: float(value) for name, value in values.items() if name not in tensors} | dict(
        zip(tensors, together, strict=True)
    )
