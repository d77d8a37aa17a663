"""Runs as tasks of a Ray cluster of two nodes: every row is right, whatever trials do and though a node is killed."""

from __future__ import annotations

import signal
import time

import pytest
from cluster_runs import numbers, reason_of, run_suite, start_run, statuses, write_suite

pytest.importorskip("ray")
pytest.importorskip("ganbench_ray")

from ray_nodes import two_nodes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RUN_SECONDS = 600.0
SLOW = {"slow": '{ name = "slow", seconds = 0.5 }'}


@pytest.fixture(scope="module")
def nodes():
    """A cluster of two nodes."""
    with two_nodes() as cluster:
        yield cluster


def wait_until(condition, what, seconds=300.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds:g} s not yet: {what}"
        time.sleep(0.1)


def test_each_row_is_that_of_inline_beside_trials_that_raise(nodes, tmp_path):
    losses = {"ok": '"non-saturating"', "raising": '{ name = "failing", raises = 100 }'}
    suite = write_suite(tmp_path / "suite", f'{{ name = "ray", address = "{nodes.address}" }}', losses)
    inline = write_suite(tmp_path / "inline suite", '"inline"', losses)
    code, printed = run_suite(suite, tmp_path / "out", timeout=RUN_SECONDS)
    assert code == 1 and "3 trials ended in error or timeout" in printed, printed
    assert run_suite(inline, tmp_path / "inline", timeout=RUN_SECONDS)[0] == 1
    assert numbers(tmp_path / "out") == numbers(tmp_path / "inline")
    assert not (tmp_path / "out" / "ray").exists(), "nothing of the tasks is left"


def test_a_trial_that_dies_or_hangs_costs_no_other(nodes, tmp_path):
    losses = {
        "dying": '{ name = "failing", dies = 100 }',
        "hanging": '{ name = "failing", hangs = 100 }',
        "ok": '"hinge"',
    }
    executor = f'{{ name = "ray", address = "{nodes.address}" }}'
    suite = write_suite(tmp_path / "suite", executor, losses, seeds=2, timeout=20.0)
    code, printed = run_suite(suite, tmp_path / "out", timeout=RUN_SECONDS)
    assert code == 1, printed
    assert statuses(tmp_path / "out") == {
        "dying 0": "error", "dying 1": "error", "hanging 0": "timeout", "hanging 1": "timeout",
        "ok 0": "done", "ok 1": "done",
    }  # fmt: skip
    assert reason_of(tmp_path / "out", "dying", 0).startswith("the worker died: ")
    assert reason_of(tmp_path / "out", "hanging", 0) == "not done after 20 s"


def test_a_paused_run_saves_checkpoints_and_goes_on(nodes, tmp_path):
    output = tmp_path / "out"
    suite = write_suite(tmp_path / "suite", f'{{ name = "ray", address = "{nodes.address}" }}', SLOW, seeds=2, steps=80)
    run = start_run(suite, output)
    wait_until(lambda: len({file.parent for file in output.glob("checkpoints/*/0*")}) == 2, "both are saved")
    run.send_signal(signal.SIGTERM)
    printed, _ = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 75 and "paused by SIGTERM" in printed, printed
    code, printed = run_suite(suite, output, timeout=RUN_SECONDS)
    assert code == 0 and "goes on after" in printed, printed


def test_methods_without_a_node_that_has_what_they_take_are_told(tmp_path):
    suite = write_suite(tmp_path / "suite", '{ name = "ray", custom = { a100 = 1.0 } }', {"ok": '"hinge"'}, seeds=1)
    code, printed = run_suite(suite, tmp_path / "out", timeout=RUN_SECONDS)
    assert code == 2 and "takes 1 CPU, 1 a100, and this machine has less" in printed and "Traceback" not in printed


def test_the_trials_of_a_node_that_is_killed_go_on_from_their_checkpoints(nodes, tmp_path):
    output = tmp_path / "out"
    executor = f'{{ name = "ray", address = "{nodes.address}", threads = 1 }}'
    suite = write_suite(tmp_path / "suite", executor, SLOW, seeds=3, steps=80)
    run = start_run(suite, output)
    wait_until(
        lambda: len({file.parent for file in output.glob("checkpoints/*/0*")}) >= 2, "a trial on each node is saved"
    )
    nodes.kill_second()
    printed, _ = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0 and "its node is gone; it goes on in another task" in printed, printed
    assert "goes on after" in printed
    inline = write_suite(tmp_path / "inline suite", '"inline"', SLOW, seeds=3, steps=80)
    assert run_suite(inline, tmp_path / "inline", timeout=RUN_SECONDS)[0] == 0
    assert numbers(output) == numbers(tmp_path / "inline")
