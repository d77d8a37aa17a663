"""Progress says what ended how, in 80 columns, and how long the rest takes, from what was measured."""

from __future__ import annotations

import io
import random
from dataclasses import replace

import pytest
from small_suites import MLP, SMALL_CONV, suite_table, trials_of

from ganbench.cli.progress import Tally
from ganbench.contract.events import TrialEnded, TrialProgress, TrialStarted
from ganbench.contract.records import Score, TrialResult


@pytest.fixture(scope="module")
def trials():
    table = suite_table(
        datasets={"ring": {"dataset": "ring", "steps": 500}, "digits": {"steps": 100}},
        methods={
            name: {"loss": loss, "points": MLP, "images": SMALL_CONV}
            for name, loss in {"plain": "hinge", "slow": "minimax", "slower": "least-squares"}.items()
        },
        metrics=["energy-distance"],
        seeds=5,
    )
    return sorted(trials_of(table), key=lambda trial: trial.seed)


SECONDS = {"plain": 3.0, "slow": 7.0, "slower": 20.0}


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_time_left_is_right_within_a_third_after_a_fifth_of_the_run(trials, workers):
    rng = random.Random(0)
    takes = {t.id: SECONDS[t.method] * (6 if t.dataset == "digits" else 1) * rng.uniform(0.9, 1.1) for t in trials}
    now, waiting, running, said = 0.0, list(trials), {}, []
    tally = Tally(trials, clock=lambda: now)
    while waiting or running:
        while waiting and len(running) < workers:
            trial = waiting.pop(0)
            running[trial.id] = (now + takes[trial.id], now, trial)
            tally.count(TrialStarted(trial))
        ends, _, trial = min(running.values(), key=lambda one: one[:2])
        now = ends
        for other_ends, began, other in running.values():
            done = int(other.training.steps * min(1.0, (now - began) / (other_ends - began)))
            tally.count(TrialProgress(other.id, done, other.training.steps, {}))
        del running[trial.id]
        tally.count(TrialEnded(TrialResult(trial, "done", steps=trial.training.steps, seconds=takes[trial.id])))
        said.append((now, tally.seconds_left))
    total = now
    for at, left in said:
        if 0.2 * total <= at <= 0.8 * total:
            assert (total - at) / 1.3 <= left <= 1.3 * (total - at), (at, left, total)
    assert said[-1][1] == 0


def test_results_of_an_earlier_run_say_how_long_it_takes(trials):
    ended = [TrialResult(trial, "done", steps=100, seconds=10.0) for trial in trials[:6]]
    assert Tally(trials[6:]).seconds_left is None and "time left unknown" in _line(Tally(trials[6:]))
    assert Tally(trials[6:], ended).seconds_left == pytest.approx(240)


def _line(tally):
    from ganbench.contract.events import RunStarted

    tally.count(RunStarted("s", tally.total, 0))
    return tally.line()


@pytest.mark.parametrize("width", [80, 100])
def test_what_is_said_of_a_trial_fits_and_begins_with_its_verdict(trials, width):
    scores = tuple(Score(step, "energy-distance", 0.01234, "lower", 0.0, 9, 9, 0.1) for step in (50, 100))
    done = TrialResult(trials[0], "done", steps=100, seconds=1.0, scores=scores, verdicts=("healthy",))
    tally = Tally(trials)
    tally.count(TrialEnded(done))
    assert tally.ended(done, width) == " 1/30  healthy  plain on ring, seed 0: energy-distance 0.0123"
    scores = tuple(replace(score, floor=0.0002) for score in scores)
    far = replace(done, scores=scores, verdicts=("inconclusive",))
    assert tally.ended(far, 100).startswith(" 1/30  inconclusive (62x floor)  plain on ring, seed 0")
    assert "floor" not in tally.ended(replace(far, verdicts=("divergence",)), 100)
    long = replace(trials[0], method="m" * 300, dataset="d" * 60)
    many = ("mode-collapse", "overpowering-discriminator", "oscillation", "memorization")
    for result in (
        replace(done, trial=long, verdicts=many),
        TrialResult(long, "diverged", "not finite since step 12: output of layer 'net.0' " * 9, steps=13),
        TrialResult(long, "error", "\x1b[31mRuntimeError\x1b[0m: no\nluck \u202e"),
    ):
        text = tally.ended(result, width)
        wide = [line for line in text.splitlines() if len(line) > width]
        assert not wide or all(verdict in wide[0] for verdict in result.verdicts)
        assert all(verdict in text for verdict in result.verdicts)
        assert all(line.isprintable() for line in text.splitlines())
        if result.status.lost:
            assert text.startswith(f" 1/30  {result.status} after") and "seed 0" in text
            assert " ".join(result.reason.split()).split()[0].replace("\x1b", "\\x1b") in text


def test_lost_trials_are_counted_and_their_whole_reason_is_said(trials):
    tally = Tally(trials)
    reason = "RuntimeError: " + " ".join(f"word{i}" for i in range(40))
    result = TrialResult(trials[0], "error", reason)
    tally.count(TrialEnded(result))
    said = tally.ended(result, 80)
    assert " ".join(said.split()).endswith(reason) and max(map(len, said.splitlines())) <= 80
    assert tally.line().endswith("1 failed") and len(tally.line()) <= 80


@pytest.mark.parametrize("width", [80, 100])
def test_the_live_display_shows_state_failures_and_running_trials_on_lines_of_their_own(trials, width):
    from rich.console import Console

    from ganbench.cli.progress import _LiveLine

    tally = Tally(trials)
    live = _LiveLine(tally)
    tally.count(TrialStarted(trials[0]))
    tally.count(TrialProgress(trials[0].id, 250, 500, {}))
    tally.count(TrialStarted(trials[1]))
    tally.count(TrialEnded(TrialResult(trials[1], "error", "no luck", seconds=1.0)))
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(live._render())
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0].startswith("1/30 trials") and lines[0].endswith("1 failed")
    assert set(lines[1]) == {"━"} and lines[2] == "  plain on ring, seed 0"
    assert max(map(len, lines)) <= width


def test_a_long_trial_says_how_long_the_run_takes_before_it_ends(trials):
    now = 0.0
    tally = Tally(trials[:1], clock=lambda: now)
    tally.count(TrialStarted(trials[0]))
    now = 10.0
    tally.count(TrialProgress(trials[0].id, 5, 500, {}))
    assert tally.seconds_left is None
    now = 100.0
    tally.count(TrialProgress(trials[0].id, 50, 500, {}))
    assert tally.seconds_left == pytest.approx(900)
