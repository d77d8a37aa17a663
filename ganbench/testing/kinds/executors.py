"""Checks of executors, which run in a process of their own: see `helpers/executor_trace.py`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ...contract.adapt import provides
from ...contract.errors import RequestError
from ..candidate import Candidate
from ..check import BASIC, ContractError, NotApplicable, behaviour, check
from ..helpers.executor_trace import ExecutorTrace, TimeLimits, trace_executor

SCENARIOS = ("nothing", "mixed", "closed", "deadly")
TIME_LIMITS = TimeLimits()
SMALL_OPTIONS = {"threads": 1, "workers": 2}  # for executors that have such options
TRIALS = ("first", "faulty", "last")


def trace_of(candidate: Candidate, scenario: str) -> ExecutorTrace:
    """Return what the executor did, in this scenario among others. Raise ContractError if it could not be started."""
    if why := why_refused(candidate):
        raise NotApplicable(why)
    known = {
        k: v for k, v in SMALL_OPTIONS.items() if k in candidate.entry.options and k not in candidate.check_options
    }
    options = json.dumps({**candidate.ref(**known).options}, sort_keys=True)
    trace = trace_executor(candidate.entry.name, options, candidate.registry.plugins.files, SCENARIOS, TIME_LIMITS)
    if scenario not in trace.scenarios:
        raise ContractError(
            f"does not start in a process of its own: it {trace.ends['']}",
            cause="its plugin or its options do not reach another process",
            fix="build it from plain options, in a file or a package that can be imported anywhere",
        )
    return trace


def why_refused(candidate: Candidate) -> str | None:
    """Return why the executor runs no trials on a CPU, which are what it is tried with; None if it does."""
    executor = candidate.build()
    if not provides(executor, "check"):
        return None
    try:
        executor.check("cpu")
    except RequestError as error:
        return str(error)
    return None


def why_unfinished(trace: ExecutorTrace, scenario: str) -> str | None:
    """Return why a scenario did not end by itself; None if it did."""
    if raised := trace.last(scenario, "raised"):
        return f"raised {raised['error']}"
    if hung := trace.last(scenario, "hung"):
        return f"was not done after {hung['seconds']:g} s"
    return None if trace.last(scenario, "left") else trace.ends.get(scenario) or "ended its process"


@check("executor", basic=True)
def starts_in_another_process(candidate: Candidate) -> None:
    """It can be built and called in a process of its own."""
    for scenario in SCENARIOS:
        trace_of(candidate, scenario)


@check("executor")
def gives_each_trial_back_once(candidate: Candidate) -> None:
    """It yields each of three trials, one of which raises, exactly once."""
    trace = trace_of(candidate, "mixed")
    _expect_each_once(trace, "mixed", "one of which raises an error")


@check("executor", needs=(BASIC, "gives-each-trial-back-once"))
def a_trial_that_raises_is_an_error(candidate: Candidate) -> None:
    """The trial that raises has the status "error" and a reason, the others "done"."""
    _expect_error_among_done(trace_of(candidate, "mixed"), "mixed")


@check("executor")
def survives_a_trial_that_dies(candidate: Candidate) -> None:
    """A trial that ends its process has the status "error", the others "done", each exactly once."""
    trace = trace_of(candidate, "deadly")
    _expect_each_once(trace, "deadly", "of which the second ends the process that it runs in")
    _expect_error_among_done(trace, "deadly")


def _expect_each_once(trace: ExecutorTrace, scenario: str, trials: str) -> None:
    if why := why_unfinished(trace, scenario):
        raise ContractError(
            f"given three trials, {trials}, it {why}",
            cause="trials run in the calling process, or it waits for a worker that has exited",
            fix="run trials in worker processes, detect those that exit, and yield their trials as errors",
        )
    count = Counter(result["trial"] for result in trace.results(scenario))
    unknown = [result["reason"] for result in trace.results(scenario) if not result["trial"]]
    if unknown:
        raise ContractError(
            f"yields something else than the result of a given trial: {unknown[0] or 'the result of another trial'}",
            cause="a result is changed or wrapped",
            fix="yield what ganbench.run_trial returns, unchanged",
        )
    if count != Counter(TRIALS):
        counts = ", ".join(f"{name!r} {count[name]} times" for name in TRIALS if count[name] != 1)
        raise ContractError(
            f"given three trials, {trials}, it yields {counts}",
            cause="a trial is lost or repeated when its worker exits, or two results have the same key",
            fix="keep track of the trials: yield one TrialResult for each",
        )


def _expect_error_among_done(trace: ExecutorTrace, scenario: str) -> None:
    status = {result["trial"]: result["status"] for result in trace.results(scenario)}
    if not status:
        raise NotApplicable("it yielded no result")
    if status.get("faulty") != "error":
        raise ContractError(
            f"yields a trial that failed with the status {status.get('faulty')!r}",
            cause="exceptions are suppressed, or it sets another status",
            fix='use ganbench.run_trial, which never raises; if a worker exits, yield TrialResult(trial, "error", why)',
        )
    for result in trace.results(scenario):
        if result["trial"] != "faulty" and result["status"] != "done":
            raise ContractError(
                f"a trial beside one that failed ends as {result['status']!r}: {result['reason']}",
                cause="trials share a worker that one of them ends",
                fix="let a worker that exits cost one trial, and start a new one for the next",
            )


@check("executor")
def gives_the_results_of_run_trial(candidate: Candidate) -> None:
    """Scores and weights are, bit for bit, those of `ganbench.run_trial` on as many threads."""
    trace = trace_of(candidate, "mixed")
    expected = trace.last("mixed", "alone")
    result = next((r for r in trace.results("mixed") if r["trial"] == "first"), None)
    if expected is None or result is None:
        raise NotApplicable("it yielded no result to compare")
    for what in ("weights", "scores"):
        if expected[what] != result[what]:
            missing = not result[what]
            raise ContractError(
                f"a result comes back {'without' if missing else 'with other'} {what} than those of ganbench.run_trial",
                cause="parts of the result are dropped"
                if missing
                else "random streams, threads or settings are changed",
                fix="run each trial with ganbench.run_trial, and yield its whole result",
            )


@check("executor")
def announces_every_trial(candidate: Candidate) -> None:
    """It emits TrialStarted for every trial before its result, in the calling process."""
    trace = trace_of(candidate, "mixed")
    started: set[str] = set()
    for record in trace.scenarios["mixed"]:
        if record["what"] == "event" and record["event"] == "TrialStarted":
            started.add(record["trial"])
        if record["what"] == "result" and record["trial"] and record["trial"] not in started:
            raise ContractError(
                "emits no TrialStarted for a trial before its result",
                cause="`emit` is not passed on, or events of workers are not read",
                fix="call emit in the calling process with each event that ganbench.run_trial(trial, emit) emits",
            )


@check("executor")
def leaves_no_process_behind(candidate: Candidate) -> None:
    """Its workers have exited soon after the last result."""
    _expect_no_process(trace_of(candidate, "mixed"), "mixed", "after the last result")


@check("executor")
def has_nothing_to_do_without_trials(candidate: Candidate) -> None:
    """Without trials it ends at once and yields nothing."""
    trace = trace_of(candidate, "nothing")
    why = why_unfinished(trace, "nothing")
    if why or trace.results("nothing"):
        raise ContractError(
            f"given no trial, it {why or 'yields a result'}",
            cause="it uses the first trial, or waits for workers that were never started",
            fix="return at once if `trials` is empty, as in a run whose results are all reused",
        )


@check("executor", needs=(BASIC, "leaves-no-process-behind"))
def can_be_closed_early(candidate: Candidate) -> None:
    """It yields results as they come; closed after the first, as by Ctrl-C, it stops and its workers exit."""
    trace = trace_of(candidate, "closed")
    why = why_unfinished(trace, "closed")
    closing = _seconds_to_close(trace)
    if not trace.results("closed") or _collects_results(trace):
        raise ContractError(
            f"yields no result before all trials have ended{f': it {why}' if why else ''}",
            cause="results are collected first",
            fix="yield each result as it comes, so that it is stored even if the run is stopped",
        )
    if why or closing > TIME_LIMITS.slow / 2:
        raise ContractError(
            f"closed after the first result, it {why or f'runs for another {closing:.0f} s'}",
            cause="it waits for running trials when the iterator is closed",
            fix="end the workers in a `finally:` around the loop that yields",
        )
    _expect_no_process(trace, "closed", "after it was closed with trials still running")


def _collects_results(trace: ExecutorTrace) -> bool:
    """Return whether the first result came only after all trials had started and the slow one had ended."""
    started: dict[str, float] = {}
    for record in trace.scenarios["closed"]:
        if record["what"] == "result":
            return started.keys() >= {"first", "slow", "last"} and record["at"] - started["slow"] >= TIME_LIMITS.slow
        if record["what"] == "event" and record["event"] == "TrialStarted":
            started[record["trial"]] = record["at"]
    return False


def _seconds_to_close(trace: ExecutorTrace) -> float:
    result, closed = trace.last("closed", "result"), trace.last("closed", "closed")
    return closed["at"] - result["at"] if result and closed else 0.0


def _expect_no_process(trace: ExecutorTrace, scenario: str, when: str) -> None:
    left = trace.last(scenario, "left")
    if left is None:
        raise NotApplicable(f"the scenario did not end: it {why_unfinished(trace, scenario)}")
    if left["processes"]:
        raise ContractError(
            f"leaves {len(left['processes'])} processes running {when}: {left['processes'][0]}",
            cause="workers are not terminated, or not joined",
            fix="terminate and join them in a `finally:` around the loop that yields results",
        )


@behaviour("executor")
def behaves(candidate: Candidate) -> Any:
    """Return its plain attributes: it is called in a process of its own alone, where it can do no harm."""
    executor = candidate.build()
    plain = (bool, int, float, str, type(None))
    settings = {name: value for name, value in getattr(executor, "__dict__", {}).items() if isinstance(value, plain)}
    return [type(executor).__name__, settings]
