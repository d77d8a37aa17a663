"""Plugins are found, and one that is broken is set aside by name while the rest serve on."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import ganbench
from ganbench import RequestError
from ganbench.contract.hooks import HOOKS
from ganbench.registry import plugins
from ganbench.registry.registry import load_registry

ROOT = Path(__file__).parents[2]
GOOD = '''
import ganbench
class Mine:
    """A loss of mine."""
    def __init__(self, *, scale: float = 2.0): ...
@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("mine", Mine)
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Modules installed as plugins through entry points."""

    def install(**modules: str) -> None:
        for name, code in modules.items():
            (tmp_path / f"{name}.py").write_text(code)
            monkeypatch.delitem(sys.modules, name, raising=False)
        points = [EntryPoint(name, name, "ganbench") for name in modules]
        monkeypatch.setattr(plugins, "entry_points", lambda group: points)
        monkeypatch.syspath_prepend(str(tmp_path))
        plugins.load_plugins.cache_clear()

    yield install
    plugins.load_plugins.cache_clear()


def test_an_installed_plugin_is_found_with_its_origin(installed):
    installed(gb_good=GOOD)
    entry = load_registry().find("loss", "mine")
    assert entry.summary == "A loss of mine." and entry.plugin == "gb_good"
    assert entry.options["scale"].default == 2.0


@pytest.mark.parametrize(
    "code, why",
    [
        ("import gone_for_good", "ModuleNotFoundError: No module named 'gone_for_good'"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("syntax error", "SyntaxError"),
        (GOOD.replace("ganbench_losses", "ganbench_lossses"), "did you mean 'ganbench_losses'?"),
        (GOOD.replace('ganbench.Component("mine", Mine)', '("mine", Mine)'), "which is not a ganbench.Component"),
        (GOOD + "\nganbench_contract = 99", "made for plugin contract 99"),
        (
            GOOD.replace('yield ganbench.Component("mine", Mine)', "raise ValueError('at registration')"),
            "at registration",
        ),
    ],
    ids=["module gone", "raises", "exits", "syntax", "no such hook", "no component", "newer contract", "hook raises"],
)
def test_a_broken_plugin_is_left_out_by_name_and_costs_no_other(installed, monkeypatch, code, why):
    installed(gb_broken=code, gb_good=GOOD)
    with pytest.warns(UserWarning, match="plugin 'gb_broken' is left out: ") as warned:
        registry = load_registry()
    assert why in str(warned[0].message)
    assert registry.find("loss", "mine").plugin == "gb_good"
    assert list(registry.plugins.broken) == ["gb_broken"]
    with pytest.raises(RequestError, match=r"'gb_broken' failed to load"):
        registry.find("loss", "theirs")

    monkeypatch.setenv("GANBENCH_STRICT", "1")
    plugins.load_plugins.cache_clear()
    with pytest.raises(RequestError, match="gb_broken"):
        load_registry()


def test_of_two_plugins_with_one_component_name_neither_serves_it_and_both_are_named(installed, monkeypatch):
    installed(gb_one=GOOD, gb_three=GOOD, gb_two=GOOD.replace('"mine"', '"other"'))
    line = r"two plugins offer a loss called 'mine': 'gb_one' and 'gb_three'; rename one"
    with pytest.warns(UserWarning, match=line):
        registry = load_registry()
    with pytest.raises(RequestError, match=line):
        registry.find("loss", "mine")
    assert registry.is_unavailable("loss", "mine") and registry.find("loss", "other")

    monkeypatch.setenv("GANBENCH_STRICT", "1")
    plugins.load_plugins.cache_clear()
    with pytest.raises(RequestError, match=line):
        load_registry()


def test_a_plugin_of_which_one_hook_fails_offers_nothing_at_every_look(installed):
    installed(gb_half=GOOD + "\n@ganbench.hookimpl\ndef ganbench_metrics(): raise ImportError('no library')\n")
    with pytest.warns(UserWarning, match="'gb_half' is left out: ImportError: no library"):
        first = load_registry()
    for registry in (first, load_registry()):
        assert registry.is_unavailable("loss", "mine")


def test_of_two_plugins_with_one_entry_point_both_are_named(installed, monkeypatch):
    installed(gb_one=GOOD, gb_two=GOOD.replace('"mine"', '"other"'))
    points = [EntryPoint("images", name, "ganbench") for name in ("gb_one", "gb_two")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    with pytest.warns(
        UserWarning, match="plugin 'images of gb_two' is left out: ValueError: its name is taken by gb_one"
    ):
        assert load_registry().find("loss", "mine")


WRAPPER = """
from typing import Annotated, Any, Callable
class Around(nn.Module):
    '''Around another.'''
    def __init__(self, data, *, of: Annotated[Callable[..., Any], ganbench.Part("discriminator")]): ...
@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("around", Around)
"""


def test_a_component_made_of_one_that_failed_to_load_costs_its_trials_alone(installed, plugin_file):
    installed(gb_broken="raise RuntimeError('at import')")
    with pytest.warns(UserWarning, match="at import"):
        registry = load_registry(plugin_file(WRAPPER))
    ref = ganbench.ComponentRef("around", {"of": "lost"})
    assert registry.check("discriminator", ref, "here").options == {"of": {"name": "lost"}}
    with pytest.raises(RequestError, match="no discriminator is called 'lost'"):
        registry.build("discriminator", ganbench.ComponentRef("lost"))


def test_a_built_in_keeps_its_name(installed):
    installed(gb_one=GOOD.replace('"mine"', '"hinge"'))
    with pytest.warns(UserWarning, match=r"a loss called 'hinge': 'ganbench.builtin' and 'gb_one'"):
        registry = load_registry()
    assert registry.find("loss", "hinge").origin.distribution == "ganbench"


def test_ganbench_plugins_chooses(installed, monkeypatch):
    installed(gb_one=GOOD, gb_two=GOOD.replace('"mine"', '"other"'))
    monkeypatch.setenv("GANBENCH_PLUGINS", "gb_two")
    names = [entry.name for entry in load_registry().entries("loss")]
    assert "other" in names and "mine" not in names
    plugins.load_plugins.cache_clear()
    monkeypatch.setenv("GANBENCH_PLUGINS", "")
    assert {entry.origin.distribution for entry in load_registry().entries("loss")} == {"ganbench"}
    plugins.load_plugins.cache_clear()
    monkeypatch.setenv("GANBENCH_PLUGINS", "gb_tow")
    with pytest.raises(RequestError, match=r"no plugin 'gb_tow' is installed; did you mean 'gb_two'\?"):
        load_registry()


def test_listeners_hear_events_and_one_that_raises_is_heard_no_more(installed):
    installed(
        gb_deaf="import ganbench\n@ganbench.hookimpl\ndef ganbench_event(event): raise OSError('disk full')\n",
        gb_ear="import ganbench\nheard = []\n@ganbench.hookimpl\ndef ganbench_event(event): heard.append(event)\n",
    )
    loaded = load_registry().plugins
    event = ganbench.RunStarted("s", 1, 0)
    with pytest.warns(UserWarning, match="plugin 'gb_deaf' is left out: OSError: disk full"):
        loaded.emit(event)
    loaded.emit(event)
    assert sys.modules["gb_ear"].heard == [event, event]


def test_a_local_file_is_a_plugin_whose_contents_are_its_version(plugin_file):
    files = plugin_file(GOOD)
    entry = load_registry(files).find("loss", "mine")
    assert entry.origin.distribution == "ganbench_plugins.py" and len(entry.origin.version) == 12


def test_names_come_sorted_and_without_importing_torch_or_the_components():
    for kind in ("loss", "generator", "metric"):
        names = [entry.name for entry in load_registry().entries(kind)]
        assert names == sorted(names)


def names_in(folder: Path) -> dict[str, set[str]]:
    """The names that a distribution of ours offers, by kind, as its hooks are written."""
    found: dict[str, set[str]] = {}
    for function in ast.parse((folder / "__init__.py").read_text(encoding="utf-8")).body:
        if not isinstance(function, ast.FunctionDef) or function.name == "ganbench_event":
            continue
        kind = next(kind for kind, hook in HOOKS.items() if hook == function.name)
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and node.args]
        names = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
        found[kind] = names if kind != "suite" else {file.stem for file in folder.rglob("*.toml")}
    return {kind: names for kind, names in found.items() if names}


def test_a_name_of_a_distribution_that_is_not_installed_says_what_to_install(registry, monkeypatch):
    for distribution, names in plugins.SEPARATE.items():
        folder = ROOT / "plugins" / distribution / distribution.replace("-", "_")
        assert names_in(folder) == {kind: set(listed.split()) for kind, listed in names.items()}
    monkeypatch.delitem(registry._entries["executor"], "ray", raising=False)
    with pytest.raises(RequestError) as raised:
        registry.find("executor", "ray")
    assert str(raised.value) == (
        "no executor is called 'ray'; it comes with ganbench-ray, which is not installed here: "
        "'pip install ganbench-ray' does that"
    )
