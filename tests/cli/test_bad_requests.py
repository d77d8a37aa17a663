"""A wrong request: exit code 2, one first line that helps, nothing trained, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest


def files_in(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.parametrize(
    "arguments, line",
    [
        (["--suite", "basc"], "no suite is called 'basc'; did you mean 'basic'?"),
        (["--suite", "gone.toml"], "there is no suite file gone.toml"),
        (["--suite", "mine.toml", "--steps", "0"], "0 is not in the range x>=1"),
        (["--suite", "mine.toml", "--steps", "-3"], "-3 is not in the range x>=1"),
        (["--suite", "mine.toml", "--seeds", "1000000000"], "--seeds 1000000000: give a number from 1 to 10000"),
        (["--suite", "mine.toml", "--only", "methd=x"], "did you mean 'method'?"),
        (["--suite", "mine.toml", "--only", "method=x"], "no trial matches"),
        (["--suite", "mine.toml", "--executor", "proceses"], "did you mean 'processes'?"),
        (["--suite", "mine.toml", "--executor", "inline", "--workers", "2"], "unknown key 'workers'"),
        (["--suite", "mine.toml", "--device", "cuda"], "this machine has 0 CUDA devices"),
        (["--suite", "mine.toml", "--device", "gpu"], "give auto, cpu, cuda or cuda:N"),
        (["--suite", "mine.toml", "--output", "afile"], "output afile is a file"),
        (["--suite", "mine.toml", "--output", "afile/below"], "afile/below cannot be written"),
        (["--suite", "mine.toml", "--output", "others"], "output others is not empty and holds no run"),
        (["--suite", "mine.toml", "--output", "taken"], "belongs to suite 'other', not 'mine'"),
        (["--suit", "mine.toml"], "No such option"),
    ],
)
def test_what_is_wrong_with_a_run_is_said_before_anything_happens(
    ganbench, write_suite, tmp_path, monkeypatch, arguments, line
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    write_suite()
    (tmp_path / "afile").write_text("mine")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "thesis.tex").write_text("years of work")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "suite.json").write_text('{"suite": "other", "trials": []}')
    before = files_in(tmp_path)
    said = ganbench("run", *arguments)
    assert said.code == 2
    assert line in said.first_line
    assert said.first_line.startswith("ganbench: ")
    assert "Traceback" not in said.err
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    "replaced, line",
    [
        ({"seeds = 2": 'seeds = "five"'}, 'seeds = "five": expected'),
        ({"seeds = 2": "seedz = 2"}, "unknown key 'seedz'; did you mean 'seeds'?"),
        ({"steps = 40": "steps = 0"}, "steps = 0: expected int >= 1"),
        ({'"hinge"': '"hindge"'}, "no loss is called 'hindge'; did you mean 'hinge'?"),
        ({"sigma = 0.05": "sgma = 0.05"}, "unknown key 'sgma'; did you mean 'sigma'?"),
        ({"sigma = 0.05": "sigma = -1.0"}, "sigma = -1.0"),
        ({"metrics = [": "metrics = ["[:-1]}, "is not valid TOML"),
    ],
)
def test_what_is_wrong_with_a_suite_is_said_before_anything_happens(ganbench, write_suite, tmp_path, replaced, line):
    write_suite(**replaced)
    before = files_in(tmp_path)
    said = ganbench("run", "--suite", "mine.toml")
    assert said.code == 2
    assert line in said.first_line and "mine.toml" in said.first_line
    assert files_in(tmp_path) == before


def test_a_data_set_that_is_not_there_says_which_files_to_put_where(ganbench, write_suite, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench

class Gone:
    """Faces that nobody has downloaded."""
    def __init__(self, *, root: str = "/nowhere"):
        raise FileNotFoundError(f"put faces.zip into {root}")

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("faces", Gone)
''')
    write_suite(**{'name = "ring", sigma = 0.05, size = 5000, held_out = 1000': 'name = "faces"'})
    said = ganbench("run", "--suite", "mine.toml")
    assert said.code == 2
    assert "data set 'ring': put faces.zip into /nowhere" in said.first_line


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        ("fid", r"metric 'fid': inception-v3: its weights are not at "),
        ("kid", r"metric 'kid': inception-v3: its weights are not at "),
        ("cmmd", r"metric 'cmmd': clip-vit-l-14-336px: its weights are not at "),
        ("frechet-dinov2-vit-l-14", r"metric 'frechet-dinov2-vit-l-14': dinov2-vit-l-14: there is no "),
    ],
)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_features_whose_weights_are_not_there_say_so_before_anything_is_trained(
    ganbench, write_suite, tmp_path, monkeypatch, metric, line, more
):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    write_suite(
        **{
            "modes": metric,
            'name = "ring", sigma = 0.05, size = 5000, held_out = 1000': 'name = "digits"',
            "samples = 200": "samples = 1000",
        }
    )
    before = files_in(tmp_path)
    said = ganbench("run", "--suite", "mine.toml", *more)
    assert said.code == 2 and len(said.err.splitlines()) == 1 and not said.out
    assert f"mine.toml: {line}" in said.first_line and "download = true" in said.first_line
    assert files_in(tmp_path) == before


def test_two_plugins_with_one_name_for_a_component_are_refused_with_both_names(ganbench, write_suite, tmp_path):
    (tmp_path / "ganbench_plugins.py").write_text("""
import ganbench

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("hinge", "ganbench.builtin.losses:Hinge")
""")
    write_suite()
    said = ganbench("run", "--suite", "mine.toml")
    assert said.code == 2
    assert "two plugins offer a loss called 'hinge'" in said.first_line
    assert "ganbench.builtin" in said.first_line and "ganbench_plugins.py" in said.first_line


@pytest.mark.parametrize("command", ["report", "diagnose"])
def test_a_folder_that_holds_no_run_is_named(ganbench, tmp_path, command):
    said = ganbench(command, str(tmp_path))
    assert said.code == 2
    assert f"{tmp_path} holds no run: there is no suite.json in it" in said.first_line


def test_a_kind_or_a_command_that_is_none_is_answered_with_the_nearest(ganbench):
    said = ganbench("list", "losss")
    assert said.code == 2 and "did you mean 'loss'?" in said.first_line
    said = ganbench("rum")
    assert said.code == 2 and "No such command 'rum'" in said.first_line


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")],
)
def test_memory_that_does_not_suffice_is_one_line(ganbench, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("ganbench.evaluation.evaluate.evaluate", fail)
    said = ganbench("evaluate", "ring", "ring")
    assert said.code == 1 and said.err.startswith("ganbench: the memory does not suffice") and said.err.count("\n") == 1
