"""The examples run, with fewer steps, and so does the code of docs/monitor.md."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["plain_pytorch", "fabric_loop"])
def test_an_example_runs_to_its_end(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, "--steps", "20"])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert "20 steps" in capsys.readouterr().out


def test_the_code_of_the_docs_runs(capsys):
    namespace: dict[str, object] = {}
    for code in re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "monitor.md").read_text(), re.M | re.S):
        exec(code, namespace)
    assert namespace["monitor"].muted is None
