"""Threads in turns: one at a time, each with global state of its own, and on a GPU a stream and a generator of its own."""

from __future__ import annotations

import random
import threading
import time
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch

from ganbench.training.turns import TurnLost, Turns


def in_threads(*works) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


def test_one_thread_runs_at_a_time_and_each_gets_its_turn():
    turns, order, running = Turns("cpu"), [], []

    def work(name: str) -> None:
        with turns.taking() as turn:
            for _ in range(5):
                running.append(name)
                time.sleep(0.002)
                assert running == [name]
                running.remove(name)
                order.append(name)
                turn.pass_on()

    with turns.taking() as first:
        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        while len(turns._waiting) < 3:
            time.sleep(0.001)
        with first.away():
            for thread in threads:
                thread.join(20)
    assert sorted(order) == sorted("abc" * 5)
    assert {tuple(sorted(order[i : i + 3])) for i in range(0, 15, 3)} == {("a", "b", "c")}  # round by round


def test_each_thread_keeps_its_random_numbers_and_settings():
    turns, drawn = Turns("cpu"), {}

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), torch.rand(()).item()

    def seed(value: int) -> None:
        random.seed(value), np.random.seed(value), torch.manual_seed(value)

    def work(value: int) -> None:
        with turns.taking() as turn:
            seed(value)
            torch.set_default_dtype(torch.float64 if value % 2 else torch.float32)
            drawn[value] = []
            for _ in range(4):
                drawn[value].append(draw())
                assert torch.get_default_dtype() == (torch.float64 if value % 2 else torch.float32)
                turn.pass_on()

    expected = {}
    for value in range(3):
        torch.set_default_dtype(torch.float64 if value % 2 else torch.float32)
        seed(value)
        expected[value] = [draw() for _ in range(4)]
    torch.set_default_dtype(torch.float32)
    seed(7)
    expected_here = [draw() for _ in range(2)]
    seed(7)
    with turns.taking() as first:
        here = [draw()]
        threads = [threading.Thread(target=work, args=(value,)) for value in range(3)]
        for thread in threads:
            thread.start()
        with first.away():
            for thread in threads:
                thread.join(20)
        here.append(draw())
        assert torch.get_default_dtype() == torch.float32
    assert drawn == expected and here == expected_here


def test_a_turn_that_does_not_end_can_be_given_up():
    turns, may_end = Turns("cpu"), threading.Event()

    def keep() -> None:
        with turns.taking():
            may_end.wait(20)

    thread = threading.Thread(target=keep)
    with pytest.raises(TurnLost), turns.taking() as turn:
        thread.start()
        with turn.away(give_up=lambda: True):
            while turns._waiting:
                time.sleep(0.001)
    assert not turn.is_its_turn
    may_end.set()
    thread.join(20)
    with turns.taking():  # it was handed on nevertheless
        pass


def test_an_error_while_away_is_raised_with_the_turn_back():
    turns = Turns("cpu")
    with pytest.raises(KeyError), turns.taking() as turn:
        try:
            with turn.away():
                raise KeyError
        finally:
            assert turn.is_its_turn


def test_on_a_gpu_each_thread_has_a_stream_a_generator_and_a_count_of_memory():
    """Calls in their order, where there is no GPU: what they do is tested on one."""
    state = SimpleNamespace(allocated=100, most=100)
    default = mock.Mock(name="default generator")
    default.graphsafe_get_state.return_value = "the device's"
    streams: list[mock.Mock] = []

    def stream(device: torch.device) -> mock.Mock:
        streams.append(mock.Mock())
        return streams[-1]

    stubs = {
        "init": mock.Mock(),
        "current_device": lambda: 0,
        "default_generators": (default,),
        "Stream": stream,
        "stream": mock.MagicMock(),
        "current_stream": mock.Mock(),
        "memory_allocated": lambda device: state.allocated,
        "max_memory_allocated": lambda device: max(state.most, state.allocated),
        "reset_peak_memory_stats": lambda device: setattr(state, "most", state.allocated),
    }
    seen = []

    def work() -> None:
        with turns.taking() as turn:
            state.allocated, state.most = 160, 190
            turn.pass_on(steps_alone=True)
            state.allocated, state.most = 220, 230
            turn.pass_on(steps_alone=True)
        seen.append((turn.used, turn.peak))

    with mock.patch.multiple(torch.cuda, **stubs), mock.patch.object(torch, "Generator", lambda device: "its own"):
        turns = Turns("cuda")
        with turns.taking() as first:
            thread = threading.Thread(target=work)
            thread.start()
            while not turns._waiting:
                time.sleep(0.001)
            for _ in range(3):
                with first.away(steps_alone=True):
                    time.sleep(0.05)
            thread.join(20)
            assert (first.used, first.peak) == (0, 0)
        assert len(streams) == 1 and stubs["stream"].call_args == mock.call(streams[0])
        put = [call.args[0] for call in default.graphsafe_set_state.call_args_list]
        assert put[0] == "its own" and put[-1] == "the device's" and set(put) == {"its own", "the device's"}
        ((used, peak),) = seen
        assert (used, peak) == (120, 130)
