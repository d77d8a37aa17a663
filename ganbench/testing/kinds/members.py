"""Members of a component: the required ones are there, and no optional one is misspelt."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from torch import nn

from ...contract.adapt import original, provides
from ...contract.components import BASE_CLASSES
from ..candidate import NETWORKS, Candidate
from ..check import ContractError, check

MIN_SIMILARITY = 0.82  # of an optional member's name to a misspelt one: `observ`; but not `model` to `modes`
MIN_SIMILARITY_TO_REQUIRED = 0.6  # where a member is missing, a name that is less like it may be meant


@dataclass(frozen=True)
class Member:
    """A member that ganbench looks for on a component, or on what `build` names."""

    name: str
    is_method: bool
    required: bool = False


# What `build` of any kind may declare.
DECLARATIONS = (
    Member("skip", True),
    Member("check_options", False),
    Member("check_data", False),
    Member("expected_failures", False),
)
REQUIRED = {
    "loss": ("discriminator", "generator"),
    "regularizer": (),  # `penalty` or `after_step`: see `has_a_penalty_or_after_step`
    "term": (),
    "augmentation": (),
    "update": ("step",),
    "dataset": ("spec", "training", "held_out"),
    "features": ("dim", "preprocessing"),
    "metric": ("better", "score"),
    "diagnosis": ("diagnose",),
    "report": ("write",),
    "executor": ("run",),
}
# Members that the base classes do not have: those of networks, and what the checks read.
MORE = {
    "generator": (
        Member("forward", True, True),
        Member("latent_dim", False, True),
        Member("prior", False),
        Member("last_layer", False),
    ),
    "discriminator": (Member("forward", True, True), Member("pack", False), Member("combine", False)),
    "features": (Member("__call__", True, True),),
    "regularizer": (Member("zero_for", False),),
    "term": (Member("__call__", True, True),),
    "augmentation": (Member("__call__", True, True),),
    "diagnosis": (Member("loud_on", False), Member("failing_history", True), Member("suspicion", True)),
}


@functools.cache
def members_of(kind: str) -> Mapping[str, Member]:
    """Return all members that ganbench looks for on a component of a kind, by name."""
    base = BASE_CLASSES.get(kind)
    members = [*DECLARATIONS, *MORE.get(kind, ())]
    if base is not None:
        names = {name for name in (*vars(base), *inspect.get_annotations(base)) if not name.startswith("_")}
        members += [Member(n, inspect.isfunction(vars(base).get(n)), n in REQUIRED[kind]) for n in sorted(names)]
    return {member.name: member for member in members}


@check(*BASE_CLASSES, *NETWORKS, basic=True, needs=("builds-from-defaults",))
def has_required_members(candidate: Candidate) -> None:
    """It has every member that a component of its kind must have."""
    component, kind = candidate.build_for_data(), candidate.entry.kind
    if kind in NETWORKS and not isinstance(component, nn.Module):
        raise ContractError(
            f"builds {type(component).__name__}, which is no torch.nn.Module",
            cause="a function or a class that wraps the network",
            fix="return the nn.Module itself from `build`",
        )
    for member in members_of(kind).values():
        if member.required and not _offers(component, member.name):
            near = nearest_own_member(candidate, component, [member.name])
            raise ContractError(
                f"has no {member.name!r}" + (f", but {near!r}" if near else ""),
                cause=f"{near!r} is misspelt" if near else "the member is missing",
                fix=(f"rename {near!r} to" if near else "add")
                + f" {member.name!r}: see `{kind}` in docs/plugins.md for what it is",
            )


def _offers(component: Any, name: str) -> bool:
    """Return whether a component has a member of its own, rather than the default of a base class."""
    if isinstance(component, nn.Module):
        return type(component).forward is not nn.Module.forward if name == "forward" else hasattr(component, name)
    return provides(component, name)


@check(*BASE_CLASSES, *NETWORKS, needs=("has-required-members",))
def members_are_spelt_right(candidate: Candidate) -> None:
    """None of its own members has nearly the name of an optional one that it does not offer."""
    component = candidate.build_for_data()
    missing = [
        member
        for member in members_of(candidate.entry.kind).values()
        if not _offers(component, member.name)
        and not (member in DECLARATIONS and hasattr(candidate.entry.build, member.name))
    ]
    for name, is_method in own_members(candidate, component).items():
        for member in missing:
            if member.is_method == is_method and _is_near(name, member.name):
                raise ContractError(
                    f"has a member {name!r}, which ganbench does not use; did you mean {member.name!r}?",
                    cause="an optional member is misspelt, so that its default is used instead",
                    fix=f"rename it to {member.name!r}; if it is something else, begin its name with an underscore",
                )


def _is_near(name: str, member: str) -> bool:
    """Return whether `name` is a likely misspelling of `member`: similar or transposed, with the same first letter."""
    name, member = (text.replace("_", "").lower() for text in (name, member))
    if not name or name[0] != member[0]:
        return False
    return sorted(name) == sorted(member) or SequenceMatcher(None, name, member).ratio() >= MIN_SIMILARITY


def own_members(candidate: Candidate, component: Any) -> dict[str, bool]:
    """Return the public names that a component defines and ganbench does not look for, and whether each is a method.

    Options are left out, and so is what comes from torch, from Python or from the base class.
    """
    component, build = original(component), candidate.entry.build
    sources: list[Mapping[str, Any]] = [vars(c) for c in type(component).__mro__ if not _is_library(c)]
    sources += [getattr(component, "__dict__", {}), vars(build) if inspect.isfunction(build) else {}]
    ignored = {*members_of(candidate.entry.kind), *candidate.entry.options}
    if isinstance(component, nn.Module):
        ignored |= set(dir(nn.Module()))
    members = {name: value for source in sources for name, value in source.items()}
    return {n: _is_method(v) for n, v in members.items() if not n.startswith("_") and n not in ignored}


def nearest_own_member(candidate: Candidate, component: Any, names: Iterable[str]) -> str | None:
    """Return the component's own member whose name is most like one of `names`, which it lacks; None if none is."""
    members = members_of(candidate.entry.kind)
    for name in names:
        own = [n for n, method in own_members(candidate, component).items() if method == members[name].is_method]
        near = get_close_matches(name, own, n=1, cutoff=MIN_SIMILARITY_TO_REQUIRED)
        if near := near or [other for other in own if name in other]:  # such as `compute_score`
            return near[0]
    return None


def _is_library(cls: type) -> bool:
    return cls in BASE_CLASSES.values() or cls.__module__.partition(".")[0] in ("builtins", "abc", "typing", "torch")


def _is_method(value: Any) -> bool:
    return callable(value) or isinstance(value, classmethod | staticmethod)
