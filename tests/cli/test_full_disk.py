"""A disk that does not take a result costs one line; what was stored before is kept, and the same command goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SUITE = """
metrics = ["energy-distance"]
seeds = 1
datasets = ["ring"]
[training]
steps = 20
batch_size = 16
[evaluation]
samples = 100
[methods.small]
loss = "hinge"
generator = { name = "mlp", width = 8 }
discriminator = { name = "mlp", width = 8 }
[methods.wide]
loss = "hinge"
generator = { name = "mlp", width = 512 }
discriminator = { name = "mlp", width = 512 }
"""


pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the size of files")


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_result_that_cannot_be_stored_is_one_line_and_the_others_are_kept(say_here, tmp_path):
    (tmp_path / "full.toml").write_text(SUITE)
    line = ["run", "full.toml", "--output", "out", "--executor", "inline"]
    with files_of_at_most(200_000):  # which the weights of the wide networks exceed
        said = say_here(*line)
    assert said.code == 1 and "Traceback" not in said.err
    last = said.err.splitlines()[-1]
    assert "ring-wide-0" in last and "cannot be stored in out" in last and "the same command does the rest" in last
    assert [path.name[:10] for path in (tmp_path / "out" / "trials").iterdir()] == ["ring-small"]
    assert say_here(*line).code == 0
    assert len(list((tmp_path / "out" / "trials").iterdir())) == 2


def test_a_run_that_cannot_write_its_first_file_is_one_line(say_here, tmp_path):
    (tmp_path / "full.toml").write_text(SUITE)
    line = ["run", "full.toml", "--output", "out", "--executor", "inline", "--only", "method=small"]
    with files_of_at_most(100):
        said = say_here(*line)
    assert said.code == 1 and "Traceback" not in said.err
    assert "the run cannot be stored in out" in said.err.splitlines()[-1]
    assert say_here(*line).code == 0
    with files_of_at_most(100):
        said = say_here("report", "out", "--format", "csv")
    assert said.code == 1 and "report 'csv' failed" in said.err and "Traceback" not in said.err


@pytest.mark.parametrize("command", ["score", "new-plugin"])
def test_other_commands_say_in_one_line_what_they_could_not_write(say_here, monkeypatch, command):
    """Whatever a command writes: it ends in the place that all of them share."""
    from importlib import import_module

    from ganbench.cli import cli

    def fail(*_, **__):
        raise OSError(28, "No space left on device", "there/score.csv")

    monkeypatch.setattr(import_module(f"ganbench.cli.{command.replace('-', '_')}").command, "callback", fail)
    monkeypatch.setattr(cli.get_command(None, command), "params", [])
    said = say_here(command)
    assert (said.code, said.err) == (
        1,
        "ganbench: there/score.csv cannot be written: No space left on device; make room and try again\n",
    )
