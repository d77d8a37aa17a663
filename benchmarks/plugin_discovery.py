"""What `ganbench list` costs with many plugins installed, beside what it costs with none.

    python tests/benchmarks/plugin_discovery.py [--plugins 200] [--repeats 7]

Both are timed in turn, as whole processes; so is a process that only imports the plugins' modules, whose time is theirs
and not ours. Prints medians, and the ratio of the two lists with the import time taken off.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLUGIN = '''"""A plugin."""
import ganbench


class Made:
    """A loss that does nothing."""

    def __init__(self, *, scale: float = 1.0) -> None: ...


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("loss-{number}", Made)
'''


def install(site: Path, plugins: int) -> None:
    """Distributions as an installer leaves them."""
    for number in range(plugins):
        (site / f"plugin_{number}.py").write_text(PLUGIN.replace("{number}", str(number)))
        info = site / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ganbench]\nplugin_{number} = plugin_{number}\n")


def seconds(arguments: list[str], site: str) -> float:
    """The time of a whole process."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": site}
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plugins", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    listing = ["-m", "ganbench", "list", "--json"]
    imports = "import ganbench\n" + "\n".join(f"import plugin_{n}" for n in range(asked.plugins))
    with tempfile.TemporaryDirectory() as site:
        install(Path(site), asked.plugins)
        jobs = {
            "none": (listing, ""),
            "many": (listing, site),
            "imports": (["-c", imports], site),
            "no imports": (["-c", "import ganbench"], site),
        }
        times: dict[str, list[float]] = {name: [] for name in jobs}
        for repeat in range(asked.repeats + 1):
            for name, (arguments, path) in jobs.items():
                took = seconds(arguments, path)
                if repeat:  # the first fills the caches
                    times[name].append(took)
    none, many = statistics.median(times["none"]), statistics.median(times["many"])
    importing = statistics.median(times["imports"]) - statistics.median(times["no imports"])
    ratios = sorted((m - importing) / n for m, n in zip(times["many"], times["none"], strict=True))
    print(f"list with none {none:.2f} s, with {asked.plugins} {many:.2f} s, of which their import {importing:.2f} s")  # noqa: T201
    print(f"ratio without the import {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")  # noqa: T201


if __name__ == "__main__":
    main()
