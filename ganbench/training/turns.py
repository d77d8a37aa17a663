"""Lets several trials of one process advance in turns, a thread each, as if each were alone.

Only the thread whose turn it is runs. What is global in Python, numpy and torch, random numbers and settings, is that
trial's own: it is put aside with the turn and found again at the next. On a CUDA device each has a stream and a random
number generator of its own too, so that what one has launched goes on while another launches: work of small networks
overlaps there, though Python does one thing at a time.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from .seeding import SETTINGS

ASKING_SECONDS = 0.5  # between two questions whether to go on waiting
LEAVING_SECONDS = 1.0  # that a thread waits for its turn after an error


class TurnLost(Exception):
    """A thread has no turn any more, since it did not wait for it."""


class Turns:
    """Turns of threads that work on one device.

    The first that takes part finds its global state again at the end; it has to stay to the end.

    Args:
        device: The device.
    """

    def __init__(self, device: str) -> None:
        self.device = torch.device(device)
        if self.device.type == "cuda":
            torch.cuda.init()  # its random number generators are there from then on
        self._mutex = threading.Lock()
        self._is_taken = self._has_first = False
        self._waiting: deque[threading.Lock] = deque()  # each is released when it is its thread's turn

    @contextmanager
    def taking(self) -> Iterator[Turn]:
        """Let this thread take part in the block, which begins with its first turn and ends with its last."""
        self._take()
        turn: Turn | None = None
        try:
            is_first, self._has_first = not self._has_first, True
            turn = Turn(self, is_first)
            with turn.on_its_stream():
                yield turn
            if turn.is_its_turn:
                turn.end()
        finally:
            if turn is None or turn.is_its_turn:
                self._hand_on()

    @property
    def someone_waits(self) -> bool:
        """Whether another thread waits for its turn."""
        return bool(self._waiting)

    def _take(self, give_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait for a turn, or until `give_up` returns True; return whether it is this thread's."""
        with self._mutex:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        while not mine.acquire(timeout=ASKING_SECONDS):
            if give_up():
                break
        else:
            return True
        with self._mutex:
            if mine not in self._waiting:  # it has just been handed on
                return True
            self._waiting.remove(mine)
            return False

    def _hand_on(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


class Turn:
    """The part of one thread. Its global state begins as whatever it finds.

    Args:
        turns: What it is part of.
        is_first: Whether it works on the stream, and with the random number generator, that the device has anyhow.

    Attributes:
        used: Bytes of the device's memory that the thread has allocated and not freed; 0 on a CPU.
        peak: The most that it had.
        seconds: In its turns.
        is_its_turn: Whether the thread is in one.
    """

    def __init__(self, turns: Turns, is_first: bool) -> None:
        self.used = self.peak = 0
        self.seconds = 0.0
        self.is_its_turn = True
        self._may_share = True  # whether others may see what was done since the device was last waited for
        self._turns, self._device = turns, turns.device
        self._on_gpu = self._device.type == "cuda"
        self._stream: Any = None
        if self._on_gpu:
            # Graphs draw from the generator that they were recorded with: threads with one in common would draw from
            # each other's place in it.
            default = _default_generator(self._device)
            self._generator = default.graphsafe_get_state() if is_first else torch.Generator(self._device)
            if not is_first:
                self._stream = torch.cuda.Stream(self._device)
                default.graphsafe_set_state(self._generator)
        self._begin_turn()

    def pass_on(self, *, steps_alone: bool = False) -> None:
        """Let the others take their turns, if any waits; return when it is this thread's turn again.

        Args:
            steps_alone: Whether nothing was done in this turn but steps of a game, whose tensors nobody else sees. What the
                device has still to do of them is then not waited for.
        """
        self._may_share |= not steps_alone
        if self._turns.someone_waits:
            with self.away(steps_alone=True):
                pass

    @contextmanager
    def away(self, *, steps_alone: bool = False, give_up: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Do without a turn in the block, as to wait for something; nothing may be done with the device there.

        Args:
            steps_alone: As for `pass_on`.
            give_up: Is asked now and then whether to go on without a turn, since another's does not end.

        Raises:
            TurnLost: `give_up` has returned True. If the block raises, `LEAVING_SECONDS` are waited at most instead.
        """
        self._may_share |= not steps_alone
        self.end()
        own = _GlobalState()
        self.is_its_turn = False
        self._turns._hand_on()
        try:
            yield
        except BaseException:
            end = time.monotonic() + LEAVING_SECONDS
            self._come_back(own, lambda: time.monotonic() > end)
            raise
        self._come_back(own, give_up)
        if not self.is_its_turn:
            raise TurnLost

    def _come_back(self, own: _GlobalState, give_up: Callable[[], bool]) -> None:
        if not self._turns._take(give_up):
            return
        self.is_its_turn = True
        own.restore()
        if self._on_gpu:
            _default_generator(self._device).graphsafe_set_state(self._generator)
        self._begin_turn()

    def on_its_stream(self) -> Any:
        """Return a context in which the thread's work goes to its own stream."""
        return torch.cuda.stream(self._stream) if self._stream is not None else nullcontext()

    def end(self) -> None:
        """Count what the turn took, and wait for the device unless there were steps alone."""
        self.seconds += time.perf_counter() - self._began
        if not self._on_gpu:
            return
        if self._may_share:
            torch.cuda.current_stream(self._device).synchronize()
            self._may_share = False
        most = self.used + torch.cuda.max_memory_allocated(self._device) - self._at_first
        self.peak = max(self.peak, most)
        self.used += torch.cuda.memory_allocated(self._device) - self._at_first

    def _begin_turn(self) -> None:
        self._began = time.perf_counter()
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._at_first = torch.cuda.memory_allocated(self._device)


class _GlobalState:
    """Random numbers and settings of Python, numpy and torch on the CPU, as they are now."""

    def __init__(self) -> None:
        self._random = random.getstate(), np.random.get_state(), torch.get_rng_state()
        self._settings = [read() for read, _, _ in SETTINGS.values()]
        self._threads = torch.get_num_threads()

    def restore(self) -> None:
        random.setstate(self._random[0])
        np.random.set_state(self._random[1])
        torch.set_rng_state(self._random[2])
        for (read, put, _), value in zip(SETTINGS.values(), self._settings, strict=True):
            if read() != value:
                put(value)
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)


def _default_generator(device: torch.device) -> Any:
    index = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[index]
