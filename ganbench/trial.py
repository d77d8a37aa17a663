"""One trial through stages 3 to 6: built, trained while observed, evaluated, diagnosed. Every failure is a result."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from . import catalog as catalogs
from .catalog import Catalog
from .diagnosis import diagnose, verdicts
from .evaluation import Evaluator, generate
from .events import Event, TrialProgress, TrialStarted
from .observation import Observer, RunView, Schedule
from .pool import Pool
from .records import Artifacts, Finding, Score, Trial, TrialResult
from .seeding import isolated, plant, seed_for, undisturbed
from .training import GAN, Game, train

KEPT_SAMPLES = 1000  # of the last evaluation, for pictures and for looking at them again


def run_trial(
    trial: Trial, emit: Callable[[Event], None] = lambda event: None, threads: int | None = None
) -> TrialResult:
    """Carry a trial out in this process, on `threads` threads, leaving torch's global state as it was.

    Never raises on a component's account: whatever goes wrong is the result's status and reason.
    """
    began = time.perf_counter()
    emit(TrialStarted(trial))
    device = torch.device(trial.device)
    try:
        catalog = catalogs.load(trial.plugin_files)  # first: a plugin may set what it likes when it is imported
        with isolated(device, threads):
            used = threads or torch.get_num_threads()
            result = _carry_out(trial, catalog, device, emit)
    except (Exception, SystemExit) as error:
        used, result = threads or torch.get_num_threads(), TrialResult(trial, "error", _reason(error))
    return replace(result, seconds=time.perf_counter() - began, device=trial.device, threads=used)


def _carry_out(trial: Trial, catalog: Catalog, device: torch.device, emit: Callable[[Event], None]) -> TrialResult:
    plant(seed_for(trial.seed, "data set"))
    dataset = catalog.build("dataset", trial.components.dataset)
    if why := catalog.why_skipped(trial):
        return TrialResult(trial, "skipped", why, origins=catalog.origins(trial))
    run = LiveTrial.build(trial, dataset, catalog, device)
    _check_networks(run.view, trial)
    result = replace(_train(run, trial, emit), origins=catalog.origins(trial), scores=tuple(run.evaluator.scores))
    history = run.observer.history()
    if result.status == "error":  # what there was until then; its samples could be anything
        return replace(result, artifacts=Artifacts(history))
    with undisturbed(device):
        findings = diagnose(run.diagnoses, history)
    return replace(
        result,
        findings=findings,
        verdicts=verdicts(findings) if run.diagnoses else (),
        artifacts=Artifacts(
            history=history,
            samples=run.samples()[:KEPT_SAMPLES].numpy(),
            reals=run.evaluator.reals[:KEPT_SAMPLES].numpy(),
            weights={name: weight.numpy() for name, weight in run.gan.weights().items()},
        ),
    )


def _train(run: LiveTrial, trial: Trial, emit: Callable[[Event], None]) -> TrialResult:
    """Train to whatever end. Metrics and diagnoses may draw random numbers: training does not notice."""

    def evaluate(step: int) -> Sequence[Score]:
        with undisturbed(run.gan.device):
            return run.evaluator.score(step, run.samples(), run.game)

    def diagnose_so_far() -> Sequence[Finding]:
        with undisturbed(run.gan.device):
            return diagnose(run.diagnoses, run.observer.history())

    def progress(step: int, row: Mapping[str, float]) -> None:
        emit(TrialProgress(trial.id, step, trial.training.steps, row))

    schedule = Schedule.of(trial.training, trial.evaluation)
    try:
        ending = train(run.gan, schedule, run.observer, evaluate=evaluate, diagnose=diagnose_so_far, progress=progress)
    except (Exception, SystemExit) as error:
        done = run.gan.steps_done
        return TrialResult(trial, "error", f"{_reason(error)}, after {done} steps", steps=done)
    return TrialResult(trial, ending.status, ending.reason, steps=ending.steps, train_seconds=ending.seconds)


@dataclass(frozen=True)
class LiveTrial:
    """The live objects of a trial."""

    gan: GAN
    game: Game
    view: RunView
    observer: Observer
    evaluator: Evaluator
    diagnoses: Mapping[str, Any]
    labels: torch.Tensor | None
    seed: int

    @classmethod
    def build(cls, trial: Trial, dataset: Any, catalog: Catalog, device: torch.device) -> LiveTrial:
        """Build every other component, the networks each under a random seed of its own."""
        parts, seed = trial.components, trial.seed
        training, held_out = dataset.training(), dataset.held_out()
        on_device, held_out_there = (Pool(part, trial.data, device) for part in (training, held_out))
        here = torch.device("cpu")
        plant(seed_for(seed, "generator"))
        generator = catalog.build("generator", parts.generator, trial.data).to(device)
        plant(seed_for(seed, "discriminator"))
        discriminator = catalog.build("discriminator", parts.discriminator, trial.data).to(device)
        loss = catalog.build("loss", parts.loss)
        regularizers = {ref.name: catalog.build("regularizer", ref) for ref in parts.regularizers}
        diagnoses, metrics = (
            {ref.name: catalog.build(kind, ref) for ref in refs if catalog.skip(kind, ref, trial) is None}
            for kind, refs in (("diagnosis", trial.diagnoses), ("metric", trial.evaluation.metrics))
        )
        plant(seed_for(seed, "components"))  # for components that draw, such as dropout
        gan = GAN(generator, discriminator, loss, regularizers, on_device, trial.training, seed)
        view = RunView(
            generator,
            discriminator,
            loss,
            on_device,
            held_out_there,
            trial.data,
            seed=seed_for(seed, "observation"),
            steps=trial.training.steps,
            average=gan.average,
        )
        view.game = game = Game(gan, view)
        if diagnoses:
            view.set_budget(trial.training.steps * trial.training.batch_size)
        return cls(
            gan=gan,
            game=game,
            view=view,
            observer=Observer(view, diagnoses),
            evaluator=Evaluator(
                metrics,
                trial.data,
                Pool(training, trial.data, here),
                Pool(held_out, trial.data, here),
                getattr(dataset, "modes", None),
                trial.evaluation.samples,
                seed_for(seed, "evaluation"),
            ),
            diagnoses=diagnoses,
            labels=training.labels,
            seed=seed,
        )

    def samples(self) -> torch.Tensor:
        """What G makes now of the latents that this trial is always judged by."""
        judged = self.gan.evaluated_generator()
        latents = seed_for(self.seed, "evaluation latents")
        return generate(judged, self.evaluator.n_fake, latents, self.labels, self.gan.device)


def _check_networks(view: RunView, trial: Trial) -> None:
    """Refuse networks whose output broadcasting would hide, before anything is trained."""
    pack = view.whole_packs(1)
    n = view.whole_packs(max(8, 2 * pack))  # two packs at least: batch statistics want more than one
    packs = n // pack
    with view.at(0), torch.no_grad():
        fake = view.fake(n)
        real = view.real(n)
        device = real.x.device
        _expect("generator", trial.components.generator.name, fake.x, (n, *trial.data.shape), device)
        _expect("discriminator", trial.components.discriminator.name, view.judge(real), (packs,), device)


def _expect(kind: str, name: str, output: Any, shape: tuple[int, ...], device: torch.device) -> None:
    if not isinstance(output, torch.Tensor):
        raise TypeError(f"{kind} {name!r} returns {type(output).__name__}, not a tensor")
    if tuple(output.shape) != shape or output.dtype != torch.float32:
        got = f"{tuple(output.shape)} of {output.dtype}".replace("torch.", "")
        raise ValueError(f"{kind} {name!r} returns {got}, and {shape} of float32 is expected")
    if output.device != device:
        raise ValueError(f"{kind} {name!r} returns a tensor on {output.device}, and it is trained on {device}")


def _reason(error: BaseException) -> str:
    """The error in one line, with the deepest place in it that is no library's."""
    message = " ".join(str(error).split()) or "no message"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "site-packages" not in f.filename]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno}, in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {message[:500]}{place}"
