"""Whether ganbench works on a GPU, and how fast: one command of at most eight minutes, from a bare checkout.

    python benchmarks/accelerator.py [--output DIR] [--device auto|cpu|cuda] [--minutes 7.5]

It runs the tests marked `cuda`, a short trial of every shipped component and of each suite kind, a few training steps
against the same steps on the CPU, our training step against a bare PyTorch loop side by side, captured steps against those
that are taken, seeds side by side against one, a step of every network from a paper at its published size, and counts peak
memory and host-device synchronizations. A part that fails is a line of the result and ends nothing else. Without a GPU the same
paths are tried with fake `cuda` tensors (`tests/device/fake_cuda.py`), which find mixtures of devices and
synchronizations, and measure neither speed nor memory.

Written are `accelerator.md`, a table, and `accelerator.json`. Exit code 0: nothing failed; 1: something did; 2: a package
is missing, or the request is wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {  # as they are imported, and as pip installs them
    **{name: name for name in ("click", "filelock", "jinja2", "matplotlib", "msgspec", "numpy", "pandas", "pluggy")},
    **{name: name for name in ("pyarrow", "pytest", "rich", "safetensors", "scipy", "torch")},
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "torch_fidelity": "torch-fidelity",
}
BLOCK_STEPS, ROUNDS = 100, 7  # of the step ratio: steps between two synchronizations, and pairs of blocks
NETWORK_STEPS, NETWORK_SECONDS = (
    10,
    4.0,
)  # of a network from a paper: steps of a block, and how long blocks are repeated
CAPTURED_SETTINGS: dict[str, dict[str, Any]] = {
    "float32": {},
    "tf32": {"precision": "tf32", "channels_last": True},
    "bf16": {"precision": "bf16", "channels_last": True},
}
CAPTURED_SECONDS = 3.0  # that blocks of steps are repeated, taken and captured each
WARM_UP_STEPS = 40  # in which steps are captured
SEEDS, SEED_STEPS = 50, 3000  # of the ring, side by side
PROTOCOL_SEEDS = 10  # of PacGAN's ring
NETWORK_SETTINGS = {
    "tf32": {"precision": "tf32", "channels_last": True},
    "bf16": {"precision": "bf16", "channels_last": True},
}
MAX_OVERTIME_SECONDS = 20  # past the last deadline: a part that hangs longer ends the program


@dataclass
class Report:
    """What was found: figures by name, and a line for each failure."""

    device: str
    versions: dict[str, str]
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    running: str = field(default="", init=False, repr=False)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Note an exception of a part as a failure, and continue."""
        try:
            yield
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            message = " ".join(str(error).split())[:300]
            self.failures.append(
                f"{name}: {type(error).__name__}: {message} ({Path(place.filename).name}:{place.lineno})"
            )


def main() -> int:
    """Run all parts and write the table; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "reference" / "accelerator", metavar="DIR")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="cpu: fake cuda tensors")
    parser.add_argument("--minutes", type=float, default=7.5, help="when to stop beginning new parts")
    request = parser.parse_args()
    if missing := [pip for name, pip in PACKAGES.items() if importlib.util.find_spec(name) is None]:
        print(f"accelerator.py: packages are missing: python -m pip install {' '.join(missing)}", file=sys.stderr)
        return 2
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import torch

    if request.device == "cuda" and not torch.cuda.is_available():
        print("accelerator.py: --device cuda: this machine has no CUDA device; give --device cpu", file=sys.stderr)
        return 2
    real = torch.cuda.is_available() and request.device != "cpu"
    began = time.monotonic()
    report = Report(torch.cuda.get_device_name() if real else "fake cuda", versions())
    budget = 60 * request.minutes
    request.output.mkdir(parents=True, exist_ok=True)

    def write() -> None:
        report.seconds = round(time.monotonic() - began, 1)
        text, figures = table(report), json.dumps(figures_of(report), indent=1) + "\n"
        (request.output / "accelerator.md").write_text(text, encoding="utf-8")
        (request.output / "accelerator.json").write_text(figures, encoding="utf-8")
        print(text, flush=True)

    def give_up() -> None:
        report.failures.append(f"{report.running}: hangs; the parts after it were not tried")
        write()
        os._exit(1)

    watchdog = threading.Timer(budget + MAX_OVERTIME_SECONDS, give_up)
    watchdog.daemon = True
    watchdog.start()
    for name, run, share in (  # the share of the budget after which a part has to be over; what it leaves is the next's
        ("step ratio", measure_steps, 0.1),
        ("captured steps", measure_captured_steps, 0.22),
        ("seeds side by side", measure_seeds_side_by_side, 0.34),
        ("PacGAN's ring", measure_protocol, 0.42),
        ("networks", measure_networks, 0.54),
        ("trials", run_trials, 0.7),
        ("synchronizations", count_synchronizations, 0.76),
        ("agreement", compare_with_cpu, 0.86),
        ("tests", run_tests, 1.0),
    ):
        report.running = name
        with report.part(name):
            run(report, real, began + share * budget)
    watchdog.cancel()
    write()
    return 1 if report.failures else 0


def figures_of(report: Report) -> dict[str, Any]:
    """Return a report as JSON holds it."""
    return {name: value for name, value in asdict(report).items() if name != "running"}


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    import torch

    import ganbench

    return {
        "ganbench": ganbench.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "cuda": str(torch.version.cuda),
        "platform": platform.platform(),
    }


def on_device(real: bool) -> AbstractContextManager[Any]:
    """Return a context in which the device "cuda" is there: the real one, or a fake one."""
    if real:
        return nullcontext()
    from device.fake_cuda import fake_cuda

    return fake_cuda()


def run_trials(report: Report, real: bool, deadline: float) -> None:
    """Run a short trial of every shipped component, and one of each suite kind with all metrics and diagnoses."""
    from device.shipped import evaluated_trials, trials

    import ganbench

    done = 0
    for name, trial in {
        **{f"suite of {kind}": trial for kind, trial in evaluated_trials().items()},
        **trials(),
    }.items():
        if time.monotonic() > deadline:
            report.left_out.append(f"trial {name}: no time left")
            continue
        with on_device(real):
            result = ganbench.run_trial(replace(trial, device="cuda"), threads=1)
        if result.status == "done":
            done += 1
        else:
            report.failures.append(f"trial {name}: {result.status}: {result.reason}")
    report.figures["trials"] = {"done": done}


def compare_with_cpu(report: Report, real: bool, deadline: float) -> None:
    """Train a few steps on both devices from the same weights and random numbers, in float32 without TF32."""
    from device.agreement import LOSS_TOLERANCE, STEPS, WEIGHT_TOLERANCE, differences
    from device.shipped import trials

    found: dict[str, dict[str, float]] = {}
    for name, trial in trials().items():
        if time.monotonic() > deadline:
            report.left_out.append(f"agreement of {name}: no time left")
            continue
        with report.part(f"agreement of {name}"), on_device(real):
            found[name] = differences(trial, "cuda")
            if found[name]["losses"] > LOSS_TOLERANCE or found[name]["weights"] > WEIGHT_TOLERANCE:
                report.failures.append(f"agreement of {name}: relative differences {found[name]}")
    largest = {what: max((one[what] for one in found.values()), default=0.0) for what in ("losses", "weights")}
    report.figures["agreement"] = {"steps": STEPS, "trials": len(found), "largest relative difference": largest}


def count_synchronizations(report: Report, real: bool, deadline: float) -> None:
    """Count how often a training step makes the host wait for the device; it never should."""
    import torch
    from device.shipped import build, trials

    total: dict[str, int] = {}
    for name, trial in trials().items():
        if time.monotonic() > deadline:
            report.left_out.append(f"synchronizations of {name}: no time left")
            continue
        with report.part(f"synchronizations of {name}"), on_device(real) as fake:
            gan = build(trial, "cuda").gan
            gan.warm_up()
            gan.step()
            if real:
                total[name] = _count_warnings(torch, gan.step)
            else:
                fake.syncs.clear()
                gan.step()
                total[name] = len(fake.syncs)
            if total[name]:
                report.failures.append(f"{name}: a step waits {total[name]} times for the device")
    report.figures["synchronizations per step"] = {"trials": len(total), "most": max(total.values(), default=0)}


def _count_warnings(torch: Any, step: Callable[[], object]) -> int:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in seen)


def measure_steps(report: Report, real: bool, deadline: float) -> None:
    """Measure our step against a bare loop's, block by block in turn, and the peak memory of both."""
    if not real:
        report.left_out.append("step ratio and peak memory: a fake device has neither speed nor memory")
        return
    import torch

    figures: dict[str, Any] = {}
    for name, spec, batch_size, network in (
        ("ring, mlp, batch 256", ("points", (2,), None), 256, "mlp"),
        ("32 pixels, conv, batch 64", ("images", (3, 32, 32), (-1.0, 1.0)), 64, "conv"),
    ):
        if time.monotonic() > deadline:
            report.left_out.append(f"step ratio of {name}: no time left")
            continue
        with report.part(f"step ratio of {name}"):
            steps, peaks = {}, {}
            for who, make in (("ours", our_step), ("bare", bare_step)):
                held = torch.cuda.memory_allocated()  # by the contender before
                torch.cuda.reset_peak_memory_stats()
                step = steps[who] = make(spec, batch_size, network)
                _seconds(torch, step)  # warm-up
                peaks[who] = round((torch.cuda.max_memory_allocated() - held) / 2**20, 1)
            pairs = [(_seconds(torch, steps["ours"]), _seconds(torch, steps["bare"])) for _ in range(ROUNDS)]
            ratios = [ours / bare for ours, bare in pairs]
            figures[name] = {
                "bare ms per step": round(1e3 * statistics.median(bare for _, bare in pairs) / BLOCK_STEPS, 4),
                "ratio": round(statistics.median(ratios), 3),
                "ratio range": [round(min(ratios), 3), round(max(ratios), 3)],
                "peak MiB": peaks,
            }
    report.figures["step ratio"] = figures


def measure_networks(report: Report, real: bool, deadline: float) -> None:
    """Measure a training step of every network from a paper: milliseconds, samples a second, and peak memory.

    A step is what its authors do with one batch: as many updates of D as they make, and one of G. On a fake device the same
    steps are made small, to see that they work.
    """
    import torch
    from device.published import RECIPES, build_game

    figures: dict[str, Any] = {}
    for name, recipe in RECIPES.items():
        for settings, given in NETWORK_SETTINGS.items() if real else {"small": {}}.items():
            part = f"{name}, {settings}"
            if time.monotonic() > deadline:
                report.left_out.append(f"step of {part}: no time left")
                continue
            with report.part(f"step of {part}"), on_device(real):
                try:
                    game = build_game(name, "cuda", small=not real, **given)
                except FileNotFoundError as error:
                    report.left_out.append(f"step of {part}: {error}")
                    continue
                game.step()
                if not real:
                    continue
                _seconds(torch, game.step, 2)  # lets libraries choose their kernels
                torch.cuda.reset_peak_memory_stats()
                seconds: list[float] = []
                began = time.monotonic()
                while not seconds or time.monotonic() < min(began + NETWORK_SECONDS, deadline):
                    seconds.append(_seconds(torch, game.step, NETWORK_STEPS) / NETWORK_STEPS)
                step = statistics.median(seconds)
                figures[part] = {
                    "ms per step": round(1e3 * step, 2),
                    "updates of D": recipe.d_steps,
                    "real samples per second": round(recipe.d_steps * recipe.batch_size / step),
                    "peak MiB": round(torch.cuda.max_memory_allocated() / 2**20),
                }
    report.figures["networks"] = figures if real else {"small steps": len(RECIPES)}


def measure_captured_steps(report: Report, real: bool, deadline: float) -> None:
    """Measure steps launched as graphs against the same steps taken one operation after the other."""
    if not real:
        report.left_out.append("captured steps: a fake device records no graphs")
        return
    import torch
    from device.published import build_game

    from ganbench.training.capture import StepCapture
    from ganbench.training.cuda_graphs import CudaGraphs
    from ganbench.training.seeding import deterministic

    ring, pictures = ("points", (2,), None), ("images", (3, 32, 32), (-1.0, 1.0))
    games: dict[str, Callable[[], Any]] = {
        "ring, mlp, batch 256": lambda: our_game(ring, 256, "mlp"),
        "32 pixels, conv, batch 64": lambda: our_game(pictures, 64, "conv"),
    }
    for settings, given in CAPTURED_SETTINGS.items():
        games[f"SNGAN of CIFAR-10, {settings}"] = partial(build_game, "sngan", "cuda", **given)
    figures: dict[str, Any] = {}
    for name, make in games.items():
        if time.monotonic() > deadline:
            report.left_out.append(f"captured steps of {name}: no time left")
            continue
        # As trials run: steps that differ in their last bits from one time to the next are never captured.
        with report.part(f"captured steps of {name}"), deterministic(torch.device("cuda"), threads=1):
            game = make()
            taken = _median_step(torch, game.step, deadline)
            captured = StepCapture(game, CudaGraphs(torch.device("cuda")))
            for _ in range(WARM_UP_STEPS):
                captured.step()
            if captured.summary != "yes":
                report.failures.append(f"captured steps of {name}: {captured.summary}")
                continue
            launched = _median_step(torch, captured.step, deadline)
            figures[name] = {
                "taken, ms per step": round(1e3 * taken, 4),
                "captured, ms per step": round(1e3 * launched, 4),
                "captured, steps per second": round(1 / launched, 1),
                "times as fast": round(taken / launched, 2),
            }
    report.figures["captured steps"] = figures


def measure_seeds_side_by_side(report: Report, real: bool, deadline: float) -> None:
    """Measure many seeds of the ring side by side, captured, against one that takes its steps as usual."""
    if not real:
        report.left_out.append("seeds side by side: a fake device has no streams")
        return
    import ganbench

    trials = ring_trials(SEEDS, SEED_STEPS)
    one = replace(trials[0], training=replace(trials[0].training, capture="off"))
    ganbench.run_trial(
        replace(one, training=replace(one.training, steps=100)), threads=1
    )  # loads what torch loads late
    alone = ganbench.run_trial(one, threads=1)
    began = time.monotonic()
    notes: list[str] = []
    results = _run_together(trials, deadline, notes)
    seconds = time.monotonic() - began
    done = [result for result in results if result.status == "done"]
    report.failures += [
        f"seeds side by side: {r.trial.id}: {r.status}: {r.reason}" for r in results if r.status.is_fault
    ]
    if reasons := {r.captured for r in done if r.captured != "yes"}:
        report.failures.append(f"seeds side by side: not captured: {sorted(reasons)}")
    if len(done) < len(trials):
        report.left_out.append(f"seeds side by side: {len(done)} of {len(trials)} seeds were done in the time")
    report.figures["seeds side by side"] = {
        "planned": "; ".join(notes),
        "seeds done": len(done),
        "seconds": round(seconds, 1),
        "seconds of one, not captured": round(alone.seconds, 1),
        "times one's": round(seconds / alone.seconds, 2),
    }


def measure_protocol(report: Report, real: bool, deadline: float) -> None:
    """Run PacGAN's ring protocol, ten seeds of its GAN side by side, as far as the time carries."""
    if not real:
        report.left_out.append("PacGAN's ring: a fake device has no streams")
        return
    from ganbench.contract.errors import RequestError
    from ganbench.pipeline import Request, prepare

    with tempfile.TemporaryDirectory() as folder:
        try:
            request = Request(
                "pacgan-ring", output=Path(folder), seeds=PROTOCOL_SEEDS, only=("method=gan",), device="cuda"
            )
            trials = prepare(request).todo
        except RequestError as error:
            report.left_out.append(f"PacGAN's ring: {error}")
            return
    steps: dict[str, int] = {}
    began = time.monotonic()
    notes: list[str] = []
    results = _run_together(trials, deadline, notes, steps)
    seconds = time.monotonic() - began
    report.failures += [f"PacGAN's ring: {r.trial.id}: {r.status}: {r.reason}" for r in results if r.status.is_fault]
    per_second, whole = sum(steps.values()) / seconds, sum(trial.training.steps for trial in trials)
    report.figures["PacGAN's ring"] = {
        "planned": "; ".join(notes),
        "steps of all seeds per second": round(per_second, 1),
        "steps that were done": sum(steps.values()),
        "hours for ten seeds of one method": round(whole / max(per_second, 1e-9) / 3600, 2),
    }


def ring_trials(seeds: int, steps: int) -> list[Any]:
    """Return trials of a GAN on the ring that differ by seed alone."""
    from small_suites import suite_table, trials_of

    table = suite_table(
        datasets={"ring": {}},
        seeds=seeds,
        diagnoses=[],
        metrics=["energy-distance"],
        methods={"gan": {"loss": "non-saturating", "generator": "mlp", "discriminator": "mlp"}},
        training={"steps": steps, "batch_size": 256},
    )
    return [replace(trial, device="cuda", timeout=None) for trial in trials_of(table)]


def _run_together(
    trials: Sequence[Any], deadline: float, notes: list[str], steps: dict[str, int] | None = None
) -> list[Any]:
    """Run trials side by side until a deadline; add what is planned to `notes`, and to `steps` how far each came."""
    import ganbench
    from ganbench.training.pause import allow_trials

    executor = ganbench.build_executor("together", threads=1)

    def stop() -> None:
        ganbench.pause_trials()
        executor.pause(10.0)

    def emit(event: Any) -> None:
        if isinstance(event, ganbench.TrialNote):
            notes.append(event.text)
        if isinstance(event, ganbench.TrialProgress) and steps is not None:
            steps[event.trial_id] = event.step

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), stop)
    timer.daemon = True
    timer.start()
    try:
        return list(executor.run(trials, emit))
    finally:
        timer.cancel()
        allow_trials()


def _median_step(torch: Any, step: Callable[[], object], deadline: float) -> float:
    """Return the seconds of a step, the median over blocks."""
    _seconds(torch, step, NETWORK_STEPS)  # lets libraries choose their kernels
    seconds: list[float] = []
    began = time.monotonic()
    while not seconds or time.monotonic() < min(began + CAPTURED_SECONDS, deadline):
        seconds.append(_seconds(torch, step, NETWORK_STEPS) / NETWORK_STEPS)
    return statistics.median(seconds)


def _seconds(torch: Any, step: Callable[[], object], steps: int = BLOCK_STEPS) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def _parts(spec: Any, network: str) -> tuple[Any, Any, Any, Any]:
    """A data spec, 4,096 samples of it, and the two networks on the device."""
    import torch

    import ganbench
    from ganbench.registry.registry import load_registry

    kind, shape, value_range = spec
    data, registry = ganbench.DataSpec(kind, shape, value_range), load_registry()
    torch.manual_seed(0)
    x = torch.rand(4096, *shape) * 2 - 1
    generator, discriminator = (
        registry.build(part, ganbench.ComponentRef(network), data).cuda() for part in ("generator", "discriminator")
    )
    return data, x, generator, discriminator


def our_step(spec: Any, batch_size: int, network: str) -> Callable[[], object]:
    """Return `GAN.step` of the non-saturating loss."""
    step: Callable[[], object] = our_game(spec, batch_size, network).step
    return step


def our_game(spec: Any, batch_size: int, network: str) -> Any:
    """Return a game of the non-saturating loss."""
    import torch

    import ganbench
    from ganbench.registry.registry import load_registry
    from ganbench.training.data import DeviceDataset
    from ganbench.training.game import GAN

    data, x, generator, discriminator = _parts(spec, network)
    adam = ganbench.ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0})
    settings = ganbench.Training(10**6, batch_size, adam, adam)
    loss = load_registry().build("loss", ganbench.ComponentRef("non-saturating"))
    training = DeviceDataset(ganbench.Batch(x), data, torch.device("cuda"))
    return GAN(generator, discriminator, loss, {}, training, settings, seed=0)


def bare_step(spec: Any, batch_size: int, network: str) -> Callable[[], object]:
    """Return the step of the bare loop in `training_step.py`."""
    import training_step

    _, x, generator, discriminator = _parts(spec, network)
    return training_step.bare_step(x.cuda(), generator, discriminator, batch_size)


def run_tests(report: Report, real: bool, deadline: float) -> None:
    """Run the tests marked `cuda` in a process of their own, with what time is left."""
    left = deadline - time.monotonic()
    if left < 20:
        report.left_out.append("tests marked cuda: no time left")
        return
    with tempfile.TemporaryDirectory() as folder:
        # Our own options ask for plugins that need not be here: an empty configuration, with the folders it needs.
        settings, results = Path(folder) / "pytest.ini", Path(folder) / "results.xml"
        settings.write_text(
            f"[pytest]\npythonpath = {ROOT / 'tests'} {ROOT}\nmarkers =\n    cuda: needs a GPU\n    slow: minutes\n"
        )
        command = [sys.executable, "-m", "pytest", "-q", "-c", str(settings), "--rootdir", str(ROOT), "-m", "cuda"]
        command += [
            "-p",
            "no:cacheprovider",
            "--import-mode=importlib",
            f"--junitxml={results}",
            str(ROOT / "tests" / "device"),
        ]
        path = [str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
        environment |= {} if real else {"GANBENCH_FAKE_CUDA": "1"}
        try:
            subprocess.run(command, cwd=ROOT, env=environment, timeout=left, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            report.left_out.append(f"tests marked cuda: not done after {left:.0f} s")
            return
        cases = list(ElementTree.parse(results).iter("testcase"))
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    for case in failed:
        found = case.find("failure") if case.find("failure") is not None else case.find("error")
        message = " ".join((found.get("message") or "").split())[:300] if found is not None else ""
        report.failures.append(f"test {case.get('name')}: {message}")
    passed = len(cases) - len(failed) - len(skipped)
    report.figures["tests"] = {"passed": passed, "failed": len(failed), "skipped": len(skipped)}


def table(report: Report) -> str:
    """Format a report as Markdown."""
    lines = [f"# ganbench on {report.device}", ""]
    lines += [f"`python benchmarks/accelerator.py`, {report.seconds:.0f} s. "]
    lines[-1] += ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines += ["", "| part | figure | value |", "|---|---|---|"]
    lines += [
        f"| {part} | {name} | {value} |" for part, figures in report.figures.items() for name, value in _rows(figures)
    ]
    lines += ["", f"{len(report.failures)} failures" + (":" if report.failures else "."), ""]
    lines += [f"- {failure}" for failure in report.failures]
    lines += [f"- left out: {line}" for line in report.left_out]
    return "\n".join(lines) + "\n"


def _rows(figures: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _rows(value, f"{before}{name}: ")
        else:
            yield f"{before}{name}", f"{value:.2g}" if isinstance(value, float) and value < 1e-2 else str(value)


if __name__ == "__main__":
    sys.exit(main())
