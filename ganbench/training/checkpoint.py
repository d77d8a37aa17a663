"""When a trial in training is saved: at intervals, and when it is asked to pause."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..contract.records import Checkpoints
from .game import GAN
from .pause import TrialPaused, is_pausing

INTERVAL_SECONDS = 30.0  # between two checkpoints, unless the suite says otherwise
MAX_SHARE = 0.01  # of the time, that saving takes at that interval


class Checkpointer:
    """Saves a game in training when that is due.

    Without a setting a checkpoint is due after `INTERVAL_SECONDS`, or later where saving one takes so long that it would
    be more than `MAX_SHARE` of the time. An interval that is set is kept, whatever it costs.

    Args:
        gan: The game.
        settings: Where to and how often; None to save nothing.
        save: Saves the trial. What it raises is its failure, and training goes on.
        warn: Is told in one line why a checkpoint could not be saved, once.
    """

    def __init__(
        self, gan: GAN, settings: Checkpoints | None, save: Callable[[], None], warn: Callable[[str], None]
    ) -> None:
        self._gan, self._settings, self._save, self._warn = gan, settings, save, warn
        self._failed = False
        self._saved_at = self._position
        minutes = None if settings is None else settings.minutes
        self._has_default = settings is not None and minutes is None and settings.steps is None
        seconds = INTERVAL_SECONDS if self._has_default else float("inf") if minutes is None else 60 * minutes
        self._interval = seconds
        self._due_at = time.monotonic() + seconds

    def before_step(self) -> None:
        """Save the trial if that is due. Raise TrialPaused, with the trial saved, if it has been asked to pause."""
        if is_pausing():
            if self._settings is not None:
                self._save_once()
            raise TrialPaused
        if self._settings is not None and self._is_due(self._settings):
            self._save_once()

    def _is_due(self, settings: Checkpoints) -> bool:
        if time.monotonic() >= self._due_at:
            return True
        return settings.steps is not None and self._gan.steps_done % settings.steps == 0 and self._gan.steps_done > 0

    def _save_once(self) -> None:
        """Save the trial, unless it has been saved as it is."""
        if self._position == self._saved_at:
            return
        began = time.monotonic()
        try:
            self._save()
            self._failed = False
        except Exception as error:
            if not self._failed:
                self._warn(f"no checkpoint is saved after {self._gan.steps_done} steps, and training goes on: {error}")
            self._failed = True
        self._saved_at, now = self._position, time.monotonic()
        self._due_at = now + max(self._interval, (now - began) / MAX_SHARE if self._has_default else 0.0)

    @property
    def _position(self) -> tuple[int, int]:
        return self._gan.steps_done, self._gan.d_updates
