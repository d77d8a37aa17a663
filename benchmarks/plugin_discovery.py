"""Time `ganbench list` with many plugins installed, against none.

    python benchmarks/plugin_discovery.py [--plugins 200] [--repeats 7]

Both are timed in alternation as whole processes, together with a process that only imports the plugins' modules: that
time is the plugins' own, and is subtracted. Prints median wall-clock seconds and the ratio of the two lists.
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


class Nothing:
    """A loss that does nothing."""

    def __init__(self, *, scale: float = 1.0) -> None: ...


@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("loss-{number}", Nothing)
'''


def install(site: Path, plugins: int) -> None:
    """Write `plugins` distributions into `site`, as an installer leaves them."""
    for number in range(plugins):
        (site / f"plugin_{number}.py").write_text(PLUGIN.replace("{number}", str(number)))
        info = site / f"plugin_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[ganbench]\nplugin_{number} = plugin_{number}\n")


def time_process(arguments: list[str], site: str) -> float:
    """Return the wall-clock seconds of `python ARGUMENTS` with `site` on its path."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": site}
    subprocess.run([sys.executable, *arguments], env=environment, check=True, capture_output=True)
    return time.perf_counter() - began


def time_lists(plugins: int, repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each process at each repeat: lists with none and many plugins, and what imports cost."""
    listing = ["-m", "ganbench", "list", "--json"]
    imports = "import ganbench\n" + "\n".join(f"import plugin_{number}" for number in range(plugins))
    with tempfile.TemporaryDirectory() as site:
        install(Path(site), plugins)
        processes = {
            "none": (listing, ""),
            "many": (listing, site),
            "imports": (["-c", imports], site),
            "no imports": (["-c", "import ganbench"], site),
        }
        times: dict[str, list[float]] = {name: [] for name in processes}
        for repeat in range(repeats + 1):
            for name, (arguments, path) in processes.items():
                seconds = time_process(arguments, path)
                if repeat:  # the first one fills the caches
                    times[name].append(seconds)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description="Time `ganbench list` with many plugins installed, against none.")
    parser.add_argument("--plugins", type=int, default=200, help="how many plugins to install [%(default)s]")
    parser.add_argument("--repeats", type=int, default=7, help="how often to time each process [%(default)s]")
    arguments = parser.parse_args()
    times = time_lists(arguments.plugins, arguments.repeats)
    none, many = statistics.median(times["none"]), statistics.median(times["many"])
    importing = statistics.median(times["imports"]) - statistics.median(times["no imports"])
    ratios = sorted((m - importing) / n for m, n in zip(times["many"], times["none"], strict=True))
    print(  # noqa: T201
        f"list with none {none:.2f} s, with {arguments.plugins} {many:.2f} s, of which {importing:.2f} s importing them"
    )
    print(f"ratio without the import {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")  # noqa: T201


if __name__ == "__main__":
    main()
