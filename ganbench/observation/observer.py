"""Writes the history of a run: a row at each observation. Signals are measured where there is any diagnosis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import RequestError, did_you_mean
from ..records import Breakdown, History
from .motion import Motion
from .probes import PROBES, Probing
from .signals import SIGNALS, Glance, textbook
from .view import RunView

VITAL = ("loss_d", "loss_g", "d_real", "d_fake", "logit_max")  # not finite: the run has broken down


class Observer:
    """Observes one run for the `diagnoses` given by name. One host-device transfer an observation."""

    def __init__(self, view: RunView, diagnoses: Mapping[str, Any]) -> None:
        self._view = view
        self._diagnoses = diagnoses
        self._motion = Motion()
        self._probes = _wanted(diagnoses)
        self._floors: dict[str, Tensor] = {}
        self._rows: list[dict[str, float]] = []
        self.breakdown: Breakdown | None = None

    def observe(self, step: int, loss_d: Tensor, loss_g: Tensor, *, probe: bool) -> dict[str, float]:
        """Take the row of `step`; `probe` asks for the probes too."""
        with self._view.at(step) as view:
            glance = Glance(view)
            values: dict[str, Tensor | float] = {"loss_d": loss_d, "loss_g": loss_g, **textbook(glance)}
            if self._diagnoses:
                values |= {name: signal(glance) for name, signal in SIGNALS.items()}
                values |= view.norms()
                values |= self._motion.measure(view)
                values |= self._asked_of_diagnoses("observe", view)
            if probe:
                values |= self._probe(view)
                values |= self._asked_of_diagnoses("probe", view)
        row = {"step": float(step)} | _numbers(values)
        self._rows.append(row)
        return row

    def broken(self) -> bool:
        """Whether the newest row shows a loss or a logit that is no longer finite."""
        return any(not math.isfinite(self._rows[-1][name]) for name in VITAL)

    def history(self) -> History:
        """Everything observed so far."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        columns = {name: np.array([row.get(name, math.nan) for row in self._rows]) for name in names}
        if "step" in columns:
            columns["step"] = columns["step"].astype(np.int64)
        return History(columns, self._view.steps, self.breakdown)

    def _probe(self, view: RunView) -> dict[str, Tensor]:
        """The probes and, measured once, since real data does not change, their floors."""
        if self._probes and not self._floors:
            probing = Probing(view, floor=True)
            self._floors = {f"{name}_floor": PROBES[name](probing) for name in self._probes}
        if not self._probes:
            return {}
        probing = Probing(view, floor=False)
        return {name: PROBES[name](probing) for name in self._probes} | self._floors

    def _asked_of_diagnoses(self, method: str, view: RunView) -> dict[str, Any]:
        """The columns that diagnoses measure themselves, each under its diagnosis's name."""
        return {
            f"{name}.{key}": value
            for name, diagnosis in self._diagnoses.items()
            if hasattr(diagnosis, method)
            for key, value in getattr(diagnosis, method)(view).items()
        }


def _wanted(diagnoses: Mapping[str, Any]) -> list[str]:
    """The probes that any diagnosis declares, each once, in a fixed order."""
    wanted = {name: diagnosis for diagnosis in diagnoses for name in getattr(diagnoses[diagnosis], "probes", ())}
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
