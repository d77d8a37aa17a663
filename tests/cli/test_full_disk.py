"""A disk that does not take a result costs one line; what was stored before is kept, and the same command goes on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    before = {path: path.read_bytes() for path in (tmp_path / "out" / "report").iterdir()}
    with files_of_at_most(100):
        said = say_here("report", "out", "--format", "csv", "--format", "markdown")
    assert said.code == 1 and said.err.splitlines()[1:] == [
        "ganbench: reports 'csv', 'markdown' failed: out/report: File too large; make room there, then 'ganbench report' "
        "writes what is missing"
    ]
    assert {path: path.read_bytes() for path in (tmp_path / "out" / "report").iterdir()} == before


def test_a_report_folder_that_finds_no_room_costs_no_result(say_here, tmp_path, monkeypatch):
    (tmp_path / "full.toml").write_text(SUITE)
    line = ["run", "full.toml", "--output", "out", "--executor", "inline", "--only", "method=small"]
    mkdir = Path.mkdir

    def fail(path, *rest, **more):
        if path.name == "report":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        mkdir(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", fail)
        said = say_here(*line)
        again = say_here("report", "out")
    assert said.code == 1 and "energy-distance" in said.out, "the comparison is shown all the same"
    (last,) = [text for text in said.err.splitlines() if "failed:" in text]
    assert "out/report: No space left on device; make room there" in last and last.count("failed:") == 1
    assert again.code == 1 and "ganbench: reports cannot be written: out/report: No space left" in again.err
    (tmp_path / "elsewhere").write_text("a file")
    said = say_here("report", "out", "--output", "elsewhere")
    assert said.code == 2 and "ganbench: reports cannot be written: elsewhere: a file is in its place; " in said.err
    assert say_here("report", "out").code == 0


def stored_bits(folder: Path) -> dict[str, bytes]:
    """What is stored of trials, but for what says how long it took."""
    files = (path for path in folder.glob("trials/**/*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name not in ("result.json", "scores.csv")
    }


def test_a_run_on_a_disk_that_is_full_anywhere_goes_on_once_there_is_room(say_here, tmp_path, small_disk, monkeypatch):
    """At the lease, a checkpoint, the first result, the second, the reports: by the size of a real disk."""
    monkeypatch.setenv("GANBENCH_CACHE", "")
    (tmp_path / "full.toml").write_text(SUITE.replace("width = 512", "width = 48") + "[checkpoints]\nsteps = 7\n")
    line = ["run", "full.toml", "--executor", "inline", "--output"]
    assert say_here(*line, "whole").code == 0
    whole = stored_bits(tmp_path / "whole")
    small_disk("4k")
    stages = set()
    for size in ("4k", "40k", "80k", "180k", "260k"):
        small_disk(size)
        said = say_here(*line, "disk/out")
        assert said.code == 1 and "Traceback" not in said.err, size
        last = said.err.splitlines()[-1]
        assert last.startswith("ganbench: ") and "No space left on device" in last and "make room there" in last.lower()
        stages.add(last.split()[2])
        stored = stored_bits(tmp_path / "disk" / "out")
        assert stored.items() <= whole.items(), f"of {size}, something half-written was taken for whole"
    assert len(stages) >= 3, stages
    small_disk("64m")
    assert say_here(*line, "disk/out").code == 0
    assert stored_bits(tmp_path / "disk" / "out") == whole


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


@pytest.mark.parametrize("command", ["list", "plugins"])
def test_what_is_printed_onto_a_full_disk_is_one_line_too(tmp_path, command):
    said = subprocess.run(
        f"{sys.executable} -m ganbench {command} > /dev/full", shell=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert said.returncode == 1, said
    (line,) = said.stderr.splitlines()
    assert "No space left on device; make room and try again" in line
