"""The built-in plugin names its components without importing what they need."""

import importlib
import subprocess
import sys

import pytest

import ganbench
from ganbench import builtin

HOOKS = sorted(name for name in vars(builtin) if name.startswith("ganbench_"))
COUNTS = {
    "ganbench_generators": 7,
    "ganbench_discriminators": 12,
    "ganbench_losses": 10,
    "ganbench_regularizers": 14,
    "ganbench_terms": 8,
    "ganbench_augmentations": 2,
    "ganbench_updates": 5,
    "ganbench_optimizers": 4,
    "ganbench_datasets": 6,
    "ganbench_features": 16,
    "ganbench_metrics": 26,
    "ganbench_diagnoses": 8,
    "ganbench_reports": 5,
    "ganbench_executors": 3,
    "ganbench_suites": 3,
}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_component_can_be_imported(hook):
    components = list(getattr(builtin, hook)())
    assert len(components) == COUNTS[hook]
    for component in components:
        if isinstance(component.build, str):
            module, _, name = component.build.partition(":")
            assert callable(getattr(importlib.import_module(module), name))
        else:
            assert component.build().is_file()


def test_naming_the_components_imports_nothing_heavy():
    code = (
        "import sys; from ganbench import builtin;"
        "[list(hook()) for name, hook in vars(builtin).items() if name.startswith('ganbench_')];"
        "sys.exit(' '.join({'torch', 'numpy', 'matplotlib', 'pandas', 'jinja2', 'PIL'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_files_are_written_whole_for_plugins_too(tmp_path):
    plain = tmp_path / "plain.txt"
    plain.write_text("")
    path = ganbench.write_atomically(tmp_path / "new folder" / "table.csv", "a\udcff,ü\n")
    assert path.read_bytes() == b"a\\udcff,\xc3\xbc\n"
    assert [file.name for file in path.parent.iterdir()] == ["table.csv"]
    assert ganbench.write_atomically(path, b"\xff") == path and path.read_bytes() == b"\xff"
    assert path.stat().st_mode == plain.stat().st_mode, "as readable as any other file"
