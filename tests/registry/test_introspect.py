"""What is read of built-ins from their source is what the imported components say."""

import inspect
import subprocess
import sys

import pytest

from ganbench.contract.hooks import HOOKS
from ganbench.registry import introspect
from ganbench.registry.plugins import BUILTINS
from ganbench.registry.registry import load_registry

BUILT_INS = [
    entry
    for kind in HOOKS
    for entry in load_registry().entries(kind)
    if entry.plugin in BUILTINS and isinstance(entry.component.build, str)
]


@pytest.mark.parametrize("entry", BUILT_INS, ids=lambda entry: f"{entry.kind}/{entry.name}")
def test_a_built_in_is_described_without_import_as_with_it(entry):
    path = entry.component.build
    assert introspect.summary_of(path) == entry.summary
    shown, real = introspect.options_of_source(path), entry.options
    assert list(shown) == list(real)
    for name, option in real.items():
        assert shown[name].default == option.default and shown[name].part == option.part
        assert option.part or inspect.formatannotation(shown[name].type) == inspect.formatannotation(option.type)


def test_source_that_is_not_there_is_not_guessed_at():
    with pytest.raises(introspect.Unreadable):
        introspect.summary_of("ganbench.builtin.losses:Nosuch")


def test_listing_the_built_ins_imports_no_torch():
    code = (
        "import sys; from ganbench.cli import cli\n"
        "cli.main(['list', '--json'], standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)"
    )
    environment = {"GANBENCH_PLUGINS": "", "PATH": "", "HOME": "/nonexistent"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.DEVNULL).returncode == 0
