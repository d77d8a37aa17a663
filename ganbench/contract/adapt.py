"""Components that subclass nothing: what they leave out is taken from the base class of their kind."""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any

from .components import BASE_CLASSES

RENAMED = {"diagnosis": {"score": "suspicion"}}  # members that a plugin may still offer under their old name


def adapt(kind: str, component: Any) -> Any:
    """Return `component` as an instance of its kind's base class; itself where it is one, or the kind has none.

    The adapted component reads and writes the original's attributes.
    """
    base = BASE_CLASSES.get(kind)
    if base is None or isinstance(component, base):
        return component
    renamed = {}
    for new, old in RENAMED.get(kind, {}).items():
        if _has(component, old) and not _has(component, new):
            line = f"{kind} {type(component).__name__}: {old!r} is now {new!r}; the old name goes with the next release"
            warnings.warn(line, FutureWarning, stacklevel=3)
            renamed[new] = old
    return _rebuild(kind, component, renamed)


def original(component: Any) -> Any:
    """Return the object that a plugin built, whether it has been adapted or not."""
    return component.adapted if isinstance(component, _Adapter) else component


def provides(component: Any, member: str) -> bool:
    """Return whether a component offers an optional member itself, rather than inheriting the base class's default."""
    if isinstance(component, _Adapter):
        return member in component.renamed or _has(component.adapted, member)
    base = next((base for base in BASE_CLASSES.values() if isinstance(component, base)), object)
    return _has(component, member) and inspect.getattr_static(component, member) is not inspect.getattr_static(
        base, member, None
    )


class _Adapter:
    """Reads a member from the adapted component where that has it, and from the base class otherwise."""

    adapted: Any
    renamed: dict[str, str]

    def __getattribute__(self, name: str) -> Any:
        read = object.__getattribute__
        if name.startswith("__") or name in ("adapted", "renamed"):  # copying and pickling are the adapter's own
            return read(self, name)
        component, name_there = read(self, "adapted"), read(self, "renamed").get(name, name)
        return getattr(component, name_there) if _has(component, name_there) else read(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.adapted, name, value)

    def __repr__(self) -> str:
        return repr(self.adapted)


def _has(component: Any, member: str) -> bool:
    """Whether a component has a member; one that raises when it is read counts as had, and says so itself."""
    missing = object()
    return inspect.getattr_static(component, member, missing) is not missing or hasattr(component, member)


@functools.cache
def _adapter_class(kind: str) -> type:
    base = BASE_CLASSES[kind]
    members = {"__module__": __name__, "__reduce__": _reduce}
    if "__call__" in vars(base):  # Python looks it up on the class, where `__getattribute__` is not asked
        members["__call__"] = _call
    return type(f"Adapted{base.__name__}", (_Adapter, base), members)


def _call(self: Any, *args: Any, **options: Any) -> Any:
    if callable(self.adapted):
        return self.adapted(*args, **options)
    return super(_Adapter, self).__call__(*args, **options)  # which says what is missing


def _reduce(self: _Adapter) -> tuple[Any, ...]:
    """How an adapted component is copied and pickled: its class is made, not imported."""
    kind = next(kind for kind, base in BASE_CLASSES.items() if isinstance(self, base))
    return _rebuild, (kind, self.adapted, self.renamed)


def _rebuild(kind: str, component: Any, renamed: dict[str, str]) -> Any:
    adapted: Any = object.__new__(_adapter_class(kind))
    object.__setattr__(adapted, "adapted", component)
    object.__setattr__(adapted, "renamed", renamed)
    return adapted
