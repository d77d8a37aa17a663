"""`Monitor`: signals, probes and diagnoses for a loop that somebody else wrote, without a change of its result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..contract.records import Finding, History
from ..diagnosis.findings import apply_diagnoses
from ..observation.observer import Observer
from ..training.loop import STOP_CONFIDENCE
from .arguments import built, check, check_aids
from .call_convention import infer
from .capture import Watch
from .gradients import scale
from .logits import LogitReader
from .messages import NotObserved, format_error, warn_once
from .networks import Networks
from .real_samples import RealSamples
from .schedule import LONGEST, NEVER, Timetable
from .view import LoopView, broken, place

PATIENCE = 0.1  # of the budget, in which the loop has to call its networks
FEWEST_STEPS = 20  # that it has for it in any case
OF_TRAINING_DATA = ("auc_d_train", "memory_gap", "nearest_training")  # mean nothing without data that is held out


class Monitor:
    """Watches a GAN's training loop and says what fails.

    `real` is what the loop takes real samples from: a loader, a data set or a tensor. `budget` counts the calls of
    `step()` that are planned. `held_out` is like `real`, of data that the loop does not train on. `average` is the
    running average of the generator that will be used in the end; `scaler` the loop's GradScaler; `logits` takes them
    out of what D returns. `diagnoses` names those to make, without it all; `on_finding` is called with each new one.

    Raises ValueError for arguments that make no sense. From then on it never raises: where it cannot go on it warns
    once, says why in `muted`, and leaves `findings` as they are.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        budget: int,
        real: Any = None,
        held_out: Any = None,
        average: nn.Module | None = None,
        scaler: Any = None,
        logits: Callable[[Any], Tensor] | None = None,
        diagnoses: Sequence[str] | None = None,
        on_finding: Callable[[Finding], object] | None = None,
    ) -> None:
        check(generator, discriminator, average, budget)
        check_aids(scaler, logits, on_finding)
        self.budget = operator.index(budget)
        self.muted: str | None = None
        self.notes: tuple[str, ...] = ()
        self._warned = 0  # of the notes
        self._networks = Networks(generator, discriminator, average)
        self._findings: tuple[Finding, ...] = ()
        self._announced: set[tuple[str, str, str]] = set()
        self._should_stop = False
        self._on_finding = on_finding
        self._watch = Watch(generator, discriminator, partial(scale, scaler), self._mute)
        self._reals = RealSamples(real, held_out, self._say)
        self._owners = real, held_out
        self._view = LoopView(self._networks, self._reals, LogitReader(logits), steps=self.budget, say=self._say)
        with self._view.aside():
            self._diagnoses = built(diagnoses, self._say)
        # The view offers all that observers ask of a RunView, and shares no code with it.
        self._observer = Observer(self._view, self._diagnoses)
        self._timetable: Timetable | None = None  # until a batch has been seen
        self._unmeasured = True  # what a probe may cost
        self._steps = 0
        self._due = NEVER
        self._next = 1
        try:
            self._watch.arm()
        except Exception as error:  # a module that takes no hooks
            self._mute(error)

    def step(self, loss_d: Tensor | float | None = None, loss_g: Tensor | float | None = None) -> None:
        """A step of the loop is done. Losses are read where they are handed over, and only at an observation."""
        self._steps += 1
        if self._steps == self._next:
            self._attend(loss_d, loss_g)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found at the newest probe, or when the numbers broke, the surest failures first."""
        return self._findings

    @property
    def should_stop(self) -> bool:
        """Whether a failure is so sure that the rest of the budget is better saved."""
        return self._should_stop

    def history(self) -> History:
        """Every observation so far; NaN where a quantity could not be measured. Before the first, `step` is empty."""
        history = self._observer.history()
        columns = {"step": np.empty(0, np.int64)} | dict(history.columns)
        for name in columns:
            if not self._reals.apart and name.removesuffix("_floor") in OF_TRAINING_DATA:
                columns[name] = np.full_like(columns[name], math.nan)
        return replace(history, columns=columns)

    def close(self) -> None:
        """Stop watching; findings and history stay."""
        self._next = NEVER
        self._watch.disarm()
        self._watch.forget()
        self._view.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _attend(self, loss_d: Tensor | float | None, loss_g: Tensor | float | None) -> None:
        """Watch, look, or wait: whatever this step is for."""
        if self.muted is not None:  # by a hook
            self.close()
            return
        self._next = self._steps + 1  # until a later step is planned
        try:
            if self._timetable is None:
                self._begin(loss_d, loss_g)
            elif self._steps == self._due:
                self._look(self._timetable, loss_d, loss_g)
            elif not self._watch.armed:
                self._watch.arm()
            elif self._watch.window.gradients and not self._reals.wanting:
                self._watch.disarm()  # all that was waited for
                self._next = self._due
        except Exception as error:
            self._mute(error)
        except BaseException:  # somebody wants to stop
            self.close()
            raise
        for note in self.notes[self._warned :]:
            warn_once(note)
        self._warned = len(self.notes)
        if self.muted is not None:
            self.close()

    def _begin(self, loss_d: Tensor | float | None, loss_g: Tensor | float | None) -> None:
        """Learn from the first steps in which both networks were called."""
        window = self._watch.window
        if window.made and window.judged:
            self._timetable = Timetable(self.budget, window.made[-1].call.n)
            if self._timetable.next(self._steps - 1) == self._steps:
                self._look(self._timetable, loss_d, loss_g)
            else:
                with self._view.aside(*self._owners):
                    self._learn()
                self._plan(self._timetable)
        elif self._steps >= min(self.budget, max(FEWEST_STEPS, PATIENCE * self.budget)):
            unseen = "generator" if not window.made else "discriminator"
            raise NotObserved(
                f"after {self._steps} steps the {unseen} has not been called on any sample, as far as its hooks tell"
            )

    def _learn(self) -> None:
        window = self._watch.window
        lesson = infer(window) if window.made and window.judged else None
        self._view.learn(lesson, window.gradients)
        self._watch.forget()

    def _plan(self, timetable: Timetable) -> None:
        """Stop watching until shortly before the next observation, unless real samples are still wanting."""
        self._view.forget()
        self._due = timetable.next(self._steps)
        if self._due == NEVER:
            self.close()
            return
        starts = max(self._steps, self._due - (LONGEST if self._reals.wanting else timetable.lead))
        self._watch.disarm()
        self._next = starts
        if starts == self._steps:
            self._watch.arm()
            self._next = self._steps + 1

    def _look(self, timetable: Timetable, loss_d: Tensor | float | None, loss_g: Tensor | float | None) -> None:
        """One observation and, at a probe, what diagnoses make of it: how often they are right was measured there."""
        self._watch.disarm()
        if not self._watch.window.gradients:
            timetable.watch_longer()
        with self._view.aside(*([] if self._reals.settled else self._owners)):
            self._learn()
            if self._reals.enough:
                if self._unmeasured:
                    self._view.set_budget(self.budget * timetable.batch_size)
                    self._unmeasured = False
                losses = [_mean(loss, self._view.device) for loss in (loss_d, loss_g)]
                probed = timetable.probed(self._steps)
                row = self._observer.observe(self._steps, *losses, probe=probed)
                if broken(row):
                    self._observer.nonfinite = place(self._steps, self._networks)
                if probed or broken(row):
                    self._findings = apply_diagnoses(self._diagnoses, self.history())
                    self._should_stop = any(
                        f.severity == "failure" and f.confidence >= STOP_CONFIDENCE for f in self._findings
                    )
        self._plan(timetable)
        if self._due == NEVER and not self._reals.enough:
            raise NotObserved("too few real samples were found; hand over real=, a loader, a data set or a tensor")
        if self._observer.nonfinite is not None:  # nothing that follows can be read
            self.close()
        self._announce()

    def _announce(self) -> None:
        """Tell of what was not found before. A callback that raises is not called again."""
        for finding in self._findings:
            key = (finding.diagnosis, finding.horizon, finding.severity)
            if key in self._announced or self._on_finding is None:
                continue
            self._announced.add(key)
            try:
                self._on_finding(finding)
            except Exception as error:
                self._on_finding = None
                warn_once(f"on_finding raised {format_error(error)}; it is not called again")

    def _say(self, note: str) -> None:
        """Something about the loop that its owner should know; each once, in a warning when the look is over."""
        if note not in self.notes:
            self.notes = (*self.notes, note)

    def _mute(self, error: Exception) -> None:
        if self.muted is None:
            self.muted = format_error(error)
            warn_once(f"no longer watching, since {self.muted}; the training goes on as it was")


def _mean(loss: Tensor | float | None, device: torch.device) -> Tensor:
    if isinstance(loss, Tensor):
        return loss.detach().float().mean().to(device)
    return torch.tensor(math.nan if loss is None else float(loss), device=device)
