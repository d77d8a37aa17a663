"""What is asked of every component: it builds, from every option, without a trace, and anywhere."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import random
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...contract.errors import RequestError, did_you_mean
from ...contract.hooks import HOOKS
from ...contract.options import REQUIRED, Option, convert
from ...registry.registry import as_ref
from ...training.seeding import SETTINGS, deterministic
from ..candidate import Candidate
from ..check import BEHAVIOURS, ContractError, NotApplicable, check
from ..helpers import networks
from ..helpers.spawned import behaviour_there

NETWORKS = ("generator", "discriminator")
NOBODYS_SEED = 746_395_028_117  # which no component would think of


def built(subject: Candidate, seed: int = 0, **options: Any) -> Any:
    """The component, on the first data it serves where it is a network."""
    given = subject.specs()[:1] if subject.entry.kind in NETWORKS else []
    return subject.build(*given, seed=seed, **options)


@check()
def describes_itself(subject: Candidate) -> None:
    """`build` has a docstring, or a suite's file a `summary`: what `ganbench list` says of it."""
    if not subject.entry.summary:
        raise ContractError(
            f"{subject.id} has no summary",
            cause="the class or function given as `build` has no docstring, or the suite's file no `summary`",
            fix="write one: its first line is shown by `ganbench list`",
        )


@check()
def options_are_declared(subject: Candidate) -> None:
    """Every option is keyword-only and annotated, and its default is of that type and can be stored as JSON."""
    wanted = 1 if subject.entry.kind in NETWORKS else 0
    positional = [
        p
        for p in inspect.signature(subject.entry.build).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) > wanted:
        raise ContractError(
            f"takes {positional[wanted].name!r} by position, where no suite can set it",
            cause="the `*` before the options is missing",
            fix=f"write `{'data, ' if wanted else ''}*, {positional[wanted].name}: type = default`",
        )
    for option in subject.entry.options.values():
        if option.type is Any:
            raise ContractError(
                f"option {option.name!r} has no annotation, so a suite may set it to anything",
                cause="the annotation is missing, or names a type that is imported for type checkers only",
                fix=f"annotate it, as `{option.name}: float = ...`",
            )
        if option.part:
            _check_part(subject, option)
        elif option.default is not REQUIRED:
            _check_default(option)


def _check_part(subject: Candidate, option: Option) -> None:
    """A part is of a kind there is, and by default a component there is."""
    try:
        if option.part not in HOOKS:
            raise RequestError(
                f"no kind of component is called {option.part!r}; {did_you_mean(str(option.part), HOOKS)}"
            )
        if isinstance(option.default, str | dict):
            subject.registry.check(option.part, as_ref(option.default, option.name), option.name)
    except RequestError as error:
        raise ContractError(
            f"option {option.name!r} names a component that there is not: {error}",
            cause="a slip in the kind or in the name",
            fix="see `ganbench list` for the kinds and names that there are",
        ) from None


def _check_default(option: Option) -> None:
    try:
        convert(json.loads(json.dumps(option.default)), option.type, option.name)
    except (RequestError, TypeError) as error:
        raise ContractError(
            f"the default of option {option.name!r}, {option.default!r}, is not what it declares: {error}",
            cause="default and annotation differ, or the default is an object that a suite could not write",
            fix="give a plain value (number, text, true or false, a list) of the annotated type",
        ) from None


@check()
def builds_from_defaults(subject: Candidate) -> None:
    """It builds from its defaults (and the options declared for checking)."""
    built(subject)


@check()
def builds_from_every_option(subject: Candidate) -> None:
    """It builds with each option set by itself to other values of its type; a value out of bounds is a ValueError."""
    for option in subject.entry.options.values():
        default = subject.check_options.get(option.name, option.default)
        # A component in an option is named by its default: which others would suit is not known.
        values = _values(option.type, default) if not option.part else () if default is REQUIRED else (default,)
        for value in values:
            try:
                built(subject, **{option.name: value})
            except (ValueError, RequestError):
                continue  # out of its bounds, and it says so
            except NotApplicable:
                raise
            except Exception as error:
                raise ContractError(
                    f"with {option.name} = {value!r} raises {type(error).__name__}: {error}",
                    cause=f"option {option.name!r} is not handled, or not checked",
                    fix="make it work, or raise ValueError with a line that names the option and what it may be",
                ) from error


def _values(hint: Any, default: Any) -> Iterator[Any]:
    """Values to try: every one of a choice, both of a switch, numbers around the default, or 1 where that is none."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        yield from arguments
    elif origin is typing.Annotated:
        yield from _values(arguments[0], default)
    elif origin in (typing.Union, types.UnionType):
        for one in arguments:
            yield from _values(one, default)
    elif hint is bool:
        yield from (False, True)
    elif hint is int:
        yield from (default, default + 1) if isinstance(default, int) else (1,)
    elif hint is float:
        yield from (float(default), default / 2 + 0.01) if isinstance(default, int | float) else (1.0,)


@check()
def leaves_global_state_alone(subject: Candidate) -> None:
    """Building and using it never seeds torch's global stream, never touches Python's and numpy's, changes no setting.

    It may draw from torch's, which the training loop seeds. Settings are torch's threads, default dtype and device,
    gradient, anomaly and deterministic modes and matmul precision, and the working directory.
    """
    behave = BEHAVIOURS[subject.entry.kind]
    with deterministic(torch.device("cpu"), threads=1), contextlib.chdir(Path.cwd()):
        behave(subject)  # once before: libraries that it imports then may do as they please
    before = _settings()
    torch.manual_seed(NOBODYS_SEED)
    behave(replace(subject, seed=NOBODYS_SEED))
    for name, value in _settings().items():
        if not _same(value, before[name]):
            raise ContractError(
                f"changes {name}",
                cause="a call that sets or draws from something global, in building or using the component",
                fix="use a torch.Generator of your own for random numbers, and leave global settings to the user",
            )
    if torch.initial_seed() != NOBODYS_SEED:
        raise ContractError(
            f"seeds torch's global random stream: built and used, it leaves it under the seed {torch.initial_seed()}",
            cause="a call of torch.manual_seed or torch.seed",
            fix="take it out; where fixed numbers are wanted use torch.Generator().manual_seed(...)",
        )


def _settings() -> dict[str, Any]:
    return {
        "the state of Python's `random`": random.getstate(),
        "the state of numpy's global random stream": np.random.get_state(legacy=True),
        "torch's number of threads": torch.get_num_threads(),
        **{name: read() for name, (read, _, _) in SETTINGS.items()},
        "the working directory": os.getcwd(),  # noqa: PTH109
    }


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


@check()
def does_the_same_twice(subject: Candidate) -> None:
    """Built twice under one seed, it behaves the same to the last bit."""
    _compare(subject, _behaviour_here, "built a second time under the same seed")


@check()
def runs_in_a_spawned_process(subject: Candidate) -> None:
    """As name and options it travels to a spawned process, and behaves there as it does here."""
    _compare(subject, behaviour_there, "built in a spawned process, as a run's workers do")


def _behaviour_here(subject: Candidate) -> str:
    return repr(BEHAVIOURS[subject.entry.kind](subject))


def _compare(subject: Candidate, again: Callable[[Candidate], str], how: str) -> None:
    here = _behaviour_here(subject)
    torch.manual_seed(99)  # what was drawn before must not matter
    there = again(subject)
    if here != there:
        raise ContractError(
            f"behaves differently {how}: {_short(there)} instead of {_short(here)}",
            cause="numbers drawn from a stream that the seed does not reach, the order of a set, or state kept "
            "outside the component",
            fix="draw from torch's stream while building, from a torch.Generator of your own later; keep no globals",
        )


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


@check(*NETWORKS)
def runs_on_cuda(subject: Candidate) -> None:
    """Moved to a CUDA device, it works there and answers there."""
    if not torch.cuda.is_available():
        raise NotApplicable("there is no CUDA device here")
    networks.on_cuda(subject)
