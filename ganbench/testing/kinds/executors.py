"""What is asked of an executor. It is tried in a process of its own: see `helpers/executor_trace`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check
from ..helpers.executor_trace import ExecutorTrace, TimeLimits, trace_executor

SCENARIOS = ("nothing", "mixed", "closed", "deadly")
TIME_LIMITS = TimeLimits()
FEW = {"threads": 1, "workers": 2}  # where it has such options: small trials want no more
TRIALS = ("first", "faulty", "last")


def seen(candidate: Candidate, scenario: str) -> ExecutorTrace:
    """What the executor did in that scenario. Raises ContractError where it could not be asked."""
    known = {k: v for k, v in FEW.items() if k in candidate.entry.options and k not in candidate.check_options}
    options = json.dumps({**candidate.ref(**known).options}, sort_keys=True)
    trace = trace_executor(candidate.entry.name, options, candidate.registry.plugins.files, SCENARIOS, TIME_LIMITS)
    if scenario not in trace.scenarios:
        raise ContractError(
            f"does not start in a process of its own: it {trace.ends['']}",
            cause="its plugin or its options do not reach another process",
            fix="build it from plain options, in a file or a package that can be imported anywhere",
        )
    return trace


def how_it_ended(trace: ExecutorTrace, scenario: str) -> str | None:
    """Why a scenario did not end by itself; None where it did."""
    if raised := trace.last(scenario, "raised"):
        return f"raised {raised['error']}"
    if hung := trace.last(scenario, "hung"):
        return f"was not done after {hung['seconds']:g} s"
    return None if trace.last(scenario, "left") else trace.ends.get(scenario) or "ended its process"


@check("executor", basic=True)
def gives_each_trial_back_once(candidate: Candidate) -> None:
    """Of three trials, one of which raises, each comes back exactly once."""
    trace = seen(candidate, "mixed")
    _expect_each_once(trace, "mixed", "one of which raises an error")


@check("executor")
def a_trial_that_raises_is_an_error(candidate: Candidate) -> None:
    """The trial that raised comes back as an error with its reason, the others as done."""
    _expect_error_among_done(seen(candidate, "mixed"), "mixed")


@check("executor")
def survives_a_trial_that_dies(candidate: Candidate) -> None:
    """A trial that ends its process comes back as an error, and the others as done: each exactly once."""
    trace = seen(candidate, "deadly")
    _expect_each_once(trace, "deadly", "of which the second ends the process that it runs in")
    _expect_error_among_done(trace, "deadly")


def _expect_each_once(trace: ExecutorTrace, scenario: str, which: str) -> None:
    if why := how_it_ended(trace, scenario):
        raise ContractError(
            f"given three trials, {which}, it {why}",
            cause="trials run in the calling process, or a worker that is gone is waited for",
            fix="run trials in worker processes, notice those that end, and give their trials back as errors",
        )
    count = Counter(result["trial"] for result in trace.results(scenario))
    odd = [result["reason"] for result in trace.results(scenario) if not result["trial"]]
    if odd:
        raise ContractError(
            f"gives back what was not asked for: {odd[0] or 'the result of another trial'}",
            cause="a result is changed or wrapped on its way",
            fix="give back what ganbench.run_trial returns, as it is",
        )
    if count != Counter(TRIALS):
        told = ", ".join(f"{name!r} {count[name]} times" for name in TRIALS if count[name] != 1)
        raise ContractError(
            f"given three trials, {which}, it gives back {told}",
            cause="a trial is lost or tried again when its worker ends, or results are kept for the same key",
            fix="count trials out and in: each one given comes back once, as a TrialResult",
        )


def _expect_error_among_done(trace: ExecutorTrace, scenario: str) -> None:
    status = {result["trial"]: result["status"] for result in trace.results(scenario)}
    if not status:
        raise NotApplicable("it gave no trial back")
    if status.get("faulty") != "error":
        raise ContractError(
            f"gives a trial that failed back as {status.get('faulty')!r}",
            cause="errors are swallowed, or another status is given",
            fix='use ganbench.run_trial, which never raises; where a worker is lost, TrialResult(trial, "error", why)',
        )
    for result in trace.results(scenario):
        if result["trial"] != "faulty" and result["status"] != "done":
            raise ContractError(
                f"a trial beside one that failed comes back as {result['status']!r}: {result['reason']}",
                cause="trials share a worker that is lost with one of them",
                fix="let a lost worker take one trial with it, and go on with a new one",
            )


@check("executor")
def gives_the_results_of_run_trial(candidate: Candidate) -> None:
    """Scores and weights are, to the last bit, those of `ganbench.run_trial` on as many threads."""
    trace = seen(candidate, "mixed")
    alone = trace.last("mixed", "alone")
    there = next((r for r in trace.results("mixed") if r["trial"] == "first"), None)
    if alone is None or there is None:
        raise NotApplicable("it gave no healthy trial back to compare")
    for what in ("weights", "scores"):
        if alone[what] != there[what]:
            lacking = not there[what]
            raise ContractError(
                f"a trial comes back {'without' if lacking else 'with other'} {what} than ganbench.run_trial gives it",
                cause="results are cut on their way" if lacking else "random streams, threads or settings are changed",
                fix="run each trial with ganbench.run_trial, and give back its whole result",
            )


@check("executor")
def announces_every_trial(candidate: Candidate) -> None:
    """A TrialStarted is emitted for every trial before its result comes, in the calling process."""
    trace = seen(candidate, "mixed")
    started: set[str] = set()
    for record in trace.scenarios["mixed"]:
        if record["what"] == "event" and record["event"] == "TrialStarted":
            started.add(record["trial"])
        if record["what"] == "result" and record["trial"] and record["trial"] not in started:
            raise ContractError(
                "emits no TrialStarted for a trial before its result comes",
                cause="`emit` is not handed on, or what workers say is not read",
                fix="call emit in the calling process with each event that ganbench.run_trial(trial, emit) emits",
            )


@check("executor")
def leaves_no_process_behind(candidate: Candidate) -> None:
    """When the last trial has come back, its workers end."""
    _expect_nobody(seen(candidate, "mixed"), "mixed", "after the last result")


@check("executor")
def has_nothing_to_do_without_trials(candidate: Candidate) -> None:
    """Without any trial it ends at once and gives nothing."""
    trace = seen(candidate, "nothing")
    why = how_it_ended(trace, "nothing")
    if why or trace.results("nothing"):
        raise ContractError(
            f"given no trial, it {why or 'gives a result'}",
            cause="the first trial is looked at, or workers are waited for that were never started",
            fix="return before anything else where `trials` is empty: a run of which all is kept has nothing to do",
        )


@check("executor")
def can_be_closed_early(candidate: Candidate) -> None:
    """It gives results as they come; closed after the first, as by Ctrl-C, it stops and its workers end."""
    trace = seen(candidate, "closed")
    why = how_it_ended(trace, "closed")
    closing = _seconds_of_closing(trace)
    if not trace.results("closed") or _collects(trace):
        raise ContractError(
            f"gives no result before all trials have ended{f': it {why}' if why else ''}",
            cause="results are collected and given back together",
            fix="yield each result as it comes: it is stored then, and not lost if the run is stopped",
        )
    if why or closing > TIME_LIMITS.slow / 2:
        raise ContractError(
            f"closed after the first result, it {why or f'goes on for {closing:.0f} s'}",
            cause="the trials that still run are waited for when the iterator is closed",
            fix="end the workers in a `finally:` around the loop that yields",
        )
    _expect_nobody(trace, "closed", "after it was closed with trials still running")


def _collects(trace: ExecutorTrace) -> bool:
    """Whether all trials had begun, and the slow one had had its time, when the first result came."""
    began: dict[str, float] = {}
    for record in trace.scenarios["closed"]:
        if record["what"] == "result":
            return began.keys() >= {"first", "slow", "last"} and record["at"] - began["slow"] >= TIME_LIMITS.slow
        if record["what"] == "event" and record["event"] == "TrialStarted":
            began[record["trial"]] = record["at"]
    return False


def _seconds_of_closing(trace: ExecutorTrace) -> float:
    result, closed = trace.last("closed", "result"), trace.last("closed", "closed")
    return closed["at"] - result["at"] if result and closed else 0.0


def _expect_nobody(trace: ExecutorTrace, scenario: str, when: str) -> None:
    left = trace.last(scenario, "left")
    if left is None:
        raise NotApplicable(f"it did not come to an end: it {how_it_ended(trace, scenario)}")
    if left["processes"]:
        raise ContractError(
            f"leaves {len(left['processes'])} processes running {when}: {left['processes'][0]}",
            cause="workers are not ended, or not waited for",
            fix="end and join them in a `finally:` around the loop that yields results",
        )


@behaviour("executor")
def behaves(candidate: Candidate) -> Any:
    """Its plain settings. It is run in a process of its own alone, where it can do no harm."""
    executor = candidate.build()
    plain = (bool, int, float, str, type(None))
    settings = {name: value for name, value in getattr(executor, "__dict__", {}).items() if isinstance(value, plain)}
    return [type(executor).__name__, settings]
