"""Writes the history of a run: a row of signals at each observation, probes at some, and how samples move in between."""

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
from ..contract.records import REAL_SAMPLES, History, NonFinite, WiringFault
from ..contract.state import load_state, state_of
from ..contract.view import View
from .probe_features import MAX_VALUES, Embedding, choose_embedding
from .probes import HELD_OUT_PROBES, PROBES, REGION_PROBES, ProbeBatch, why_not_probed
from .signals import SIGNALS, SignalBatch, auc_by_head, literature_signals, textbook_signals
from .wiring.watch import WiringWatch

FIXED_NOISE_SAMPLES, FIXED_LARGE_SAMPLES = 64, 32  # fixed latents, and those of large samples
WINDOW_OBSERVATIONS = 10  # observations behind a path
MAX_PATH_VALUES = 4096  # of a sample that are followed: of larger ones a random choice
POOLED_PROBES = 3  # whose generated pictures are searched together for what is missed all the time
MAX_FIXED_VALUES, MIN_FIXED_SAMPLES = 2**21, 8  # fewer fixed latents where samples are large


class Motion:
    """Follows the samples that G makes of the same noise."""

    def __init__(self) -> None:
        self._positions: deque[Tensor] = deque(maxlen=WINDOW_OBSERVATIONS + 1)

    def measure(self, samples: Tensor, data_std: float | Tensor) -> dict[str, Tensor | float]:
        """Return how the samples moved since the last observation; NaN where there is no earlier one.

        `speed` is the mean length of the move over the distance of two real samples (root mean square), `turn` its mean
        cosine with the move before (-1: back and forth), and `progress` the mean distance covered over the last
        observations divided by the length of the path (0: in circles, 1: straight on).

        Args:
            samples: What G makes now of the same noise, N first.
            data_std: Standard deviation of the data.
        """
        position = samples.flatten(1)
        if position.shape[1] > MAX_PATH_VALUES:  # lengths and cosines of moves are estimated well by them
            random = torch.Generator().manual_seed(0)
            chosen = torch.randperm(position.shape[1], generator=random)[:MAX_PATH_VALUES]
            position = position[:, chosen.to(position.device)]
        self._positions.append(position)
        row: dict[str, Tensor | float] = dict.fromkeys(("motion_speed", "motion_turn", "motion_progress"), math.nan)
        positions = list(self._positions)
        moves = [after - before for before, after in itertools.pairwise(positions)]
        if moves:
            distance = data_std * (2 * positions[-1].shape[1]) ** 0.5
            row["motion_speed"] = moves[-1].norm(dim=1).mean() / distance
        if len(moves) > 1:
            now, before = moves[-1], moves[-2]
            lengths = (now.norm(dim=1) * before.norm(dim=1)).clamp_min(1e-12)
            row["motion_turn"] = ((now * before).sum(dim=1) / lengths).mean()
            path = sum(move.norm(dim=1) for move in moves)
            assert isinstance(path, Tensor)
            row["motion_progress"] = ((positions[-1] - positions[0]).norm(dim=1) / path.clamp_min(1e-12)).mean()
        return row

    def state_dict(self) -> dict[str, Any]:
        """Return the positions that the next move is measured from."""
        return {"positions": list(self._positions)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from other positions."""
        self._positions = deque(state["positions"], maxlen=self._positions.maxlen)


MUST_BE_FINITE = (
    "loss_d",
    "loss_g",
    "d_real",
    "d_fake",
    "logit_max",
)  # the run has diverged where one of them is not finite


class Observer:
    """Observes one run for `diagnoses`, with one host-device transfer an observation.

    Without any diagnosis only the losses and what the textbook speaks of are measured.

    Attributes:
        nonfinite: Where the numbers stopped being finite; None if they did not.
        watch: What watches the first steps; None if nothing does.
        why_not_probed: Why the probes that diagnoses ask for could not be made; empty if they could.
    """

    def __init__(self, view: View, diagnoses: Mapping[str, Diagnosis], watch: WiringWatch | None = None) -> None:
        self.watch = watch
        self._view = view
        self._diagnoses = {name: adapt("diagnosis", diagnosis) for name, diagnosis in diagnoses.items()}
        self._motion, self._motion_of_average = Motion(), Motion()
        self._probes = _declared_probes(self._diagnoses)
        self.why_not_probed = ""
        self._embed: Embedding | None = None  # until the first probe
        self._floors: dict[str, Tensor] = {}
        self._earlier: deque[Tensor] = deque(maxlen=POOLED_PROBES - 1)  # generated pictures of the last probes
        self._rows: list[dict[str, float]] = []
        self.nonfinite: NonFinite | None = None

    def observe(self, step: int, loss_d: Tensor, loss_g: Tensor, *, probe: bool) -> dict[str, float]:
        """Observe the run after `step` steps, and probe it too if `probe` is set; return the new row of the history."""
        with self._view.at(step) as view:
            signals = SignalBatch(view)
            values: dict[str, Tensor | float] = {"loss_d": loss_d, "loss_g": loss_g, **textbook_signals(signals)}
            if view.game is not None:
                values |= view.game.signals()
            if self._diagnoses:
                values |= {name: signal(signals) for name, signal in SIGNALS.items()}
                values |= auc_by_head(signals)
                values |= view.norms()
                values |= self._measure_motion(view)
                values |= _columns_of(self._diagnoses, lambda diagnosis: diagnosis.observe(view))
            if probe:
                values |= self._probe(view)
                values |= _columns_of(self._diagnoses, lambda diagnosis: diagnosis.probe(view))
            if self._diagnoses:
                values |= literature_signals(signals)
                values |= self._measure_motion_of_average(view)
        row = {"step": float(step)} | _numbers(values)
        self._rows.append(row)
        if self.watch is not None and self.watch.done:
            self.watch.look_again(step, self._view.steps)
        return row

    def is_finite(self) -> bool:
        """Whether the losses and logits of the newest row are all finite."""
        return all(math.isfinite(self._rows[-1][name]) for name in MUST_BE_FINITE)

    def history(self) -> History:
        """Return everything observed so far."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        columns = {name: np.array([row.get(name, math.nan) for row in self._rows]) for name in names}
        if "step" in columns:
            columns["step"] = columns["step"].astype(np.int64)
        return History(columns, self._view.steps, self.nonfinite, self._faults())

    def _faults(self) -> tuple[WiringFault, ...]:
        """What is wrong with the program, real samples that were not finite in the middle of a run included."""
        if self.watch is None:
            return ()
        if self.nonfinite is not None and self.nonfinite.what == REAL_SAMPLES:
            where = {"where": f"what the data set's loader gives in step {self.nonfinite.step}"}
            self.watch.add_faults([WiringFault("nonfinite-data", "", self.nonfinite.step, where)])
        return self.watch.faults

    def state_dict(self) -> dict[str, Any]:
        """Return everything observed so far, and what the next observation depends on."""
        return {
            "columns": dict(self.history().columns),
            "motion": self._motion.state_dict(),
            "motion_of_average": self._motion_of_average.state_dict(),
            "floors": dict(self._floors),
            "earlier": list(self._earlier),
            "why_not_probed": self.why_not_probed,
            "diagnoses": {name: state_of(diagnosis) for name, diagnosis in self._diagnoses.items()},
            "watch": None if self.watch is None else self.watch.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from another moment of the same run."""
        columns = state["columns"]
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        self._rows = [{name: float(value) for name, value in zip(columns, row, strict=True)} for row in rows]
        self._motion.load_state_dict(state["motion"])
        self._motion_of_average.load_state_dict(
            state.get("motion_of_average", {"positions": []})
        )  # of an older version
        self._floors, self.why_not_probed = dict(state["floors"]), state["why_not_probed"]
        self._earlier = deque(state.get("earlier", ()), maxlen=POOLED_PROBES - 1)  # none of an older version
        for name, diagnosis in self._diagnoses.items():
            load_state(diagnosis, state["diagnoses"][name])
        if self.watch is not None:
            self.watch.load_state_dict(state["watch"])

    def _measure_motion(self, view: View) -> dict[str, Tensor | float]:
        """How samples of the same noise move."""
        return self._motion.measure(view.fixed(_count_fixed(view)), view.data_std)

    def _measure_motion_of_average(self, view: View) -> dict[str, Tensor | float]:
        """The same of the running average, which is what is used in the end; nothing without one.

        A G that moves back and forth may have an average that stands still. It comes last, so that what it draws shifts
        nothing.
        """
        samples = view.fixed_of_average(_count_fixed(view))
        if samples is None:
            return {}
        moved = self._motion_of_average.measure(samples, view.data_std)
        return {"average_speed": moved["motion_speed"], "average_progress": moved["motion_progress"]}

    def _probe(self, view: View) -> dict[str, Tensor]:
        """The probes, and their floors, which are measured once, since real data does not change."""
        if not self._probes:
            return {}
        if not self._floors:
            self.why_not_probed = why_not_probed(view.held_out_size)
        if self.why_not_probed:
            return {}
        embed = self._embed = self._embed or choose_embedding(view.data.shape)
        probes = [name for name in self._probes if view.has_held_out or name not in HELD_OUT_PROBES]
        if not self._floors:
            batch = ProbeBatch(view, embed, floor=True)
            self._floors = {f"{name}_floor": PROBES[name](batch) for name in probes}
        batch = ProbeBatch(view, embed, floor=False, earlier=tuple(self._earlier))
        probed = {name: PROBES[name](batch) for name in probes}
        if REGION_PROBES & set(self._probes):
            self._earlier.append(batch.layout_of_fakes)
        return probed | self._floors


def _count_fixed(view: View) -> int:
    """How many samples of the same noise are followed: fewer where they are large."""
    values = max(math.prod(view.data.shape), 1)
    most = FIXED_NOISE_SAMPLES if values <= MAX_VALUES else FIXED_LARGE_SAMPLES
    return min(most, max(MIN_FIXED_SAMPLES, MAX_FIXED_VALUES // values))


def _columns_of(
    diagnoses: Mapping[str, Diagnosis], measure: Callable[[Diagnosis], Mapping[str, Any]]
) -> dict[str, Any]:
    """The columns that diagnoses measure themselves, each under its diagnosis's name."""
    return {
        f"{name}.{key}": value for name, diagnosis in diagnoses.items() for key, value in measure(diagnosis).items()
    }


def _declared_probes(diagnoses: Mapping[str, Diagnosis]) -> list[str]:
    """The probes that any diagnosis declares, without duplicates, in a fixed order."""
    declared = {name: diagnosis for diagnosis in diagnoses for name in diagnoses[diagnosis].probes}
    for name, diagnosis in declared.items():
        if name not in PROBES:
            raise RequestError(f"diagnosis {diagnosis!r} asks for the probe {name!r}; {did_you_mean(name, PROBES)}")
    return [name for name in PROBES if name in declared]


def _numbers(values: Mapping[str, Tensor | float]) -> dict[str, float]:
    """Turn all tensors into numbers, in one transfer."""
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    device = next(iter(tensors.values())).device
    transferred = torch.stack([value.detach().to(device, torch.float64) for value in tensors.values()]).tolist()
    return {name: float(value) for name, value in values.items() if name not in tensors} | dict(
        zip(tensors, transferred, strict=True)
    )
