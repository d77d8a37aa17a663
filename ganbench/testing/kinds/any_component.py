"""Checks of all components: summary and options, building, global state, reproducibility, other processes."""

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
from ..candidate import BUILT_FOR_DATA, GIVEN, NETWORKS, Candidate
from ..check import BASIC, BEHAVIOURS, ContractError, NotApplicable, check
from ..helpers import networks
from ..helpers.spawned import behaviour_in_other_process

SEED = 746_395_028_117  # which no component would seed with by itself
MAX_SHOWN_CHARS = 80  # of how a component behaves


@check(needs=("is-a-toml-file", "can-be-read"))  # of suites; others need nothing
def describes_itself(candidate: Candidate) -> None:
    """`build` has a docstring, or a suite's file a `summary`: what `ganbench list` says of it."""
    if not candidate.entry.summary:
        raise ContractError(
            f"{candidate.id} has no summary",
            cause="the class or function given as `build` has no docstring, or the suite's file no `summary`",
            fix="write one: its first line is shown by `ganbench list`",
        )


@check(needs=())
def options_are_declared(candidate: Candidate) -> None:
    """Every option is keyword-only and annotated, and its default is of that type and can be stored as JSON."""
    given = GIVEN.get(candidate.entry.kind, "")
    wanted = 1 if given else 0
    positional = [
        p
        for p in inspect.signature(candidate.entry.build).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) > wanted:
        raise ContractError(
            f"takes {positional[wanted].name!r} as a positional parameter, which no suite can set",
            cause="the `*` before the options is missing",
            fix=f"write `{f'{given}, ' if given else ''}*, {positional[wanted].name}: type = default`",
        )
    for option in candidate.entry.options.values():
        if option.type is Any:
            raise ContractError(
                f"option {option.name!r} has no annotation, so a suite may set it to anything",
                cause="the annotation is missing, or its type is imported under TYPE_CHECKING only",
                fix=f"annotate it, as `{option.name}: float = ...`",
            )
        if not option.part and option.default is not REQUIRED:
            _check_default(option)


def _check_default(option: Option) -> None:
    try:
        convert(json.loads(json.dumps(option.default)), option.type, option.name)
    except (RequestError, TypeError) as error:
        raise ContractError(
            f"the default of option {option.name!r}, {option.default!r}, is not of its declared type: {error}",
            cause="default and annotation differ, or a suite cannot express the default",
            fix="give a plain value (number, text, true or false, a list) of the annotated type",
        ) from None


@check(basic=True, needs=())
def builds_from_defaults(candidate: Candidate) -> None:
    """It builds from its defaults (and the options declared for checking)."""
    for option in candidate.entry.options.values():
        if option.part:
            _check_part(candidate, option)
    candidate.build_for_data()


def _check_part(candidate: Candidate, option: Option) -> None:
    """Check that an option's kind of component, and the component that it defaults to, exist."""
    try:
        if option.part not in HOOKS:
            raise RequestError(
                f"no kind of component is called {option.part!r}; {did_you_mean(str(option.part), HOOKS)}"
            )
        if isinstance(option.default, str | dict):
            candidate.registry.check(option.part, as_ref(option.default, option.name), option.name)
    except RequestError as error:
        raise ContractError(
            f"option {option.name!r} names an unknown component: {error}",
            cause="a misspelt kind or name",
            fix="see `ganbench list` for all kinds and names",
        ) from None


@check(needs=("builds-from-defaults",))
def builds_from_every_option(candidate: Candidate) -> None:
    """It builds with each option set to other values of its type; a value out of bounds is a ValueError."""
    for option in candidate.entry.options.values():
        default = candidate.check_options.get(option.name, option.default)
        # An option that is a component keeps its default: which others would suit is unknown.
        values = _values(option.type, default) if not option.part else () if default is REQUIRED else (default,)
        for value in values:
            try:
                if _is_supported(candidate, **{option.name: value}):
                    candidate.build_for_data(**{option.name: value})
            except (ValueError, RequestError):
                continue  # out of bounds, as it says
            except NotApplicable:
                raise
            except Exception as error:
                raise ContractError(
                    f"with {option.name} = {value!r} raises {type(error).__name__}: {error}",
                    cause=f"option {option.name!r} is not handled, or not checked",
                    fix="make it work, or raise ValueError with a line that names the option and what it may be",
                ) from error


def _is_supported(candidate: Candidate, **options: Any) -> bool:
    """Return whether there is data that a network with these options does not skip; True for other components."""
    if candidate.entry.kind not in BUILT_FOR_DATA:
        return True
    try:
        return bool(candidate.specs(**options))
    except ContractError:  # it skips all
        return False


def _values(hint: Any, default: Any) -> Iterator[Any]:
    """Yield values to try: all of a Literal, both booleans, and numbers near the default, or 1 if that is None."""
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
    """It does not seed torch's global stream, use Python's or numpy's, or change a global setting.

    It may draw from torch's stream, which the training loop seeds. Settings are torch's threads, default dtype and
    device, gradient, anomaly and deterministic modes and matmul precision, and the working directory.
    """
    behave = BEHAVIOURS[candidate.entry.kind]
    with deterministic(torch.device("cpu"), threads=1), contextlib.chdir(Path.cwd()):
        behave(candidate)  # once before: libraries that it imports may change settings then
    before = _settings()
    torch.manual_seed(SEED)
    behave(replace(candidate, seed=SEED))
    for name, value in _settings().items():
        if not _same(value, before[name]):
            raise ContractError(
                f"changes {name}",
                cause="a call that sets or uses global state while the component is built or used",
                fix="use a torch.Generator of your own for random numbers, and leave global settings to the user",
            )
    if torch.initial_seed() != SEED:
        raise ContractError(
            f"seeds torch's global random stream, with {torch.initial_seed()}",
            cause="a call of torch.manual_seed or torch.seed",
            fix="remove it; use torch.Generator().manual_seed(...) for fixed random numbers",
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


# Checks that find the same mistake, with a better message.
SAME_CAUSE = (
    "leaves-global-state-alone",
    "gives-the-same-samples-again",
    "gives-the-same-features-again",
    "draws-nothing",
    "scores-alike-twice",
    "diagnoses-alike-twice",
    "writes-the-same-again",
)


@check(needs=(BASIC, *SAME_CAUSE))
def does_the_same_twice(candidate: Candidate) -> None:
    """Built twice under one seed, it behaves the same to the last bit."""
    _compare(candidate, _behaviour_here, "built a second time under the same seed")


@check(needs=(BASIC, "does-the-same-twice"))
def runs_in_a_spawned_process(candidate: Candidate) -> None:
    """Built in a spawned process, from its name and options, it behaves as it does here."""
    _compare(candidate, behaviour_in_other_process, "built in a spawned process, as a run's workers do")


def _behaviour_here(candidate: Candidate) -> str:
    return repr(BEHAVIOURS[candidate.entry.kind](candidate))


def _compare(candidate: Candidate, again: Callable[[Candidate], str], how: str) -> None:
    here = _behaviour_here(candidate)
    torch.manual_seed(99)  # numbers drawn before must not matter
    there = again(candidate)
    if here != there:
        raise ContractError(
            f"behaves differently {how}: {_short(there)} instead of {_short(here)}",
            cause="random numbers that the seed does not determine, the order of a set, or global state",
            fix="draw from torch's stream while building, from a torch.Generator of your own later; keep no global state",
        )


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."


@check(*NETWORKS)
def runs_on_cuda(candidate: Candidate) -> None:
    """Moved to a CUDA device, it works and returns its output there."""
    if not torch.cuda.is_available():
        raise NotApplicable("there is no CUDA device here")
    networks.check_cuda(candidate)
