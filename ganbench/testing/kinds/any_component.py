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
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...contract.adapt import original
from ...contract.components import BASE_CLASSES
from ...contract.errors import RequestError, did_you_mean
from ...contract.hooks import HOOKS
from ...contract.options import REQUIRED, Option, convert
from ...registry.registry import as_ref
from ...training.seeding import SETTINGS, deterministic
from ..candidate import Candidate
from ..check import BEHAVIOURS, BUILDS, DECLARES, ContractError, NotApplicable, check
from ..helpers import networks
from ..helpers.spawned import behaviour_there

NETWORKS = ("generator", "discriminator")
NEAR = 0.8  # similarity from which a name is taken for a slip in another (difflib's ratio)
CHECKED = ("skip", "check_options", "expected_failures")  # what `build` of any kind may declare

# What a component of each kind must offer, and all that ganbench asks of it.
REQUIRED_MEMBERS: dict[str, tuple[str, ...]] = {
    "loss": ("discriminator", "generator"),
    "regularizer": (),
    "dataset": ("spec", "training", "held_out"),
    "metric": ("better", "score"),
    "diagnosis": ("diagnose",),
    "report": ("write",),
    "executor": ("run",),
    "generator": ("latent_dim", "forward"),
    "discriminator": ("forward",),
}
MEMBERS: dict[str, list[str]] = {
    **{
        kind: sorted({name for name in (*dir(base), *base.__annotations__) if not name.startswith("_")} | set(CHECKED))
        for kind, base in BASE_CLASSES.items()
    },
    "generator": ["latent_dim", "prior", "forward", *CHECKED],
    "discriminator": ["pack", "forward", *CHECKED],
}
MEMBERS["regularizer"].append("zero_for")
MEMBERS["diagnosis"] += ["loud_on", "failing_history"]
NOBODYS_SEED = 746_395_028_117  # which no component would think of


def built(candidate: Candidate, seed: int = 0, **options: Any) -> Any:
    """The component, on the first data it serves where it is a network."""
    given = candidate.specs()[:1] if candidate.entry.kind in NETWORKS else []
    return candidate.build(*given, seed=seed, **options)


@check(level=DECLARES)
def describes_itself(candidate: Candidate) -> None:
    """`build` has a docstring, or a suite's file a `summary`: what `ganbench list` says of it."""
    if not candidate.entry.summary:
        raise ContractError(
            f"{candidate.id} has no summary",
            cause="the class or function given as `build` has no docstring, or the suite's file no `summary`",
            fix="write one: its first line is shown by `ganbench list`",
        )


@check(level=DECLARES)
def options_are_declared(candidate: Candidate) -> None:
    """Every option is keyword-only and annotated, and its default is of that type and can be stored as JSON."""
    wanted = 1 if candidate.entry.kind in NETWORKS else 0
    positional = [
        p
        for p in inspect.signature(candidate.entry.build).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) > wanted:
        raise ContractError(
            f"takes {positional[wanted].name!r} by position, where no suite can set it",
            cause="the `*` before the options is missing",
            fix=f"write `{'data, ' if wanted else ''}*, {positional[wanted].name}: type = default`",
        )
    for option in candidate.entry.options.values():
        if option.type is Any:
            raise ContractError(
                f"option {option.name!r} has no annotation, so a suite may set it to anything",
                cause="the annotation is missing, or names a type that is imported for type checkers only",
                fix=f"annotate it, as `{option.name}: float = ...`",
            )
        if option.part:
            _check_part(candidate, option)
        elif option.default is not REQUIRED:
            _check_default(option)


def _check_part(candidate: Candidate, option: Option) -> None:
    """A part is of a kind there is, and by default a component there is."""
    try:
        if option.part not in HOOKS:
            raise RequestError(
                f"no kind of component is called {option.part!r}; {did_you_mean(str(option.part), HOOKS)}"
            )
        if isinstance(option.default, str | dict):
            candidate.registry.check(option.part, as_ref(option.default, option.name), option.name)
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


@check(*BASE_CLASSES, level=BUILDS)
def offers_what_it_must(candidate: Candidate) -> None:
    """It has every member that a component of its kind must have."""
    component = _original(candidate)
    base = BASE_CLASSES[candidate.entry.kind]
    offered = {name for name in dir(component) if not name.startswith("_")}
    for name in REQUIRED_MEMBERS[candidate.entry.kind]:
        if name in offered and (name not in vars(base) or getattr(type(component), name, None) is not vars(base)[name]):
            continue
        near = get_close_matches(name, offered - set(MEMBERS[candidate.entry.kind]), n=1, cutoff=NEAR)
        raise ContractError(
            f"has no {name!r}" + (f", but {near[0]!r}" if near else ""),
            cause="the name is misspelt" if near else "the member is missing",
            fix=f"call it {name!r}: see ganbench.{base.__name__}",
        )


@check(*BASE_CLASSES, *NETWORKS, level=DECLARES)
def members_are_spelt_right(candidate: Candidate) -> None:
    """No member of its own is nearly, but not quite, called like an optional one of its kind."""
    try:
        component = _original(candidate)
    except Exception as error:  # which other checks are about
        raise NotApplicable(f"it does not build: {type(error).__name__}") from error
    inherited = _inherited_members(component)
    members = MEMBERS[candidate.entry.kind]
    optional = set(members) - set(REQUIRED_MEMBERS[candidate.entry.kind])
    for name in sorted(set(dir(component)) - inherited - set(members)):
        if name.startswith("_"):
            continue
        near = get_close_matches(name, optional, n=1, cutoff=NEAR)
        if near and near[0] not in _own_members(component, inherited):
            raise ContractError(
                f"has a member {name!r}, which means nothing to ganbench; did you mean {near[0]!r}?",
                cause="an optional member is misspelt, so that its default is used",
                fix=f"call it {near[0]!r}, or something less like it",
            )


def _original(candidate: Candidate) -> Any:
    return original(built(candidate))


def _inherited_members(component: Any) -> set[str]:
    """The members that come from a library: torch's modules, and the base classes."""
    bases = [c for c in type(component).__mro__ if c.__module__.partition(".")[0] in ("torch", "builtins", "abc")]
    return {name for base in (*bases, *BASE_CLASSES.values()) for name in dir(base)} | set(dir(object))


def _own_members(component: Any, inherited: set[str]) -> set[str]:
    """The members that a component defines itself: of the contract's, those that are not the base class's default."""
    base = next((base for base in BASE_CLASSES.values() if isinstance(component, base)), object)
    return {
        name
        for name in dir(component)
        if name not in inherited or inspect.getattr_static(component, name) is not getattr(base, name, None)
    }


@check(level=BUILDS)
def builds_from_defaults(candidate: Candidate) -> None:
    """It builds from its defaults (and the options declared for checking)."""
    built(candidate)


@check()
def builds_from_every_option(candidate: Candidate) -> None:
    """It builds with each option set by itself to other values of its type; a value out of bounds is a ValueError."""
    for option in candidate.entry.options.values():
        default = candidate.check_options.get(option.name, option.default)
        # A component in an option is named by its default: which others would suit is not known.
        values = _values(option.type, default) if not option.part else () if default is REQUIRED else (default,)
        for value in values:
            try:
                built(candidate, **{option.name: value})
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
def leaves_global_state_alone(candidate: Candidate) -> None:
    """Building and using it never seeds torch's global stream, never touches Python's and numpy's, changes no setting.

    It may draw from torch's, which the training loop seeds. Settings are torch's threads, default dtype and device,
    gradient, anomaly and deterministic modes and matmul precision, and the working directory.
    """
    behave = BEHAVIOURS[candidate.entry.kind]
    with deterministic(torch.device("cpu"), threads=1), contextlib.chdir(Path.cwd()):
        behave(candidate)  # once before: libraries that it imports then may do as they please
    before = _settings()
    torch.manual_seed(NOBODYS_SEED)
    behave(replace(candidate, seed=NOBODYS_SEED))
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
def does_the_same_twice(candidate: Candidate) -> None:
    """Built twice under one seed, it behaves the same to the last bit."""
    _compare(candidate, _behaviour_here, "built a second time under the same seed")


@check()
def runs_in_a_spawned_process(candidate: Candidate) -> None:
    """As name and options it travels to a spawned process, and behaves there as it does here."""
    _compare(candidate, behaviour_there, "built in a spawned process, as a run's workers do")


def _behaviour_here(candidate: Candidate) -> str:
    return repr(BEHAVIOURS[candidate.entry.kind](candidate))


def _compare(candidate: Candidate, again: Callable[[Candidate], str], how: str) -> None:
    here = _behaviour_here(candidate)
    torch.manual_seed(99)  # what was drawn before must not matter
    there = again(candidate)
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
def runs_on_cuda(candidate: Candidate) -> None:
    """Moved to a CUDA device, it works there and answers there."""
    if not torch.cuda.is_available():
        raise NotApplicable("there is no CUDA device here")
    networks.on_cuda(candidate)
