"""docs/plugins.md has every hook with the signature it has in the code, and its examples pass their checks."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest

import ganbench
from ganbench.contract import components, hooks
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
    "dataset": "Data sets",
    "metric": "Metrics",
    "diagnosis": "Diagnoses",
    "report": "Reports",
    "executor": "Executors",
    "suite": "Suites",
}


def signature(function: object, name: str) -> str:
    """As the page writes it: without self and without the modules of names."""
    made = inspect.signature(function)
    parameters = [p for p in made.parameters.values() if p.name != "self"]
    text = f"{name}{made.replace(parameters=parameters)}".replace("'", "")
    text = re.sub(r"(?:collections\.abc|ganbench(?:\.\w+)?|typing)\.(\w)", r"\1", text)
    return text.replace(" | ".join(event.__name__ for event in get_args(ganbench.Event)), "Event")


def methods_of(protocol: type) -> list[str]:
    offered = {n: f for n, f in vars(protocol).items() if inspect.isfunction(f) and n in ("__call__", *dir(protocol))}
    public = {n: f for n, f in offered.items() if n == "__call__" or not n.startswith("_")}
    return [
        signature(f, protocol.__name__ if n == "__call__" else f"{protocol.__name__}.{n}") for n, f in public.items()
    ]


def test_there_is_a_section_for_every_hook():
    assert set(KINDS) == set(hooks.HOOKS) and set(KINDS.values()) | {"Events"} <= set(SECTIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_are_those_of_the_code(kind):
    shown = [line.strip() for line in SECTIONS[KINDS[kind]].splitlines() if line.startswith("    ")]
    hook = hooks.HOOKS[kind]
    assert signature(getattr(hooks, hook), hook) in shown
    if kind != "suite":
        for line in methods_of(getattr(components, kind.capitalize())):
            assert line in shown


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


def test_the_listener_hears(tmp_path, make_trial, capsys):
    plugins = load_registry((example("Events", tmp_path),)).plugins
    plugins.emit(ganbench.TrialEnded(ganbench.TrialResult(make_trial(), "error", "it broke")))
    assert "failed: it broke" in capsys.readouterr().out
    assert not plugins.broken
