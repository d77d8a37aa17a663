"""Runs one trial through its stages: build, train while observed, evaluate, diagnose. Every failure becomes a result."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .contract.adapt import adapt
from .contract.components import Dataset, Diagnosis
from .contract.errors import describe_exception
from .contract.events import Event, TrialNote, TrialProgress, TrialResumed, TrialStarted
from .contract.failures import WIRING, Status
from .contract.records import Artifacts, Batch, Finding, History, Ramp, Score, Training, Trial, TrialResult
from .diagnosis.distance import judge_distance
from .diagnosis.findings import apply_diagnoses, verdicts
from .diagnosis.remedies import fit_remedies
from .evaluation.best import BestSnapshot
from .evaluation.cache import CachedSampleSet
from .evaluation.evaluator import Evaluator, MetricEntry, generate
from .observation.observer import Observer
from .observation.probe_features import choose_embedding
from .observation.wiring.data import NonFiniteData, describe_nonfinite
from .observation.wiring.rules import LATE_TERM
from .observation.wiring.watch import WiringWatch
from .registry.registry import Registry, load_registry
from .results.checkpoints import Checkpoint, CheckpointFolder, identify
from .suite.metric_names import features_label, metric_label, why_left_out
from .training.capture import StepCapture
from .training.checkpoint import Checkpointer
from .training.checks import check_networks, check_samples
from .training.cuda_graphs import CudaGraphs
from .training.data import DeviceDataset
from .training.game import GAN
from .training.gradients import NoGradient
from .training.loader import stream_of
from .training.loop import LoopState, train
from .training.noise import has_noise
from .training.parts import GameParts
from .training.pause import TrialPaused
from .training.schedule import Schedule
from .training.seeding import deterministic, preserve_rng_state, seed_everything, seed_for
from .training.view import RunView

KEPT_SAMPLES = 1000  # of the last evaluation, for pictures

_told: set[str] = set()  # what concerns all trials of this process alike is said at the first


def run_trial(
    trial: Trial,
    emit: Callable[[Event], None] = lambda event: None,
    threads: int | None = None,
    between_steps: Callable[[bool], None] | None = None,
) -> TrialResult:
    """Run a trial in this process; torch's global state is as before afterwards.

    Args:
        trial: What to run.
        emit: Is called with `TrialStarted` and with each `TrialProgress`.
        threads: CPU threads; torch's present number by default.
        between_steps: Is called before a step, where the trial can be left, with whether nothing but steps was taken since
            the last call. What it takes is not counted as training; what it raises ends the trial as an error, unless it is
            no Exception.

    Returns:
        The result. Whatever a component raises is its status and reason; nothing of that is raised here. A trial with
        `checkpoints` goes on from its newest one, on as many threads as it began with.
    """
    began, before = time.perf_counter(), 0.0
    emit(TrialStarted(trial))
    device = torch.device(trial.device)
    try:
        registry = load_registry(trial.plugin_files)  # first: a plugin may change global state when it is imported
        saved = _load_checkpoint(trial, registry, device, emit)
        if saved is not None:
            before, threads = saved.seconds, saved.threads
        with deterministic(device, threads):
            used = threads or torch.get_num_threads()
            result = _run_stages(
                trial, registry, device, emit, saved, lambda: before + time.perf_counter() - began, between_steps
            )
    except (Exception, SystemExit) as error:
        used, result = threads or torch.get_num_threads(), TrialResult(trial, Status.ERROR, describe_exception(error))
    return replace(result, seconds=before + time.perf_counter() - began, device=trial.device, threads=used)


def _load_checkpoint(
    trial: Trial, registry: Registry, device: torch.device, emit: Callable[[Event], None]
) -> Checkpoint | None:
    """The checkpoint to go on from, if there is one; each that is of no use is named in a note."""
    if trial.checkpoints is None or not Path(trial.checkpoints.folder).is_dir():
        return None
    folder = CheckpointFolder(Path(trial.checkpoints.folder), identify(trial, registry.origins(trial)))
    saved, notes = folder.load_newest(device)
    goes_on = "the trial starts again" if saved is None else f"the trial goes on after {saved.steps} steps"
    for note in notes:
        emit(TrialNote(trial.id, f"{note}; {goes_on}"))
    return saved


def _run_stages(
    trial: Trial,
    registry: Registry,
    device: torch.device,
    emit: Callable[[Event], None],
    saved: Checkpoint | None,
    seconds: Callable[[], float],
    between_steps: Callable[[bool], None] | None,
) -> TrialResult:
    seed_everything(seed_for(trial.seed, "data set"))
    dataset = registry.build("dataset", trial.components.dataset)
    if why := registry.why_skipped(trial):
        return TrialResult(trial, Status.SKIPPED, why, origins=registry.origins(trial))

    def tell(text: str) -> None:
        if text not in _told:
            _told.add(text)
            emit(TrialNote(trial.id, text))

    try:
        run = LiveTrial.build(trial, dataset, registry, device, tell)
    except NonFiniteData as error:
        return _refuse_data(trial, registry, error)
    check_networks(run.view, trial)
    if saved is not None:
        try:
            run.load_state_dict(saved.state)
            emit(TrialResumed(trial.id, saved.steps))
        except (Exception, SystemExit) as error:
            why = f"checkpoint after {saved.steps} steps is left aside: {describe_exception(error)}"
            emit(TrialNote(trial.id, f"{why}; the trial starts again"))
            run = LiveTrial.build(trial, dataset, registry, device, tell)
    result = _train(run, trial, emit, _checkpointer(run, trial, registry, emit, seconds), between_steps)
    if result.status is Status.PAUSED:
        return result
    result = replace(
        result,
        parameters_g=_count_parameters(run.gan.generator),
        parameters_d=_count_parameters(run.gan.discriminator),
        origins=registry.origins(trial),
        scores=tuple(run.evaluator.scores),
        left_out=why_left_out(trial, registry) | run.left_out | run.evaluator.left_out | _why_not_probed(run.observer),
        captured="" if run.capture is None else run.capture.summary,
    )
    history = run.observer.history()
    if result.status is Status.ERROR:  # the history until then; the samples could be anything
        return replace(result, artifacts=Artifacts(history, best=run.best.record()))
    with preserve_rng_state(device):
        findings = fit_remedies(apply_diagnoses(run.diagnoses, history), trial, registry)
    if run.diagnoses:
        findings += judge_distance(findings, history, result.scores)
    samples = run.generate(run.evaluator.n_fake).x
    return replace(
        result,
        findings=findings,
        verdicts=verdicts(findings, history, is_probed=not run.observer.why_not_probed) if run.diagnoses else (),
        artifacts=Artifacts(
            history=history,
            samples=samples[:KEPT_SAMPLES].numpy(),
            reals=run.evaluator.reals[:KEPT_SAMPLES].numpy(),
            weights={name: weight.numpy() for name, weight in run.gan.weights().items()},
            snapshots={step: part.numpy() for step, part in run.evaluator.snapshots.items() if step < result.steps},
            nearest=run.evaluator.find_nearest(samples).numpy() if trial.data.kind == "images" else None,
            best=run.best.record(),
        ),
    )


def _count_parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _refuse_data(trial: Trial, registry: Registry, error: NonFiniteData) -> TrialResult:
    """Return the result of a trial whose data is not finite: nothing is trained, and the data is named."""
    diagnoses = {ref.name: registry.build("diagnosis", ref) for ref in trial.diagnoses if ref.name == WIRING}
    findings = apply_diagnoses(diagnoses, History({}, trial.training.steps, wiring=(error.fault,)))
    reason = f"data set {trial.components.dataset.name!r}: {error}"
    found = verdicts(findings, History({}, trial.training.steps)) if findings else ()
    origins = registry.origins(trial)
    return TrialResult(trial, Status.ERROR, reason, origins=origins, findings=findings, verdicts=found)


def _why_not_probed(observer: Observer) -> dict[str, str]:
    return {"probes": observer.why_not_probed} if observer.why_not_probed else {}


def _checkpointer(
    run: LiveTrial,
    trial: Trial,
    registry: Registry,
    emit: Callable[[Event], None],
    seconds: Callable[[], float],
) -> Checkpointer:
    """What saves the trial while it trains, into the folder that it names."""

    def save() -> None:
        assert trial.checkpoints is not None
        folder = CheckpointFolder(Path(trial.checkpoints.folder), identify(trial, registry.origins(trial)))
        folder.save(Checkpoint(run.gan.steps_done, seconds(), torch.get_num_threads(), run.state_dict()))

    return Checkpointer(run.gan, trial.checkpoints, save, lambda text: emit(TrialNote(trial.id, text)))


def _train(
    run: LiveTrial,
    trial: Trial,
    emit: Callable[[Event], None],
    checkpointer: Checkpointer,
    between_steps: Callable[[bool], None] | None,
) -> TrialResult:
    """Train, however that ends. Metrics and diagnoses may draw random numbers without changing training."""

    schedule = Schedule.of(trial.training, trial.evaluation)
    steps_alone = False  # since it was said last

    def leave() -> None:
        nonlocal steps_alone
        checkpointer.before_step()
        if between_steps is not None:
            began = time.perf_counter()
            between_steps(steps_alone)
            steps_alone = True
            run.loop.exclude(time.perf_counter() - began)

    def evaluate(step: int, last: bool) -> Sequence[Score]:
        nonlocal steps_alone
        steps_alone = False
        cheap, expensive = step in schedule.evaluate or last, step in schedule.evaluate_expensive or last
        with preserve_rng_state(run.gan.device):
            scores = run.evaluator.score(step, run.generate, run.gan, cheap=cheap, expensive=expensive)
        run.best.consider(scores, run.gan.evaluated_weights)
        return scores

    def diagnose_so_far() -> Sequence[Finding]:
        with preserve_rng_state(run.gan.device):
            return apply_diagnoses(run.diagnoses, run.observer.history())

    def progress(step: int, row: Mapping[str, float]) -> None:
        nonlocal steps_alone
        steps_alone = False
        emit(TrialProgress(trial.id, step, trial.training.steps, row))

    try:
        ending = train(
            run.gan,
            schedule,
            run.observer,
            evaluate=evaluate,
            diagnose=diagnose_so_far,
            progress=progress,
            watch=run.observer.watch,
            loop=run.loop,
            before_step=checkpointer.before_step if between_steps is None else leave,
            step=None if run.capture is None else run.capture.step,
        )
    except TrialPaused:
        done = run.gan.steps_done
        return TrialResult(trial, Status.PAUSED, f"paused after {done} steps", steps=done)
    except (Exception, SystemExit) as error:
        done = run.gan.steps_done
        why = str(error) if isinstance(error, NoGradient) else describe_exception(error)
        return TrialResult(trial, Status.ERROR, f"{why}, after {done} steps", steps=done)
    finally:
        if run.observer.watch is not None:
            run.observer.watch.stop()
    return TrialResult(trial, ending.status, ending.reason, steps=ending.steps, train_seconds=ending.seconds)


@dataclass(frozen=True)
class LiveTrial:
    """The objects of a trial while it runs."""

    gan: GAN
    view: RunView
    observer: Observer
    evaluator: Evaluator
    diagnoses: Mapping[str, Diagnosis]
    labels: torch.Tensor | None
    seed: int
    best: BestSnapshot
    left_out: dict[str, str]  # diagnoses that the networks do not suit, and why
    capture: StepCapture | None = None  # on a CUDA device
    loop: LoopState = field(default_factory=LoopState)

    @classmethod
    def build(
        cls,
        trial: Trial,
        dataset: Dataset,
        registry: Registry,
        device: torch.device,
        tell: Callable[[str], None] = warnings.warn,
    ) -> LiveTrial:
        """Build every other component, each network under a seed of its own; `tell` takes what a user should know."""
        seed = trial.seed
        training, held_out = dataset.training(), dataset.held_out()
        for part, batch in (("training", training), ("held-out", held_out)):
            check_samples(batch, trial, part)
            if where := describe_nonfinite(batch.x):
                raise NonFiniteData(f"{part} part: {where}")
            if batch.condition is not None and (where := describe_nonfinite(batch.condition)):
                raise NonFiniteData(f"conditions of the {part} part: {where}")
        try:
            training_data, held_out_data = (DeviceDataset(part, trial.data, device) for part in (training, held_out))
        except ValueError as error:
            raise ValueError(f"data set {trial.components.dataset.name!r}: {error}") from error
        here = torch.device("cpu")
        parts = GameParts.build(trial, registry.build, device)
        diagnoses = {
            ref.name: registry.build("diagnosis", ref)
            for ref in trial.diagnoses
            if registry.skip("diagnosis", ref, trial) is None
        }
        metrics = {
            metric_label(ref, registry): MetricEntry(registry.build("metric", ref), features_label(ref, registry))
            for ref in trial.evaluation.metrics
            if registry.skip("metric", ref, trial) is None
        }
        left_out = {} if has_noise(parts.generator) else _leave_out(diagnoses)
        stream = stream_of(dataset, trial, device)
        gan = parts.into_game(trial, training_data, held_out_data, registry.build, stream)
        view = gan.view
        watch = None
        if diagnoses:
            trained_on = trial.training.steps * trial.training.batch_size
            view.set_budget(trained_on, choose_embedding(trial.data.shape))
        if WIRING in diagnoses:
            optimizers = gan.optimizer_g, gan.optimizer_d
            watch = WiringWatch(
                gan.generator,
                gan.discriminator,
                steps=trial.training.steps,
                optimizers=optimizers,
                contract=True,
                expected=LATE_TERM if _begins_late(trial.training) else (),
            )
        return cls(
            gan=gan,
            view=view,
            observer=Observer(view, diagnoses, watch),
            evaluator=Evaluator(
                metrics,
                trial.data,
                DeviceDataset(training, trial.data, here),
                DeviceDataset(held_out, trial.data, here),
                dataset.modes,
                trial.evaluation.samples,
                seed_for(seed, "evaluation"),
                device,
                partial(CachedSampleSet, tell=tell),
            ),
            diagnoses=diagnoses,
            labels=training.labels,
            seed=seed,
            best=BestSnapshot(trial.evaluation.keep_best),
            left_out=left_out,
            capture=_capture(gan),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the trial's further course depends on."""
        return {
            "gan": self.gan.state_dict(),
            "observer": self.observer.state_dict(),
            "evaluator": self.evaluator.state_dict(),
            "best": self.best.state_dict(),
            "loop": self.loop.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from another moment of the same trial."""
        for name in (
            "observer",
            "evaluator",
            "best",
            "loop",
            "gan",
        ):  # the game last: it sets the global random generators
            getattr(self, name).load_state_dict(state[name])

    def generate(self, n: int) -> Batch:
        """Generate `n` samples from the noise, and under the conditions, that this trial is always evaluated with."""
        generator, seed = self.gan.evaluated_generator(), seed_for(self.seed, "evaluation latents")
        return generate(generator, n, seed, self.labels, self.gan.device, self.evaluator.given(n))


def _begins_late(training: Training) -> bool:
    """Whether settings say that a player, or the adversarial term, begins late or not at all."""
    weight = training.adversarial_weight
    begins_at_zero = weight.start == 0 if isinstance(weight, Ramp) else weight == 0
    return bool(training.adversarial_from or training.d_from or begins_at_zero)


def _leave_out(diagnoses: dict[str, Diagnosis]) -> dict[str, str]:
    """Take out what cannot happen to a generator without noise; return why, by name."""
    names = [name for name, diagnosis in diagnoses.items() if adapt("diagnosis", diagnosis).needs_noise]
    for name in names:
        del diagnoses[name]
    return dict.fromkeys(names, "the generator has no noise: it makes one sample of each condition")


def _capture(gan: GAN) -> StepCapture | None:
    """What takes the steps of a game as graphs of its device; None where that is not asked for, or there are none."""
    is_possible = gan.device.type == "cuda" and torch.cuda.is_available()
    return StepCapture(gan, CudaGraphs(gan.device)) if is_possible and gan.settings.capture == "auto" else None
