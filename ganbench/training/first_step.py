"""The first step of a trial, tried with a few samples before a run: what cannot take it is said before anything long has run.

What is tried is built for it and thrown away. It draws random numbers and may change settings: who asks for it does so
inside `preserve_global_state`, and ends a thread that hangs in it with `abandon`.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..contract.adapt import original
from ..contract.components import Dataset
from ..contract.errors import RequestError, describe_exception
from ..contract.records import Batch, ComponentRef, Trial
from ..registry.registry import Registry
from .checks import check_networks, check_samples
from .data import DeviceDataset, samples_of
from .gradients import NoGradient
from .loader import stream_of
from .parts import GameParts
from .seeding import deterministic, seed_everything, seed_for, set_standards

TIMED_SECONDS = 1.0  # that steps are timed for at most, but for the last one
SAMPLES = 8  # of a batch, unless a component wants more
OF_ONE_SAMPLE = "Expected more than 1 value per channel when training"  # as torch says it
FOR_ONE_SAMPLE = "batch normalization over one sample cannot tell samples apart: give a batch_size of 2 or more, or a network without it"
HERE = torch.device(
    "cpu"
)  # tried here whatever the trial's device is: an accelerator may have no memory for another process


ABANDONING_SECONDS = 0.5  # that a thread has to end, unless it hangs in what Python cannot interrupt


class Abandoned(BaseException):
    """Ends a thread that tries a first step which nobody waits for any more; no component is to take it for an error."""


class CannotTrain(Exception):
    """A trial cannot take its first step; the message names the component and says why."""


@dataclass(frozen=True)
class FirstSamples:
    """A few samples of each part of a data set, as many as a batch at most."""

    training: Batch
    held_out: Batch


def load_first_samples(trial: Trial, registry: Registry) -> FirstSamples | None:
    """Return the first samples of a trial's data set, all of which is checked where it is loaded at once.

    None where no samples can be had cheaply. Raises CannotTrain for a data set that gives what its spec does not state.
    """
    ref, size = trial.components.dataset, trial.training.batch_size
    set_standards()
    with _named(f"data set {ref.name!r}", sure=True):
        seed_everything(seed_for(trial.seed, "data set"))
        dataset: Dataset = registry.build("dataset", ref)
        if dataset.large:
            return _made_up(trial, size)
        parts = []
        for name, part in (("training", dataset.training()), ("held-out", dataset.held_out())):
            check_samples(part, trial, name)
            DeviceDataset(part, trial.data, HERE)
            parts.append(part[:size])
        if stream := stream_of(dataset, trial, HERE):
            parts[0] = stream(size).draw()
        return FirstSamples(*parts)


def try_first_step(trial: Trial, samples: FirstSamples, registry: Registry) -> None:
    """Build a trial's components and let them take one step, with a few samples and on the CPU.

    A step that fails is tried again with a whole batch, as packs or statistics of batches may need. Where the trial runs on
    another device only what a component says itself counts, in a ValueError: some networks are made for an accelerator.

    Raises:
        CannotTrain: They cannot.
    """
    few, whole = SAMPLES * trial.training.accumulate, trial.training.batch_size
    if few < whole:
        try:
            _step(trial, samples, registry, few)
        except (Exception, SystemExit):
            pass  # it may want a whole batch
        else:
            return
    try:
        _step(trial, samples, registry, whole)
    except SystemExit:
        return  # a fault of its own, which ends the trial alone


def time_step(trial: Trial, samples: FirstSamples, registry: Registry, threads: int) -> float:
    """Return the seconds of a step of a trial as it is, on the CPU: the mean over a turn of its rarest penalty.

    Args:
        trial: The trial, which can take a step.
        samples: As many as a batch.
        registry: Builds its components.
        threads: That a trial of the run will have.
    """
    settings = replace(trial.training, d_warmup=0, d_from=0, adversarial_from=0)
    set_standards()
    torch.set_num_threads(threads)
    tried = replace(trial, training=settings)
    parts = GameParts.build(tried, registry.build, HERE)
    game = _build_game(tried, parts, samples, registry.build)
    game.step()  # what is done once is not timed, nor are penalties, which have their turn here
    began, n = time.perf_counter(), 0
    for _ in range(max((penalty.every for penalty in parts.regularizers.values()), default=1)):
        game.step()
        n += 1
        if time.perf_counter() - began > TIMED_SECONDS:
            break
    return (time.perf_counter() - began) / n


def _build_game(tried: Trial, parts: GameParts, samples: FirstSamples, build: Any) -> Any:
    data = [DeviceDataset(part, tried.data, HERE) for part in (samples.training, samples.held_out)]
    return parts.into_game(tried, data[0], data[1], build)


def _step(trial: Trial, samples: FirstSamples, registry: Registry, batch_size: int) -> None:
    """Take a step in which every part has its say: terms, penalties, and both players' losses."""
    settings = replace(
        trial.training,
        batch_size=batch_size,
        d_steps=1,
        g_steps=1,
        d_warmup=0,
        d_from=0,
        adversarial_from=0,
        precision="float32",
        channels_last=False,
    )
    tried = replace(trial, training=settings)
    sure = trial.device == "cpu"

    def build(kind: str, ref: ComponentRef, *given: Any) -> Any:
        with _named(f"{kind} {ref.name!r}", sure=sure):
            return registry.build(kind, ref, *given)

    set_standards()
    parts = GameParts.build(tried, build, HERE)
    names = _names_of(parts, trial)
    with _named(names, sure=sure):
        game = _build_game(tried, parts, samples, build)
        names[id(original(game.update))] = f"update {settings.update.name!r}"
        names[id(game.optimizer_g)] = f"optimizer {settings.optimizer_g.name!r}"
        names[id(game.optimizer_d)] = f"optimizer {settings.optimizer_d.name!r}"
        check_networks(game.view, tried)
        game.step()


def _names_of(parts: GameParts, trial: Trial) -> dict[int, str]:
    """How each built component is called, by identity."""
    refs = trial.components
    names = {
        id(parts.generator): f"generator {refs.generator.name!r}",
        id(parts.discriminator): f"discriminator {refs.discriminator.name!r}",
        id(original(parts.loss)): f"loss {refs.loss.name!r}",
    }
    names |= {id(original(part)): f"regularizer {name!r}" for name, part in parts.regularizers.items()}
    names |= {id(original(term.term)): f"term {term.name!r}" for term in parts.terms}
    if refs.augmentation is not None:
        names[id(original(parts.augmentation))] = f"augmentation {refs.augmentation.name!r}"
    return names


@contextmanager
def _named(names: str | Mapping[int, str], *, sure: bool) -> Iterator[None]:
    """Turn what is raised inside into CannotTrain, whose line names the component.

    Args:
        names: The component; or what components are called, by identity: the one whose method was called last is named.
        sure: Whether any error counts; else those alone that a component says itself, in a ValueError.
    """
    try:
        yield
    except CannotTrain:
        raise
    except Exception as error:
        if not sure and not isinstance(error, ValueError):
            return
        said = isinstance(error, ValueError | OSError | RequestError)
        text = " ".join(str(error).split()) if said and str(error) else describe_exception(error)
        if OF_ONE_SAMPLE in text:
            text += f"; {FOR_ONE_SAMPLE}"
        name = names if isinstance(names, str) else _culprit(error, names)
        raise CannotTrain(text if not name or name in text else f"{name}: {text}") from error


def _culprit(error: Exception, names: Mapping[int, str]) -> str:
    """The component whose method was called last before an error; empty if none was."""
    if isinstance(error, NoGradient):
        return names.get(id(original(error.component)), "")
    found = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for local in ("component", "self"):  # what is computed, and whose method it is
            found = names.get(id(original(frame.f_locals.get(local))), found)
    return found


def running_component(thread: threading.Thread) -> str | None:
    """Return what a thread that tries a first step is waiting for, as `loss 'hinge'`; empty where that is no component.

    None while it imports something, as the first use of a library does for seconds.
    """
    innermost = sys._current_frames().get(thread.ident or 0)
    names: Mapping[int, str] = {}
    found = ""
    for frame, _ in reversed([*traceback.walk_stack(innermost)]):
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return None
        local = frame.f_locals
        if frame.f_code is load_first_samples.__code__ and "ref" in local:
            found = f"data set {local['ref'].name!r}"
        elif frame.f_code is _step.__code__:
            names = local.get("names", names)
        elif frame.f_code.co_qualname == "_step.<locals>.build":
            found = f"{local['kind']} {local['ref'].name!r}"
        for name in ("component", "self"):
            found = names.get(id(original(local.get(name))), found)
    return found


@contextmanager
def preserve_global_state() -> Iterator[None]:
    """Leave random numbers, settings of torch and warnings as they are outside: the trial itself will show them."""
    with deterministic(HERE), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def abandon(thread: threading.Thread) -> None:
    """End a thread that tries first steps, so that it disturbs nothing that is run later in this process.

    One that hangs in a call of its own, as in a `time.sleep`, ends when that returns, before another line of it is run.
    """
    if thread.is_alive() and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Abandoned))
        thread.join(ABANDONING_SECONDS)


def _made_up(trial: Trial, n: int) -> FirstSamples | None:
    """Random samples of the shape that a spec states, in place of those of a large data set; None if it has conditions."""
    spec = trial.data
    if spec.condition is not None:
        return None
    batch = samples_of(spec, n)
    return FirstSamples(batch, batch)
