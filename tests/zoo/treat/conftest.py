"""A small run of which half the trials break down, and `ganbench treat` called in a folder of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PLUGINS = '''
import math
import ganbench

CALM = 'optimizer = { name = "adam", lr = 1e-3 }, regularizers = ["r1"]'
WILD = 'optimizer = { name = "sgd", lr = 50.0, momentum = 0.9 }'

def finding(name, horizon, remedy):
    return ganbench.Finding(name, horizon, "failure", 0.9, 1, "said", {}, remedy)

def broken(history):
    return not math.isfinite(history.columns["loss_d"][-1])

class BrokenDown:
    """The numbers are no longer finite."""
    def diagnose(self, history):
        if broken(history):
            yield finding("broken-down", "now", CALM)

class FalseAlarm:
    """Says of every run that is well that it will not stay so."""
    def diagnose(self, history):
        if not broken(history):
            yield finding("false-alarm", "end", WILD)

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("broken-down", BrokenDown)
    yield ganbench.Component("false-alarm", FalseAlarm)
'''

SUITE = """
name = "small"
metrics = ["modes"]
seeds = 2
diagnoses = ["broken-down", "false-alarm"]
[datasets.ring]
dataset = { name = "ring", sigma = 0.05, size = 1000, held_out = 500 }
[training]
steps = 20
batch_size = 16
[evaluation]
at = [1.0]
samples = 100
[methods.wild]
loss = "least-squares"
generator = { name = "mlp", width = 8 }
discriminator = { name = "mlp", width = 8 }
optimizer = { name = "sgd", lr = 50.0, momentum = 0.9 }
[methods.calm]
loss = "hinge"
generator = { name = "mlp", width = 8 }
discriminator = { name = "mlp", width = 8 }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, exit_code) -> Path:
    """The folder of the run, `out`, beside its suite and its plugins."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "ganbench_plugins.py").write_text(PLUGINS)
    (folder / "mine.toml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert exit_code(patch, "run", "--suite", "mine.toml", "--output", "out", "--executor", "inline") == 0
    return folder


@pytest.fixture
def run(made, tmp_path) -> Path:
    """A copy of the run, and of its plugins beside it, that a test may do with as it likes."""
    shutil.copy(made / "ganbench_plugins.py", tmp_path)
    return Path(shutil.copytree(made / "out", tmp_path / "run"))


@pytest.fixture
def treat(say_here) -> Callable[..., Any]:
    """Call `ganbench treat ARGUMENTS` in `tmp_path`, trials one after the other unless told otherwise."""
    return lambda *words: say_here("treat", *words, *([] if "--executor" in words else ["--executor", "inline"]))
