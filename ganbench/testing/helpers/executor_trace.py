"""Run an executor through scenarios in a process of its own, and record what it does.

An executor may end its process, or never return. Each record is written at once, so that those before such an end are
not lost.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from ...contract.events import Event, TrialProgress, TrialStarted
from ...contract.records import ComponentRef, Trial, TrialResult
from ...registry.registry import Registry, load_registry
from ...trial import run_trial
from .trials import small_trial

STARTUP_SECONDS = 120.0  # for the process to start, in addition to the time limits of its scenarios
MAX_LINE_CHARS = 300  # of the last line that the process printed
FAULTY_LOSSES = str(Path(__file__).with_name("faulty_losses.py"))
SLOW_STEPS = 20  # of the slow trial

Record = dict[str, Any]


@dataclass(frozen=True)
class TimeLimits:
    """Seconds.

    Attributes:
        scenario: For a scenario to end.
        ending: For workers to exit after it.
        slow: That the slow trial takes.
    """

    scenario: float = 90.0
    ending: float = 5.0
    slow: float = 20.0


@dataclass(frozen=True)
class ExecutorTrace:
    """What an executor did.

    Attributes:
        scenarios: Records, by scenario.
        ends: How the process ended, by the scenario during which it ended early ("" if none had begun).
    """

    scenarios: dict[str, list[Record]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)

    def results(self, scenario: str) -> list[Record]:
        """Return the records of the results that the executor yielded, in order."""
        return [record for record in self.scenarios.get(scenario, ()) if record["what"] == "result"]

    def last(self, scenario: str, what: str) -> Record | None:
        """Return the last record of a kind, or None."""
        return next((record for record in reversed(self.scenarios.get(scenario, [])) if record["what"] == what), None)


@functools.cache
def trace_executor(
    name: str, options: str, files: tuple[str, ...], scenarios: tuple[str, ...], limits: TimeLimits
) -> ExecutorTrace:
    """Run an executor through scenarios in another process; errors of the executor are recorded, not raised.

    Args:
        name: Of the executor.
        options: Its options, as JSON.
        files: Plugin files to load.
        scenarios: Keys of `SCENARIOS`. If one of them ends the process, the others run in a new one.
        limits: Time limits.
    """
    trace = ExecutorTrace()
    while left := [scenario for scenario in scenarios if scenario not in trace.scenarios]:
        records, end = _run_scenarios(
            [name, options, files, left, asdict(limits)], STARTUP_SECONDS + len(left) * limits.scenario
        )
        for record in records:
            trace.scenarios.setdefault(record["scenario"], []).append(record)
        trace.ends[records[-1]["scenario"] if records else ""] = end
        if not records:  # it does not even start
            break
    return trace


def _run_scenarios(request: list[Any], timeout: float) -> tuple[list[Record], str]:
    """Run scenarios in a new process; return its records, and how it ended (empty if normally)."""
    with tempfile.TemporaryDirectory(prefix="ganbench-check-") as folder:
        records = Path(folder) / "records"
        with (Path(folder) / "log").open("w+b") as log:
            end = _run(json.dumps([*request, str(records)]), timeout, log)
        lines = records.read_text(encoding="utf-8").splitlines() if records.exists() else []
    return [json.loads(line) for line in lines], end


def _run(request: str, timeout: float, log: Any) -> str:
    """Start the process, wait for it and kill what is left; return how it ended (empty if normally)."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # Not `-m`: workers that it spawns would import the main module again, with all checks.
    process = subprocess.Popen(
        [sys.executable, "-c", f"from {__name__} import main; main()", request],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,  # so that its workers can be killed with it
    )
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
    if code == 0:
        return ""
    log.seek(0)
    last = (log.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
    return f"ended its process with exit code {code}" + (f" ({last[:MAX_LINE_CHARS]})" if last else "")


# --- in the other process ----------------------------------------------------------------------------


class _Recorder:
    """Appends records of the current scenario to a file, each at once and with a time in seconds."""

    def __init__(self, path: str, limits: TimeLimits) -> None:
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  (as long as the process)
        self.limits = limits
        self.scenario = ""

    def write(self, what: str, **facts: Any) -> None:
        self._file.write(json.dumps({"scenario": self.scenario, "what": what, "at": time.monotonic(), **facts}) + "\n")
        self._file.flush()


def main() -> None:
    """Run the scenarios of the request on the command line, and exit."""
    name, options, files, scenarios, limits, path = json.loads(sys.argv[1])
    recorder = _Recorder(path, TimeLimits(**limits))
    registry = load_registry((*files, FAULTY_LOSSES))
    executor = registry.build("executor", registry.check("executor", ComponentRef(name, json.loads(options)), "check"))
    for scenario in scenarios:
        recorder.scenario = scenario
        recorder.write("begins")
        with _exit_after(recorder.limits.scenario, recorder):
            try:
                SCENARIOS[scenario](executor, registry, recorder)
            except (Exception, SystemExit) as error:
                recorder.write("raised", error=f"{type(error).__name__}: {error}")
            recorder.write("left", processes=_remaining_processes(recorder.limits.ending))
    sys.stdout.flush()
    os._exit(0)  # without waiting for threads that the executor has left


@contextlib.contextmanager
def _exit_after(seconds: float, recorder: _Recorder) -> Iterator[None]:
    """End this process if the block takes longer."""

    def end() -> None:
        recorder.write("hung", seconds=seconds)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _nothing(executor: Any, registry: Registry, recorder: _Recorder) -> None:
    """Run no trials."""
    _collect(executor, [], recorder)


def _mixed(executor: Any, registry: Registry, recorder: _Recorder) -> None:
    """Run two trials and one that raises; then the first of them again with `run_trial`."""
    trials = [*_healthy(registry), replace(small_trial(registry, loss="raises-on-purpose"), id="faulty")]
    results = _collect(executor, trials, recorder)
    healthy = next((r for r in results if r.trial == trials[0]), None)
    if healthy is not None:
        _write_result(recorder, "alone", run_trial(trials[0], threads=healthy.threads or 1), trials)


def _deadly(executor: Any, registry: Registry, recorder: _Recorder) -> None:
    """Run a trial that ends its process between two that do not."""
    first, last = _healthy(registry)
    _collect(executor, [first, replace(small_trial(registry, loss="dies-on-purpose"), id="faulty"), last], recorder)


def _closed(executor: Any, registry: Registry, recorder: _Recorder) -> None:
    """Run a slow trial between two short ones, and close the iterator after the first result."""
    first, last = _healthy(registry)
    loss = {"name": "slow-on-purpose", "seconds": recorder.limits.slow / SLOW_STEPS}
    trials = [first, replace(small_trial(registry, steps=SLOW_STEPS, loss=loss), id="slow"), last]
    running = executor.run(trials, _listener(recorder))
    _write_result(recorder, "result", next(iter(running)), trials)
    if hasattr(running, "close"):
        running.close()
    recorder.write("closed")


SCENARIOS: dict[str, Callable[[Any, Registry, _Recorder], None]] = {
    "nothing": _nothing,
    "mixed": _mixed,
    "deadly": _deadly,
    "closed": _closed,
}


def _healthy(registry: Registry) -> list[Trial]:
    return [replace(small_trial(registry), id=name, seed=seed) for name, seed in (("first", 1), ("last", 2))]


def _collect(executor: Any, trials: Sequence[Trial], recorder: _Recorder) -> list[TrialResult]:
    results = []
    for result in executor.run(trials, _listener(recorder)):
        results.append(result)
        _write_result(recorder, "result", result, trials)
    recorder.write("ended")
    return results


def _listener(recorder: _Recorder) -> Callable[[Event], None]:
    """Return the `emit` of an executor; a local function, which cannot be sent to another process."""

    def emit(event: Event) -> None:
        trial = event.trial.id if isinstance(event, TrialStarted) else getattr(event, "trial_id", "")
        if not isinstance(event, TrialProgress):  # too many to record
            recorder.write("event", event=type(event).__name__, trial=trial)

    return emit


def _write_result(recorder: _Recorder, what: str, result: Any, trials: Sequence[Trial]) -> None:
    if not isinstance(result, TrialResult):
        recorder.write(what, trial="", status="", reason=f"{type(result).__name__}, which is no TrialResult")
        return
    weights = result.artifacts.weights if result.artifacts else {}
    content = b"".join(name.encode() + weights[name].tobytes() for name in sorted(weights))
    recorder.write(
        what,
        trial=result.trial.id if result.trial in trials else "",
        status=result.status,
        reason=result.reason,
        weights=hashlib.sha256(content).hexdigest() if weights else "",
        scores=msgspec.to_builtins([(score.step, score.metric, score.value) for score in result.scores]),
    )


def _remaining_processes(seconds: float) -> list[str]:
    """Return the processes that still run in this one's session after so many seconds."""
    deadline = time.monotonic() + seconds
    while (running := _running()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return running


def _running() -> list[str]:
    if not Path("/proc/self/stat").exists():
        return [child.name for child in multiprocessing.active_children()]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just exited
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            mine = int(session) == os.getsid(0) and int(folder.name) != os.getpid()
            if (
                mine and state != "Z" and "resource_tracker" not in command
            ):  # Python's own, which exits with this process
                found.append(command[:80])
    return found
