"""`Monitor`: signals, probes and diagnoses for a training loop that ganbench does not run, and does not change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..contract.components import Diagnosis
from ..contract.failures import WIRING
from ..contract.records import Finding, History, Player, WiringFault
from ..diagnosis.findings import apply_diagnoses
from ..observation.observer import Observer
from ..observation.probe_features import choose_embedding
from ..observation.wiring.rules import mode_layers
from ..observation.wiring.terms import LossTerms, StepLoss
from ..observation.wiring.watch import WiringWatch
from ..training.loop import STOP_CONFIDENCE
from ..training.view import affordable_samples
from .advice import in_words_of_loop
from .arguments import (
    build_diagnoses,
    list_optimizers,
    validate_budget,
    validate_networks,
    validate_options,
    validate_start,
)
from .call_convention import infer
from .capture import Capture, Captured
from .cost import count_passes
from .gradients import LossScaler, read_loss_scale
from .logits import LogitReader
from .messages import NotObserved, format_error, print_finding, print_recovery, warn_user
from .networks import Networks, hooked_module
from .real_samples import RealSamples
from .report import describe, write_report
from .schedule import MAX_LEAD_STEPS, NEVER, MonitorSchedule
from .view import LoopView

MAX_WAIT_SHARE = 0.1  # of the budget, for the first calls of both networks
FREE_SECONDS = 10.0  # of looks, whatever the loop takes
MAX_TIME_SHARE = 0.1  # of the loop's time, which looks never take unless counted operations say little of theirs
MIN_WAIT_STEPS = 20  # that they are waited for in any case
HELD_OUT_COLUMNS = ("auc_d_train", "memory_gap", "nearest_training")  # that mean nothing without held-out data
SHOWN_SAMPLES = 64  # in the picture of a report
FINITE_COLUMNS = ("d_real", "d_fake", "logit_max", "weight_norm_d", "weight_norm_g")


class Monitor:
    """Observes a GAN's training loop and diagnoses what fails, while the loop trains bit for bit as without it.

    Arguments that cannot be right raise an error here. After that a monitor never raises: where it cannot go on it is
    disabled, with one warning and the reason in `muted`, and `findings` stay as they are.

    Args:
        generator: The module that the loop calls, wrapped (DistributedDataParallel, Fabric, torch.compile) or not.
        discriminator: The same.
        budget: How many times `step()` will be called.
        real: What the loop takes real samples from: a tensor, an array, a tuple or dict of tensors, a list of batches,
            a map-style data set, or a DataLoader of one. By default they are taken from the discriminator's inputs.
        held_out: The same, of data that the loop does not train on; needed to detect memorization.
        average: The running average of the generator that will be used in the end.
        scaler: The loop's GradScaler.
        logits: A function from the discriminator's output to one logit for each sample.
        diagnoses: Names of the diagnoses to make; by default all that are installed.
        on_finding: Called with each finding that is new in its diagnosis, horizon or severity.
        adversarial_from: How many steps the loop trains G by other terms before D takes part (`disc_start` of VQGAN).
            They are not observed, and the bugs of a program's first steps are looked for in the steps after them.
        optimizers: The loop's optimizers, for advice that names their settings. Without them those are known that take a
            step in the first steps.
        quiet: Whether to say nothing on standard error when a failure is found.

    Attributes:
        budget: The planned number of steps.
        muted: Why the monitor is disabled; None while it works.
        notes: One line for each thing about the loop that its owner should know.

    Raises:
        ValueError: An argument is of the wrong type, or out of range.
        RequestError: The name of a diagnosis is unknown, or the diagnosis cannot be built.

    Example:
        >>> monitor = ganbench.Monitor(generator, discriminator, real=loader, budget=10_000)
        >>> for real in loader:
        ...     loss_d, loss_g = train_step(real)
        ...     monitor.step(loss_d=loss_d, loss_g=loss_g)
        ...     if monitor.should_stop:
        ...         break
        >>> for finding in monitor.findings:
        ...     print(finding.diagnosis, finding.summary, finding.remedy)
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
        scaler: LossScaler | None = None,
        logits: Callable[[Any], Tensor] | None = None,
        diagnoses: Sequence[str] | None = None,
        on_finding: Callable[[Finding], object] | None = None,
        adversarial_from: int = 0,
        optimizers: Any = None,
        quiet: bool = False,
    ) -> None:
        validate_networks(generator, discriminator, average)
        self.budget = validate_budget(budget)
        self._start_step = validate_start(adversarial_from, self.budget)
        validate_options(scaler, logits, on_finding)
        known_optimizers = list_optimizers(optimizers)
        self._quiet = quiet
        self.muted: str | None = None
        self.notes: tuple[str, ...] = ()
        self._n_warned = 0  # of the notes
        self._findings: tuple[Finding, ...] = ()
        self._reported: set[tuple[str, str, str]] = set()
        self._told: set[str] = set()  # diagnoses whose failure was told of on standard error, and is not over
        self._should_stop = False
        self._on_finding = on_finding
        self._networks = Networks(generator, discriminator, average)
        self._capture = Capture(generator, discriminator, partial(read_loss_scale, scaler), self._disable)
        self._sources = real, held_out
        self._real_samples = RealSamples(real, held_out, self._add_note)
        self._view = LoopView(
            self._networks, self._real_samples, LogitReader(logits), steps=self.budget, add_note=self._add_note
        )
        with self._view.isolation():
            self._diagnoses = build_diagnoses(diagnoses, self._add_note)
        self._watch = WiringWatch(
            self._networks.generator,
            self._networks.discriminator,
            steps=self.budget - self._start_step,
            steps_before=self._start_step,
            called=(hooked_module(generator), hooked_module(discriminator)),
            average=None if average is None else self._networks.evaluated,
            scaler=scaler,
            optimizers=known_optimizers,
        )
        self._terms = LossTerms()
        self._watches = WIRING in self._diagnoses
        self._watching = False
        self._n_faults = 0  # that have been told
        self._in_evaluation_mode: dict[Player, int] = {"generator": 0, "discriminator": 0}  # observations in a row
        self._observer = Observer(self._view, self._diagnoses, self._watch)
        self._schedule: MonitorSchedule | None = None  # until a batch has been seen
        self._began, self._look_seconds = time.monotonic(), 0.0
        self._passes = (0.0, 0.0)  # of samples through G and D in a step
        self._cost_known = False  # of a look
        self._steps = 0
        self._closed = False
        self._next_observation = NEVER
        self._next_active = NEVER  # the step at which there is something to do
        if not self._start_step:
            self._begin()

    def step(self, loss_d: StepLoss = None, loss_g: StepLoss = None) -> None:
        """Tell the monitor that a step of the loop is done; most calls only compare two integers.

        Args:
            loss_d: Loss of the discriminator in this step, if it is to be in the history: a number, a scalar tensor, or
                its terms by name, which are added up.
            loss_g: Loss of the generator.
        """
        self._steps += 1
        if self._steps <= self._start_step:
            if self._steps == self._start_step and not self._closed:
                self._begin()
            return
        if self._watching:
            self._watch_step(loss_d, loss_g)
        if self._steps == self._next_active:
            began = time.monotonic()
            self._handle_step(loss_d, loss_g)
            self._look_seconds += time.monotonic() - began
        if self._watching:
            self._watch.begin()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found at the newest probe, or when numbers stopped being finite; the surest failures first."""
        return self._findings

    @property
    def should_stop(self) -> bool:
        """Whether a failure was found with a confidence that justifies saving the rest of the budget."""
        return self._should_stop

    def history(self) -> History:
        """Return all observations so far; NaN where a quantity could not be measured.

        Before the first observation, the only column is `step`, and it is empty.
        """
        history = self._observer.history()
        columns = {"step": np.empty(0, np.int64)} | dict(history.columns)
        for name in columns:
            if not self._real_samples.has_held_out and name.removesuffix("_floor") in HELD_OUT_COLUMNS:
                columns[name] = np.full_like(columns[name], math.nan)
        return replace(history, columns=columns)

    def close(self) -> None:
        """Stop observing and take all hooks off; findings and history stay."""
        self._closed = True
        self._stop_observing()
        self._watch.stop()
        self._watching = False

    def report(self, folder: str | Path) -> Path:
        """Write what was observed as a run of one trial, with the page that a run gets.

        Args:
            folder: A new folder, or one that an earlier report of a monitor wrote.

        Returns:
            The page.

        Raises:
            RequestError: The folder cannot be written, or holds something else.
        """
        return write_report(self, Path(folder), list(self._diagnoses), self._draw_samples())

    def __str__(self) -> str:
        return describe(self, self._steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        """Put hooks on before the next step, from which everything is observed."""
        self._began = time.monotonic()
        self._next_active = self._steps + 1
        self._watching = self._watches
        try:
            self._capture.start()
            if self._watching:
                self._watch.begin()
        except Exception as error:  # a module that takes no hooks
            self._disable(error)

    # --- what happens in a step ----------------------------------------------------------------------

    def _watch_step(self, loss_d: StepLoss, loss_g: StepLoss) -> None:
        """Look at a step of the loop, one of the first ones, and say what is wrong with the program."""
        try:
            with self._view.isolation() if self._watch.computes_next else nullcontext():
                found = self._watch.end_step()
            self._terms.add("discriminator", loss_d)
            self._terms.add("generator", loss_g)
            if fault := self._terms.find_fault(self._steps):
                found |= self._watch.add_faults([fault])
            if found:
                self._diagnose_wiring()
            if self._watch.error is not None:
                self._add_note(f"the program is not checked further: {format_error(self._watch.error)}")
        except Exception as error:
            self._watch.stop()
            self._add_note(f"the program is not checked further: {format_error(error)}")
        except BaseException:  # the user interrupts
            self.close()
            raise
        if self._watch.done:
            self._watching = False
            self._warn_of_notes()

    def _diagnose_wiring(self) -> None:
        """Say what is wrong with the program, between probes too."""
        self._n_faults = len(self._watch.faults)
        found = apply_diagnoses({WIRING: self._diagnoses[WIRING]}, self.history())
        self._set_findings([*found, *(finding for finding in self._findings if finding.diagnosis != WIRING)])
        self._report_new_findings()

    def _set_findings(self, findings: Sequence[Finding]) -> None:
        """Take findings over, the surest failures first, in the words of the loop."""
        rates = self._watch.learning_rates()
        worded = [in_words_of_loop(finding, rates) for finding in findings]
        self._findings = tuple(sorted(worded, key=lambda f: (f.severity != "failure", -f.confidence, f.diagnosis)))
        self._should_stop = any(f.severity == "failure" and f.confidence >= STOP_CONFIDENCE for f in self._findings)

    def _handle_step(self, loss_d: StepLoss, loss_g: StepLoss) -> None:
        """Start, observe, or go on capturing, whichever is due; disable the monitor if that fails."""
        if self.muted is not None:  # by a hook
            self._stop_observing()
            return
        self._next_active = self._steps + 1  # unless a later step is planned
        try:
            if self._schedule is None:
                self._start(loss_d, loss_g)
            elif self._steps == self._next_observation:
                self._observe(self._schedule, loss_d, loss_g)
            elif not self._capture.active:
                self._capture.start()
            elif self._capture.captured.gradients and not self._real_samples.needs_more:
                self._capture.stop()  # nothing more is needed
                self._next_active = self._next_observation
        except Exception as error:
            self._disable(error)
        except BaseException:  # the user interrupts
            self.close()
            raise
        self._warn_of_notes()
        if self.muted is not None:
            self._stop_observing()

    def _stop_observing(self) -> None:
        """Take no more observations; the first steps may still be watched."""
        self._next_active = NEVER
        self._capture.stop()
        self._capture.clear()
        self._view.clear()

    def _warn_of_notes(self) -> None:
        for note in self.notes[self._n_warned :]:
            warn_user(note)
        self._n_warned = len(self.notes)

    def _start(self, loss_d: StepLoss, loss_g: StepLoss) -> None:
        """Plan observations once both networks have been called."""
        captured = self._capture.captured
        if captured.both_called:
            self._schedule = MonitorSchedule(self.budget, captured.generator_calls[-1].call.n)
            of_g, of_d = count_passes(captured)
            steps = self._steps - self._start_step
            self._passes = of_g / steps, of_d / steps
            if self._schedule.next_observation(self._steps - 1) == self._steps:
                self._observe(self._schedule, loss_d, loss_g)
            else:
                with self._view.isolation(*self._sources):
                    self._update_view()
                    if self._real_samples.sufficient:
                        self._fit_schedule(self._schedule)
                self._look_again()
                self._plan(self._schedule)
        elif self._steps - self._start_step >= self._longest_wait():
            missing = "discriminator" if captured.generator_calls else "generator"
            later = "; if it takes part later, say from which step: Monitor(..., adversarial_from=STEP)"
            raise NotObserved(
                f"the {missing} has not been called on any sample in {self._steps - self._start_step} steps, as far as forward hooks can "
                f"see; pass the modules that the loop calls{later if missing == 'discriminator' else ''}"
            )

    def _longest_wait(self) -> float:
        """Return after how many steps both networks have been called, unless they never are."""
        return min(self.budget - self._start_step, max(MIN_WAIT_STEPS, MAX_WAIT_SHARE * self.budget))

    def _observe(self, schedule: MonitorSchedule, loss_d: StepLoss, loss_g: StepLoss) -> None:
        """Take an observation, and diagnose the history at a probe: the accuracy of diagnoses was measured there."""
        self._capture.stop()
        if not self._capture.captured.gradients:
            schedule.extend_lead()
        with self._view.isolation(*([] if self._real_samples.loaded else self._sources)):
            self._update_view()
            if self._real_samples.sufficient:
                self._measure(schedule, loss_d, loss_g)
        self._limit_time(schedule)
        self._plan(schedule)
        if self._next_observation == NEVER and not self._real_samples.sufficient:
            raise NotObserved("too few real samples were seen; pass real=, a loader, a data set or a tensor")
        self._look_again()
        if self._observer.nonfinite is not None:  # what follows is not finite either
            self.close()
        self._report_new_findings()

    def _look_again(self) -> None:
        """Say what the first steps cannot show: an average that is never updated, a learning rate that has vanished."""
        if WIRING not in self._diagnoses:
            return
        where = self._real_samples.nonfinite
        self._watch.add_faults([WiringFault("nonfinite-data", "", self._steps, {"where": w}) for w in where])
        if len(self._watch.faults) > self._n_faults:
            self._diagnose_wiring()

    def _update_view(self) -> None:
        """Infer from what was captured how the networks are called, and forget it."""
        captured = self._capture.captured.trim_to_packs()
        if captured.discriminator_calls:
            self._view.judge_packs(captured.pack)
        inferred = infer(captured, self._view.find_partners) if captured.both_called else None
        self._view.update(inferred, captured.gradients)
        self._watch.about_fake = self._view.about_sample
        if inferred is not None and all(bool(x.isfinite().all()) for g in captured.generator_calls for x in g.outputs):
            self._check_data(inferred.real_rows)
        self._check_modes(captured)
        self._capture.clear()

    def _check_modes(self, captured: Captured) -> None:
        """Name a network that is trained in evaluation mode at two observations in a row: one may be an accident."""
        judged = [call for call in captured.discriminator_calls if call.trains_g and call.generated is not None]
        if not judged:
            return
        in_training: dict[Player, bool] = {
            "generator": any(call.generated.call.training[0] for call in judged if call.generated is not None),
            "discriminator": any(call.call.training[0] for call in captured.discriminator_calls),
        }
        networks: dict[Player, nn.Module] = {
            "generator": self._networks.generator,
            "discriminator": self._networks.discriminator,
        }
        for player, network in networks.items():
            self._in_evaluation_mode[player] = 0 if in_training[player] else self._in_evaluation_mode[player] + 1
            if self._in_evaluation_mode[player] >= 2 and (layers := mode_layers(network)):
                self._watch.add_faults([WiringFault("evaluation-mode", player, self._steps, {"layers": layers})])

    def _check_data(self, real_rows: Sequence[Sequence[Tensor]]) -> None:
        """Name the data if D is given samples that are not finite, while G's are."""
        if not all(bool(columns[0].isfinite().all()) for columns in real_rows):
            where = f"what the discriminator is given in step {self._steps}"
            self._watch.add_faults([WiringFault("nonfinite-data", "", self._steps, {"where": where})])

    def _draw_samples(self) -> tuple[Tensor, Tensor] | None:
        """Draw generated and real samples to be shown; None where that cannot be done now."""
        if self._schedule is None or not self._real_samples.sufficient:
            return None
        try:
            with self._view.at(self._steps) as view, torch.no_grad():
                return view.evaluated(SHOWN_SAMPLES).x.cpu(), view.real(SHOWN_SAMPLES).x.cpu()
        except Exception:  # a report without a picture is a report
            return None

    def _measure(self, schedule: MonitorSchedule, loss_d: StepLoss, loss_g: StepLoss) -> None:
        """Take a row of the history, and diagnose it at a probe or if it is not finite."""
        self._fit_schedule(schedule)
        losses = [_mean_loss(loss, self._view.device) for loss in (loss_d, loss_g)]
        is_probe = schedule.is_probe(self._steps)
        finite = _is_finite(self._observer.observe(self._steps, *losses, probe=is_probe))
        if not finite:
            self._observer.nonfinite = self._networks.locate_nonfinite(self._steps)
        if is_probe or not finite:
            self._set_findings(apply_diagnoses(self._applicable_diagnoses(), self.history()))

    def _fit_schedule(self, schedule: MonitorSchedule) -> None:
        """Take no more looks than cost their share of the run, once it is known what one costs."""
        if self._cost_known:
            return
        self._cost_known = True
        cost = self._view.count_cost(self._passes, choose_embedding(self._view.data.shape))
        samples = affordable_samples(self.budget * schedule.batch_size, cost.per_sample)
        self._view.affordable, left_out = schedule.fit(cost, samples)
        if left_out:
            self._add_note(left_out)

    def _limit_time(self, schedule: MonitorSchedule) -> None:
        """Take no more looks but the last where they have taken far longer than the operations that were counted."""
        loop_seconds = time.monotonic() - self._began - self._look_seconds
        expected = loop_seconds / (self._steps - self._start_step) * (self.budget - self._start_step)
        if self._look_seconds > FREE_SECONDS + MAX_TIME_SHARE * expected and schedule.drop_all_but_last():
            self._add_note(
                f"looking at the loop has taken {self._look_seconds:.0f} s, more than {MAX_TIME_SHARE:.0%} of the "
                f"{expected:.0f} s that the loop itself takes: it is looked at once more, at its end"
            )

    def _applicable_diagnoses(self) -> dict[str, Diagnosis]:
        """Return the diagnoses of what can happen to this generator."""
        if self._view.has_noise:
            return self._diagnoses
        return {name: d for name, d in self._diagnoses.items() if not getattr(d, "needs_noise", False)}

    def _plan(self, schedule: MonitorSchedule) -> None:
        """Stop capturing until shortly before the next observation, unless more real samples are needed."""
        self._view.clear()
        self._next_observation = schedule.next_observation(self._steps)
        if self._next_observation == NEVER:
            self._stop_observing()
            return
        lead_steps = MAX_LEAD_STEPS if self._real_samples.needs_more else schedule.lead_steps
        self._next_active = max(self._steps, self._next_observation - lead_steps)
        self._capture.stop()
        if self._next_active == self._steps:
            self._capture.start()
            self._next_active = self._steps + 1

    # --- messages ------------------------------------------------------------------------------------

    def _report_new_findings(self) -> None:
        """Tell of failures, and pass new findings to the callback; one that raises is not called again."""
        if not self._quiet:
            self._tell_what_is_over()
        for finding in self._findings:
            key = (finding.diagnosis, finding.horizon, finding.severity)
            if finding.severity == "failure" and not self._quiet and finding.diagnosis not in self._told:
                self._told.add(finding.diagnosis)
                print_finding(finding)
            if key in self._reported:
                continue
            self._reported.add(key)
            if self._on_finding is None:
                continue
            try:
                self._on_finding(finding)
            except Exception as error:
                self._on_finding = None
                warn_user(f"on_finding raised {format_error(error)}; it is not called again")

    def _tell_what_is_over(self) -> None:
        """Take back what was told of as a failure and is none any more: young runs recover."""
        severities = {finding.diagnosis: finding.severity for finding in reversed(self._findings)}
        for diagnosis in sorted(self._told):
            if severities.get(diagnosis) != "failure":
                self._told.discard(diagnosis)
                print_recovery(diagnosis, self._steps, still_warned=diagnosis in severities)

    def _add_note(self, note: str) -> None:
        """Note something about the loop, once; it becomes a warning when the step is over."""
        if note not in self.notes:
            self.notes = (*self.notes, note)

    def _disable(self, error: Exception) -> None:
        """Stop monitoring for good, with a warning that says why."""
        if self.muted is None:
            self.muted = format_error(error)
            warn_user(f"monitoring is disabled: {self.muted}; training goes on unchanged")


def _mean_loss(loss: StepLoss, device: torch.device) -> Tensor:
    if isinstance(loss, Mapping):
        terms = [_mean_loss(term, device) for term in loss.values()]
        return torch.stack(terms).sum() if terms else torch.tensor(math.nan, device=device)
    if isinstance(loss, Tensor):
        return loss.detach().float().mean().to(device)
    return torch.tensor(math.nan if loss is None else float(loss), device=device)


def _is_finite(row: Mapping[str, float]) -> bool:
    """Return whether weights and outputs are finite.

    Losses are left out, since a scaler skips a step whose loss is not finite. Weights are measured only if there are
    diagnoses.
    """
    return all(math.isfinite(row[name]) for name in FINITE_COLUMNS if name in row)
