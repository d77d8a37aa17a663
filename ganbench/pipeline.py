"""The whole line, once: suite, trials, results, comparison, reports. Only this module knows all stages."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .contract.adapt import provides
from .contract.errors import RequestError, RunPaused, StorageError
from .contract.events import Event, RunEnded, RunStarted, TrialEnded
from .contract.failures import Status
from .contract.records import Checkpoints, ComponentRef, DataSpec, Trial, TrialResult
from .registry.plugins import explain_missing, local_files
from .registry.registry import Registry, load_registry
from .results.checkpoints import drop_checkpoints, refuse_newer_checkpoints
from .results.cost import Forecast, forecast
from .results.network_cost import NetworkCosts
from .results.reports import check_reports, write_reports
from .results.reuse import list_trials_on, reusable_results
from .results.store import Store, describe_environment, explain_failed_write
from .suite.expand import KIND_OF_SETTING, UNKNOWN, expand, is_selected, select_trials
from .suite.metric_names import metric_label, resolve_metric, why_left_out
from .suite.parse import Suite, override_suite, read_suite
from .training.preemption import Deadline, pause_when_asked

if TYPE_CHECKING:
    from .contract.components import Comparison, Executor

FIRST_STEPS_SECONDS = 60.0  # that trying the methods may take before a run, and after them the one that is being tried
NOTICE_SECONDS = 8.0  # in one component, after which it is said that it is being waited for
MAX_TIMED_SECONDS = 3.0  # of the first step with a few samples, up to which one with a whole batch is timed


@dataclass(frozen=True)
class Request:
    """What a user asks of `ganbench run`; see `run` for the fields."""

    suite: str = "basic"
    output: Path | None = None
    only: Sequence[str] = ()
    seeds: int | None = None
    steps: int | None = None
    executor: str | None = None
    workers: int | None = None
    device: str = "auto"
    fresh: bool = False
    max_minutes: float | None = None


@dataclass(frozen=True)
class Prepared:
    """A request that has been checked: the trials to run and the results to keep. Nothing is written yet."""

    suite: Suite
    registry: Registry
    planned: Sequence[Trial]
    todo: Sequence[Trial]
    kept: Sequence[TrialResult]
    notes: Sequence[str]
    executor: Any
    reports: Sequence[ComponentRef]
    store: Store
    unplanned: Sequence[str] = ()  # stored trials of data sets that are not here and not asked for
    left_out: Sequence[str] = ()  # metrics and diagnoses that cannot serve, with the data set and the reason
    deadline: Deadline | None = None  # when the run pauses
    fresh: bool = False  # whether checkpoints are not gone on from
    ended: Sequence[TrialResult] = ()  # stored results, kept or not, which say how long such trials take
    step_seconds: Mapping[tuple[str, str], float] = field(default_factory=dict)  # by data set and method, where timed


@dataclass(frozen=True)
class RunOutcome:
    """What a run produced: the comparison, the reports written, those that failed, and the number of faulty trials."""

    comparison: Comparison
    files: Sequence[Path]
    failed_reports: dict[str, str]
    faults: int


def run(
    suite: str | Path = "basic",
    *,
    output: str | Path | None = None,
    only: Sequence[str] = (),
    seeds: int | None = None,
    steps: int | None = None,
    executor: str | None = None,
    workers: int | None = None,
    device: str = "auto",
    fresh: bool = False,
    max_minutes: float | None = None,
) -> Comparison:
    """Train, evaluate and diagnose the trials of a suite, and return their comparison: what `ganbench run` does.

    Results are stored as trials end, and trials in training are saved at intervals; the same call again does what is
    left. The default executor starts worker processes, so a script calls this under `if __name__ == "__main__":`.

    Args:
        suite: The name of a suite, or the path of a TOML file.
        output: The results folder; `results/<suite>` by default.
        only: Conditions KEY=GLOB that trials must match, as `"method=r3*"`.
        seeds: How many seeds, instead of the suite's.
        steps: The budget in steps, instead of the suite's.
        executor: What runs the trials; `"processes"` by default.
        workers: Worker processes; one per core by default.
        device: `"auto"`, `"cpu"`, `"cuda"` or `"cuda:N"`.
        fresh: Rerun the trials that are done, too.
        max_minutes: After how many minutes to pause, instead of the suite's number; never by default.

    Raises:
        RequestError: The request is wrong; nothing has been trained.
        RunPaused: The run's minutes are over, or its process was sent SIGTERM; the same call goes on.
        StorageError: A result cannot be written, as on a full disk; what was stored before is kept.

    Example:
        >>> comparison = ganbench.run("smoke", seeds=2)
        >>> comparison.comparison[["method", "metric", "iqm", "verdict"]]
    """
    folder = None if output is None else Path(output)
    request = Request(str(suite), folder, only, seeds, steps, executor, workers, device, fresh, max_minutes)
    return execute(prepare(request), command=f"ganbench.run({str(suite)!r})").comparison


def prepare(request: Request) -> Prepared:
    """Check a request, cheap checks first. Raises RequestError; nothing has been trained or written then."""
    if request.max_minutes is not None and not request.max_minutes > 0:
        raise RequestError(f"--max-minutes {request.max_minutes}: give a number above 0")
    began = time.monotonic()
    path, files = find_suite(request.suite)
    suite = override_suite(read_suite(path), seeds=request.seeds, steps=request.steps)
    registry = load_registry(files)
    _check_names(suite, registry)
    store = Store(request.output or Path("results") / suite.name)
    store.check(suite.name)
    executor = _executor(suite, request, registry)
    wanted_reports = check_reports(suite.reports, registry, suite.source)
    device = resolve_device(request.device, elsewhere=getattr(executor, "elsewhere", False))
    if provides(executor, "check"):
        executor.check(device)
    specs = describe_data(suite, registry, request.only)
    planned = expand(suite, registry, specs, device, files)
    unplanned = list_trials_on(suite.datasets.keys() - specs.keys(), store)
    chosen = select_trials(planned, request.only)
    check_features(chosen, registry, suite.source)
    check_terms(chosen, registry, suite.source)
    left_out, unused = _note_left_out(chosen, registry)
    kept, notes = reusable_results(chosen, store, registry)
    if request.fresh:
        kept, notes = [], []
    done = {result.trial.id for result in kept}
    # A seed of every method on every data set first: from then on it is known how long the run takes.
    todo = sorted((trial for trial in chosen if trial.id not in done), key=lambda trial: suite.seeds.index(trial.seed))
    if not request.fresh:
        refuse_newer_checkpoints(store.checkpoints, todo)
    check_methods_serve(planned, todo, suite, registry)
    threads = max(1, available_cores() // max(1, min(_count_workers(executor, todo), len(todo))))
    step_seconds = check_first_steps(todo, registry, suite.source, threads)
    ended = store.results()[0] if store.has_run else []
    notes = [*unused, *notes]
    minutes = request.max_minutes or suite.max_minutes
    return Prepared(
        suite,
        registry,
        planned,
        todo,
        kept,
        notes,
        executor,
        wanted_reports,
        store,
        unplanned,
        left_out,
        deadline=None if minutes is None else Deadline.after(minutes, began),
        fresh=request.fresh,
        ended=ended,
        step_seconds=step_seconds,
    )


def execute(prepared: Prepared, command: str = "") -> RunOutcome:
    """Run the trials that are to be run, store each as it ends, and write the reports.

    Raises RunPaused if the run ends before its trials have.
    """
    store, todo, emit = prepared.store, prepared.todo, prepared.registry.plugins.emit
    facts = {
        "suite": prepared.suite.name,
        "summary": prepared.suite.summary,
        "source": prepared.suite.source,
        "trials": [*(trial.id for trial in prepared.planned), *prepared.unplanned],
    }
    if todo and provides(prepared.executor, "prepare"):
        prepared.executor.prepare(store.folder.absolute(), prepared.fresh)
    with store.begin_run(facts, _environment(prepared, command)):
        emit(RunStarted(prepared.suite.name, len(todo), len(prepared.kept), str(store.folder)))
        faults = _run_trials(prepared, emit)
        from .results.comparison import compare

        comparison = compare(store)
        try:
            files, failed = write_reports(comparison, prepared.reports, prepared.registry, store.report)
        except (RequestError, StorageError) as error:  # the trials are stored, and can be reported later
            files, failed = [], {ref.name: str(error) for ref in prepared.reports}
        emit(RunEnded(prepared.suite.name, tuple(str(file) for file in files)))
    return RunOutcome(comparison, files, failed, faults)


def build_executor(name: str, *, plugin_files: Sequence[str] = (), **options: Any) -> Executor:
    """Return an executor by its name, as for an executor on another machine that runs its trials with one of ours.

    Args:
        name: Its name, as `"processes"`.
        plugin_files: Local plugin files to load first.
        options: Its options.

    Raises:
        RequestError: There is none of that name, or it has no such options.
    """
    registry = load_registry(tuple(plugin_files))
    built: Executor = registry.build("executor", registry.check("executor", ComponentRef(name, options), "executor"))
    return built


def forecast_run(prepared: Prepared) -> Forecast:
    """Return what a run is going to take, from stored results of such trials, or else from timed steps or stated costs."""
    workers = _count_workers(prepared.executor, prepared.todo)
    return forecast(prepared.todo, prepared.ended, workers, NetworkCosts(prepared.registry), prepared.step_seconds)


def _count_workers(executor: Any, todo: Sequence[Trial]) -> int:
    workers: int | None = getattr(executor, "workers", 1)
    if workers is None:  # as many as the executor finds good: a core each, or a few on an accelerator
        return available_cores() if not todo or todo[0].device == "cpu" else 2
    return workers


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_suite(name: str) -> tuple[Path, tuple[str, ...]]:
    """Return the file of a suite, given by name or path, and the local plugin files that go with it."""
    path = Path(name)
    if path.suffix == ".toml" or path.parent != Path():
        return path, local_files(Path.cwd(), path.parent)
    files = local_files(Path.cwd())
    suites = {entry.name: entry for entry in load_registry(files).entries("suite")}
    if name not in suites:
        hint = explain_missing("suite", name, suites)
        raise RequestError(f"no suite is called {name!r}; {hint} A file is given as NAME.toml")
    return suites[name].build(), files


def resolve_device(wanted: str, elsewhere: bool = False) -> str:
    """Return the device that `wanted` means. Raises RequestError if this machine does not have it.

    Args:
        wanted: `auto`, `cpu`, `cuda` or `cuda:N`.
        elsewhere: Whether trials run on other machines, of whose devices nothing is known here.
    """
    kind, _, index = wanted.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (index and (kind != "cuda" or not index.isdigit())):
        raise RequestError(f"--device {wanted}: give auto, cpu, cuda or cuda:N")
    if kind == "cpu" or (elsewhere and kind == "cuda"):
        return wanted
    import torch

    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "auto":
        return "cuda" if n_devices else "cpu"
    if int(index or 0) >= n_devices:
        raise RequestError(f"--device {wanted}: this machine has {n_devices} CUDA devices; give --device cpu")
    return wanted


def _environment(prepared: Prepared, command: str) -> dict[str, Any]:
    device = prepared.planned[0].device if prepared.planned else ""
    return describe_environment(command, device, prepared.registry.plugins.origins.values())


def _run_trials(prepared: Prepared, emit: Callable[[Event], None]) -> int:
    """Store each result as it comes; return how many trials ended in a fault. Raises RunPaused."""
    store = prepared.store
    drop_checkpoints(store.checkpoints, [result.trial.id for result in prepared.kept])
    if prepared.fresh:
        drop_checkpoints(store.checkpoints, [trial.id for trial in prepared.todo])
    faults, ended, why = 0, 0, ""
    with pause_when_asked(prepared.executor, prepared.deadline) as preemption:
        results = prepared.executor.run([_with_checkpoints(prepared, trial) for trial in prepared.todo], emit)
        try:
            for returned in results:
                if returned.status is Status.PAUSED:
                    why = why or "SIGTERM to a worker"
                else:
                    result = returned if returned.stored else _store_result(store, returned)
                    drop_checkpoints(store.checkpoints, [result.trial.id])
                    emit(TrialEnded(replace(result, artifacts=None)))
                    faults, ended = faults + result.status.is_fault, ended + 1
                if preemption.is_to_be_left:
                    break
        finally:
            if hasattr(results, "close"):  # a generator: closing it ends its workers
                results.close()
    if (why := preemption.why or why) and ended < len(prepared.todo):
        saved = sum((store.checkpoints / trial.id).is_dir() for trial in prepared.todo)
        raise RunPaused(
            f"paused by {why}: {ended} of {len(prepared.todo)} trials ended and are kept in {store.folder}, "
            f"{saved} more are saved where they were"
        )
    return faults


def _with_checkpoints(prepared: Prepared, trial: Trial) -> Trial:
    """The trial, to be saved in the results folder while it trains."""
    folder = (prepared.store.checkpoints / trial.id).absolute()  # an executor's workers may be in another folder
    every = prepared.suite.checkpoints
    return replace(trial, checkpoints=Checkpoints(str(folder), every.steps, every.minutes))


def _store_result(store: Store, result: TrialResult) -> TrialResult:
    """Store a result; one that cannot be stored, since a plugin put something odd into it, becomes an error.

    Raises StorageError if the disk does not take it.
    """
    try:
        store.write(result)
    except OSError as error:
        what = f"the result of {result.trial.id}"
        raise StorageError(explain_failed_write(what, store.folder, error)) from error
    except (TypeError, ValueError) as error:
        result = TrialResult(result.trial, Status.ERROR, f"the result cannot be stored: {error}", steps=result.steps)
        store.write(result)
    return result


def _check_names(suite: Suite, registry: Registry) -> None:
    """Check every name before any option: names need no import, so a slip is reported at once."""
    _find_named(suite.training, registry, f"{suite.source}: [training]")
    for label, entry in suite.datasets.items():
        if not registry.is_unavailable("dataset", entry.ref.name):
            registry.find("dataset", entry.ref.name, suite.source)
        _find_named(entry.settings, registry, f"{suite.source}: [datasets.{label}]")
    for label, method in suite.methods.items():
        where = f"{suite.source}: method {label!r}"
        for settings in method.tables:
            _find_named(settings, registry, where)
    metrics = [resolve_metric(ref, registry) for ref in suite.metrics]
    for kind, refs in (("metric", metrics), ("diagnosis", suite.diagnoses), ("report", suite.reports)):
        for ref in refs or ():
            registry.find(kind, ref.name, suite.source)


def _find_named(settings: Mapping[str, Any], registry: Registry, where: str) -> None:
    """Find every component that settings name, as a registry does. Raises RequestError at the first that is unknown."""
    named = [(kind, settings[key]) for key, kind in KIND_OF_SETTING.items() if settings.get(key)]
    named += [("regularizer", ref) for ref in settings.get("regularizers", ())]
    named += [("term", ref) for ref in settings.get("terms", ())]
    for kind, ref in named:
        if not registry.is_unavailable(kind, ref.name):
            registry.find(kind, ref.name, where)


def check_features(trials: Sequence[Trial], registry: Registry, where: str) -> None:
    """Ensure that the features of metrics have their weights. Raises RequestError, its line beginning with `where`.

    A metric that skips every trial is not asked.
    """
    asked: set[str] = set()
    for trial in trials:
        for ref in trial.evaluation.metrics:
            label = metric_label(ref, registry)
            if label in asked:
                continue
            try:
                if registry.skip("metric", ref, trial):
                    continue
                asked.add(label)
                metric = registry.build("metric", ref)
                if metric.features is not None:
                    metric.features.prepare()
            except (OSError, ValueError) as error:
                raise RequestError(f"{where}: metric {label!r}: {error}") from error
            except (Exception, SystemExit):
                continue  # a fault of its own: its trials fail, and no others


def check_terms(trials: Sequence[Trial], registry: Registry, where: str) -> None:
    """Ensure that terms have the weights that they need. Raises RequestError, its line beginning with `where`."""
    asked: list[ComponentRef] = []
    for trial in trials:
        for ref in trial.components.terms:
            if ref in asked or registry.is_unavailable("term", ref.name):
                continue
            asked.append(ref)
            try:
                if registry.skip("term", ref, trial) is None:
                    registry.build("term", ref).prepare()
            except (OSError, ValueError) as error:
                raise RequestError(f"{where}: term {ref.name!r}: {error}") from error
            except (Exception, SystemExit):
                continue  # a fault of its own: its trials fail, and no others


def check_methods_serve(planned: Sequence[Trial], wanted: Sequence[Trial], suite: Suite, registry: Registry) -> None:
    """Raise RequestError for a method that is wanted and can serve no data set of the suite, with the first reason.

    Of a grid, some methods may: it names more than is meant.
    """
    tables = {trial.method for trial in wanted if not suite.methods[trial.method].of_grid}
    reasons: dict[str, list[str]] = {}
    for trial in planned:
        if trial.method not in tables or trial.seed != planned[0].seed:
            continue
        try:
            why = None if trial.data == UNKNOWN else registry.why_skipped(trial)
        except (Exception, SystemExit):
            why = None  # a fault of its own: its trials fail, and no others
        reasons.setdefault(trial.method, []).append(f"on {trial.dataset!r}: {why}" if why else "")
    for method, found in reasons.items():
        if all(found):
            raise RequestError(f"{suite.source}: method {method!r} can serve no data set of the suite; {found[0]}")


def check_first_steps(
    trials: Sequence[Trial], registry: Registry, where: str, threads: int = 1
) -> dict[tuple[str, str], float]:
    """Ensure that every method can take a step on each of its data sets. Raises RequestError, its line beginning with `where`.

    Returns the seconds of a step with a whole batch and so many threads, by data set and method: of those that train on the
    CPU, and whose steps do not take long.

    What hangs, and what is left after a minute, is left to the trials, which fail alone. What takes long is said on standard
    error meanwhile.
    """
    from .training.first_step import (
        Abandoned,
        CannotTrain,
        FirstSamples,
        abandon,
        load_first_samples,
        preserve_global_state,
        running_component,
        time_step,
        try_first_step,
    )

    first = {(trial.dataset, trial.method): trial for trial in reversed(trials)}
    samples: dict[tuple[str, int], FirstSamples | None] = {}
    seconds: dict[tuple[str, str], float] = {}
    refused: list[str] = []
    stopped = threading.Event()
    began: tuple[Trial | None, float] = None, time.monotonic()  # the trial that is tried, and since when

    def look() -> None:
        nonlocal began
        for trial in reversed(first.values()):
            if stopped.is_set():
                return
            began = trial, time.monotonic()
            try:
                if trial.data == UNKNOWN or registry.lacks_part_of(trial) or registry.why_skipped(trial):
                    continue
                key = trial.dataset, trial.training.batch_size
                if key not in samples:
                    samples[key] = load_first_samples(trial, registry)
                if (given := samples[key]) is not None:
                    tried = time.monotonic()
                    try_first_step(trial, given, registry)
                    if trial.device == "cpu" and time.monotonic() - tried < MAX_TIMED_SECONDS:
                        seconds[trial.dataset, trial.method] = time_step(trial, given, registry, threads)
            except CannotTrain as error:
                refused.append(f"{where}: method {trial.method!r} on {trial.dataset!r}: {error}")
                return
            except (Exception, SystemExit):
                continue  # a fault of its own: its trials fail, and no others

    def look_until_abandoned() -> None:
        with contextlib.suppress(Abandoned):
            look()

    def wait() -> None:
        end, said = time.monotonic() + FIRST_STEPS_SECONDS, set[str]()
        waiting_for, since = "", time.monotonic()
        while looking.is_alive():
            (trial, trial_since), now = began, time.monotonic()
            limit = trial_since + FIRST_STEPS_SECONDS
            if now > end:
                stopped.set()
            if now > max(end, limit):  # the step that it is at is finished, unless it hangs, before any trial begins
                return
            if trial is not None:
                part = running_component(looking)
                what = f"method {trial.method!r} on {trial.dataset!r}: waiting for {part or 'its first step'}"
                if part is None:
                    waiting_for = ""
                elif what != waiting_for:
                    waiting_for, since = what, now
                elif now - since > NOTICE_SECONDS and what not in said:
                    said.add(what)
                    left = max(0.0, max(end, limit) - now)
                    sys.stderr.write(
                        f"ganbench: {what}, for {now - since:.0f} s so far; in {left:.0f} s the run begins all the same\n"
                    )
            looking.join(min(NOTICE_SECONDS, FIRST_STEPS_SECONDS) / 5)

    looking = threading.Thread(target=look_until_abandoned, daemon=True)
    with preserve_global_state():  # as a whole: one that hangs cannot put back what it has changed
        looking.start()
        try:
            wait()
        finally:
            stopped.set()
            abandon(looking)
    if refused:
        raise RequestError(refused[0])
    return dict(seconds)


def _note_left_out(trials: Sequence[Trial], registry: Registry) -> tuple[list[str], list[str]]:
    """Return a line for each metric or diagnosis that cannot serve a data set, and a note for each metric that serves none."""
    why: dict[str, dict[str, str]] = {}
    metrics: set[str] = set()
    served: set[str] = set()
    for trial in trials:
        try:
            left_out = why_left_out(trial, registry)
        except (Exception, SystemExit):
            continue  # a fault of a plugin's: its trials fail, and no others
        for name, reason in left_out.items():
            why.setdefault(name, {})[trial.dataset] = reason
        labels = {metric_label(ref, registry) for ref in trial.evaluation.metrics}
        metrics |= labels
        served |= labels - left_out.keys()
    lines = [f"{name} on {dataset}: {reason}" for name, on in why.items() for dataset, reason in on.items()]
    unused = [
        f"metric {name!r} is left out: {next(iter(on.values()))}"
        for name, on in why.items()
        if name in metrics - served
    ]
    return lines, unused


def _executor(suite: Suite, request: Request, registry: Registry) -> Any:
    ref = suite.executor or ComponentRef("processes")
    if request.executor is not None and request.executor != ref.name:
        ref = ComponentRef(request.executor)
    if request.workers is not None:
        ref = replace(ref, options={**ref.options, "workers": request.workers})
    return registry.build("executor", registry.check("executor", ref, "executor"))


def describe_data(suite: Suite, registry: Registry, only: Sequence[str] = ()) -> dict[str, DataSpec]:
    """Return what each data set looks like, by label.

    Raises RequestError if its files are missing or its options are wrong. One whose files are missing is left out if the
    conditions of `only` do not select it.
    """
    specs = {}
    for label, entry in suite.datasets.items():
        where = f"{suite.source}: data set {label!r}"
        specs[label] = UNKNOWN
        if registry.is_unavailable("dataset", entry.ref.name):
            continue
        ref = registry.check("dataset", entry.ref, where)
        try:
            specs[label] = registry.build("dataset", ref).spec
        except (OSError, ValueError) as error:
            if is_selected(only, "dataset", label):
                raise RequestError(f"{where}: {error}") from error
            del specs[label]
        except (Exception, SystemExit):
            continue  # a fault of its own: its trials fail, and no others
    return specs
