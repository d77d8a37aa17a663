"""The suites expand into the trials of the paper's protocols."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import ganbench_pacgan
import pytest

SUITES = Path(ganbench_pacgan.__file__).parent / "suites"


def ganbench(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ganbench", *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )


def batch_and_degree(method: dict) -> tuple[int, int]:
    d = method["discriminator"]
    return method["batch_size"], 1 if isinstance(d, str) else d.get("degree", 1)


def table(suite: str) -> dict:
    return tomllib.loads((SUITES / f"{suite}.toml").read_text())


def test_the_ring_is_four_methods_ten_seeds_and_400_epochs(tmp_path):
    done = ganbench("run", "--suite", "pacgan-ring", "--dry-run", folder=tmp_path)
    trials = re.findall(r"to do +ring-(\w+)-\d-\w+ +400000 steps", done.stdout)
    assert sorted(trials) == sorted(["gan", "pacgan2", "pacgan3", "pacgan4"] * 10), done.stderr


def test_the_grid_is_the_ring_on_other_data():
    different = ("summary", "datasets")
    ring, grid = ({k: v for k, v in table(s).items() if k not in different} for s in ("pacgan-ring", "pacgan-grid"))
    assert ring == grid


def test_the_short_ring_takes_a_hundredth_of_the_steps():
    full, short = table("pacgan-ring"), table("pacgan-ring-short")
    assert short["training"]["steps"] * 100 == full["training"]["steps"]
    assert short["methods"].keys() == {"gan", "pacgan2", "pacgan4"}


def test_the_stacked_protocol_is_four_dcgans_ten_seeds_and_50_epochs(tmp_path):
    # The digits that ganbench ships, and their metric, stand in for those of ganbench-vision, which need not be here.
    text = (SUITES / "pacgan-stacked.toml").read_text().replace("[datasets.stacked-mnist]", "[datasets.stacked-digits]")
    text = text.replace('"mnist-modes"', '"digit-modes"')
    (tmp_path / "stand-in.toml").write_text(text)
    done = ganbench("run", "--suite", "stand-in.toml", "--dry-run", folder=tmp_path)
    trials = re.findall(r"to do +stacked-digits-(\w+)-\d-\w+ +100000 steps", done.stdout)
    assert sorted(trials) == sorted(["dcgan", "pacdcgan2", "pacdcgan3", "pacdcgan4"] * 10), done.stderr


@pytest.mark.parametrize("file", sorted(SUITES.glob("*.toml")), ids=lambda file: file.stem)
def test_a_batch_is_as_many_packs_for_every_degree(file):
    methods = tomllib.loads(file.read_text())["methods"].values()
    packs = {size / degree for size, degree in map(batch_and_degree, methods)}
    assert packs == ({64} if "stacked" in file.stem else {100})


def test_a_misspelt_packed_discriminator_is_answered_with_the_nearest_name(tmp_path):
    text = (
        (SUITES / "pacgan-ring-short.toml")
        .read_text()
        .replace('discriminator = { name = "maxout"', 'discriminator = { name = "maxuot"', 3)
    )
    (tmp_path / "slip.toml").write_text(text)
    done = ganbench("run", "--suite", "slip.toml", "--dry-run", folder=tmp_path)
    assert done.returncode == 2
    assert "no discriminator is called 'maxuot'; did you mean 'maxout'?" in done.stderr
