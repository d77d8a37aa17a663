"""A disk that does not take a result costs one line; what was stored before is kept, and the same command goes on."""

from __future__ import annotations

import sys

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the size of files")
def test_a_result_that_cannot_be_stored_is_one_line_and_the_others_are_kept(say_here, tmp_path):
    import resource

    (tmp_path / "full.toml").write_text(SUITE)
    line = ["run", "full.toml", "--output", "out", "--executor", "inline"]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # which the weights of the wide networks exceed
    try:
        said = say_here(*line)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.code == 1 and "Traceback" not in said.err
    last = said.err.splitlines()[-1]
    assert "ring-wide-0" in last and "cannot be stored in out" in last and "the same command does the rest" in last
    assert [path.name[:10] for path in (tmp_path / "out" / "trials").iterdir()] == ["ring-small"]
    assert say_here(*line).code == 0
    assert len(list((tmp_path / "out" / "trials").iterdir())) == 2
