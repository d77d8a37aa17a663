"""The components are found and train in suites, with labels and without."""

import csv
import json
import runpy
import tomllib

import ganbench_sngan
import pytest

STRIPES = '''
import torch
import ganbench

class Stripes(ganbench.Dataset):
    """Noisy stripes of 32x32 pixels: a class for each direction."""

    spec = ganbench.DataSpec("images", (1, 32, 32), value_range=(-1.0, 1.0), classes=2)

    def training(self):
        return self._draw(200, seed=1)

    def held_out(self):
        return self._draw(100, seed=2)

    def _draw(self, n, seed):
        stream = torch.Generator().manual_seed(seed)
        labels = torch.randint(2, (n,), generator=stream)
        across = torch.sin(torch.arange(32) / 2).expand(1, 32, 32)
        x = torch.where(labels[:, None, None, None] == 1, across, across.mT)
        return ganbench.Batch((x + 0.1 * torch.randn(x.shape, generator=stream)).clamp(-1, 1), labels)

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("stripes", Stripes)
'''

SUITE = """
seeds = 1
metrics = ["sliced-wasserstein"]
diagnoses = []
reports = ["csv"]
datasets = ["ring", "stripes"]
executor = "inline"
[training]
steps = 20
batch_size = 4
d_steps = 2
lr_decay = "linear"
observations = 3
optimizer = { name = "adam", lr = 2e-4, betas = [0.0, 0.9] }
[evaluation]
at = [1.0]
samples = 50
[methods.plain]
loss = "hinge"
generator = { name = "sngan", width = 8 }
discriminator = { name = "sngan", width = 8 }
[methods.conditional]
loss = "hinge"
generator = { name = "sngan", width = 8, conditional = true }
discriminator = { name = "sngan", width = 8, conditional = true }
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call `ganbench run ARGUMENTS` in a folder with the data set `stripes`; return its exit code and its output."""

    def call(*arguments: str, plugin: str = STRIPES) -> tuple[int, str]:
        (tmp_path / "ganbench_plugins.py").write_text(plugin)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["ganbench", "run", *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_module("ganbench", run_name="__main__")
        return int(end.value.code or 0), capsys.readouterr().out

    return call


def test_they_train_on_images_and_are_skipped_on_points(run, tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE)
    code, said = run("--suite", "mine.toml", "--output", "out")
    assert code == 0, said
    with (tmp_path / "out/report/trials.csv").open(encoding="utf-8") as file:
        rows = {(row["dataset"], row["method"]): row for row in csv.DictReader(file)}
    for method in ("plain", "conditional"):
        assert (rows["stripes", method]["status"], rows["stripes", method]["steps"]) == ("done", "20")
        assert rows["ring", method]["status"] == "skipped"
        assert "SNGAN needs images" in rows["ring", method]["reason"]
    folder = tmp_path / "out/trials" / rows["stripes", "conditional"]["trial"]
    assert json.loads((folder / "result.json").read_text())["origins"]["generator sngan"] == "ganbench-sngan 0.1.0"


def test_the_suite_expands_without_its_data(run, monkeypatch):
    monkeypatch.setenv("GANBENCH_PLUGINS", "sngan")  # the real data set must be neither needed nor in the way
    code, said = run("--suite", "sngan-cifar", "--dry-run", plugin=STRIPES.replace('"stripes"', '"cifar-10"'))
    assert code == 0, said
    assert said.splitlines()[-1].startswith("6 trials to do")
    assert said.count("100000 steps") == 6


def test_the_suite_is_mimicrys_protocol():
    (component,) = ganbench_sngan.ganbench_suites()
    table = tomllib.loads(component.build().read_text(encoding="utf-8"))
    assert table["training"] == {
        "steps": 100_000,
        "batch_size": 64,
        "d_steps": 5,
        "lr_decay": "linear",
        "optimizer": {"name": "adam", "lr": 2e-4, "betas": [0.0, 0.9]},
    }
    assert {method["loss"] for method in table["methods"].values()} == {"hinge"}
