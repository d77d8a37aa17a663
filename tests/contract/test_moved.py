"""Old import paths and names work for one release, each with one warning that names the new one."""

import importlib
import subprocess
import sys
import warnings

import pytest

import ganbench
from ganbench.contract import moved


@pytest.mark.parametrize("old", moved.MODULES)
def test_an_old_module_is_the_new_one_and_warns(old):
    sys.modules.pop(old, None)
    with pytest.warns(FutureWarning, match=f"{old} is now {moved.MODULES[old]}"):
        module = importlib.import_module(old)
    for name in moved.NAMES.get(old, {}):
        assert getattr(module, name) is getattr(importlib.import_module(moved.MODULES[old]), moved.NAMES[old][name])


def test_an_old_module_warns_once():
    sys.modules.pop("ganbench.records", None)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        importlib.import_module("ganbench.records")
        importlib.import_module("ganbench.records")
    assert len(seen) == 1


def test_an_old_public_name_is_the_new_one_and_warns():
    with pytest.warns(FutureWarning, match=r"ganbench\.Judge is now ganbench\.DiscriminatorFn"):
        assert ganbench.Judge is ganbench.DiscriminatorFn


def test_a_module_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("ganbench.nosuch")


def test_a_plugin_of_old_import_paths_is_loaded_and_checked(tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text(
        "import ganbench\n"
        "from ganbench.records import Batch\n"
        "class Mine:\n"
        "    '''A loss.'''\n"
        "    def discriminator(self, d: ganbench.Judge, real: Batch, fake: Batch):\n"
        "        return (d(fake) - d(real)).mean()\n"
        "    def generator(self, d: ganbench.Judge, real: Batch, fake: Batch):\n"
        "        return -d(fake).mean()\n"
        "@ganbench.hookimpl\n"
        "def ganbench_losses():\n"
        "    yield ganbench.Component('mine', Mine)\n"
    )
    made = subprocess.run(
        [sys.executable, "-m", "ganbench", "check", "ganbench_plugins.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stderr.count("ganbench.records is now ganbench.contract.records") == 1
