"""docs/plugins.md has the signatures of the code, of hooks and of base classes, and its examples pass their checks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

import ganbench
from ganbench.contract import components, hooks
from ganbench.contract.adapt import RENAMED as RENAMED_MEMBERS
from ganbench.registry.registry import load_registry
from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
KINDS = {
    "generator": "Generators",
    "discriminator": "Discriminators",
    "loss": "Losses",
    "regularizer": "Regularizers",
    "term": "Terms",
    "augmentation": "Augmentations",
    "update": "Updates",
    "optimizer": "Optimizers",
    "dataset": "Data sets",
    "features": "Features",
    "metric": "Metrics",
    "diagnosis": "Diagnoses",
    "report": "Reports",
    "executor": "Executors",
    "suite": "Suites",
}


def signature(function: object, name: str) -> str:
    """Return a signature as the page shows it: without self and without the modules of names."""
    full = inspect.signature(function)
    parameters = [p for p in full.parameters.values() if p.name != "self"]
    text = f"{name}{full.replace(parameters=parameters)}".replace("''", '""').replace("'", "")
    text = re.sub(r"(?:collections\.abc|ganbench(?:\.\w+)*|typing)\.(\w)", r"\1", text)
    return text.replace(" | ".join(event.__name__ for event in get_args(ganbench.Event)), "Event")


def methods_of(cls: type, without: tuple[str, ...] = ()) -> list[str]:
    """Return the signatures of a class's public methods."""
    functions = {n: f for n, f in vars(cls).items() if inspect.isfunction(f) and n not in without}
    public = {n: f for n, f in functions.items() if n == "__call__" or not n.startswith("_")}
    return [signature(f, cls.__name__ if n == "__call__" else f"{cls.__name__}.{n}") for n, f in public.items()]


def attributes_of(base: type) -> list[str]:
    """Return the declared attributes of a base class with their types and defaults."""
    lines = []
    for name, hint in inspect.get_annotations(base).items():
        default = f" = {vars(base)[name]!r}".replace("'", '"') if name in vars(base) else ""
        lines.append(f"{base.__name__}.{name}: {hint}{default}")
    return lines


def signatures_in(section: str) -> list[str]:
    return [line.strip() for line in SECTIONS[section].splitlines() if line.startswith("    ")]


def test_there_is_a_section_for_every_hook():
    assert set(KINDS) == set(hooks.HOOKS) and set(KINDS.values()) | {"Events"} <= set(SECTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_are_those_of_the_code(kind):
    shown = signatures_in(KINDS[kind])
    hook = hooks.HOOKS[kind]
    assert signature(getattr(hooks, hook), hook) in shown
    if kind not in ("suite", "optimizer"):
        base = getattr(components, kind.capitalize())
        expected = methods_of(base) + (attributes_of(base) if kind in components.BASE_CLASSES else [])
        assert [line for line in expected if line not in shown] == []
        documented = [line for line in shown if line.startswith((f"{base.__name__}.", f"{base.__name__}("))]
        assert sorted(documented) == sorted(expected)


def test_views_and_games_are_as_shown():
    renamed = ("judge", "whole_packs", "play_on", "at")
    expected = methods_of(ganbench.View, renamed) + methods_of(ganbench.Game, renamed)
    assert sorted(signatures_in("Views and games")) == sorted(expected)
    for name in inspect.get_annotations(ganbench.View):
        assert f"`{name}`" in SECTIONS["Views and games"] or f"`view.{name}`" in SECTIONS["Views and games"]


def test_old_names_are_listed_with_the_new_ones():
    section = SECTIONS["Versions and stability"]
    for kind, names in RENAMED_MEMBERS.items():
        for new, old in names.items():
            assert re.search(rf"\| `{old}\(.*\)` of a {kind} \| `{new}` \|", section)
    for cls, old, new in ((ganbench.View, "judge", "logits"), (ganbench.View, "whole_packs", "round_to_pack")):
        assert hasattr(cls, old) and hasattr(cls, new)
        assert f"| `{cls.__name__}.{old}` | `{cls.__name__}.{new}` |" in section
    assert hasattr(ganbench.Game, "play_on") and "| `Game.play_on` | `Game.fork` |" in section


def test_the_event_hook_is_as_shown():
    assert "ganbench_event(event: Event) -> None" in SECTIONS["Events"]
    assert signature(hooks.ganbench_event, "ganbench_event") == "ganbench_event(event: Event) -> None"
    for name in re.findall(r"`((?:Run|Trial)\w+)`", SECTIONS["Events"]):
        assert hasattr(ganbench, name)


def example(title: str, folder: Path) -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```", SECTIONS[title], re.MULTILINE | re.DOTALL)
    path = folder / "ganbench_plugins.py"
    path.write_text(code, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_passes_every_check_of_its_kind(kind, tmp_path):
    (candidate,) = select_candidates([example(KINDS[kind], tmp_path)])
    assert candidate.entry.kind == kind
    outcomes = list(run_checks(candidate))
    assert [f"{o.check}: {o.message}" for o in outcomes if o.status == "failed"] == []
    assert sum(o.status == "passed" for o in outcomes) >= 5


def test_the_listener_gets_events(tmp_path, make_trial, capsys):
    plugins = load_registry((example("Events", tmp_path),)).plugins
    plugins.emit(ganbench.TrialEnded(ganbench.TrialResult(make_trial(), "error", "it broke")))
    assert "failed: it broke" in capsys.readouterr().out
    assert not plugins.broken
