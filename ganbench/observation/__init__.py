"""Stage 4: signals read off a run while it trains, on a schedule, without changing it."""

from .gradient import input_gradient
from .observer import Observer
from .schedule import Schedule
from .view import RunView

__all__ = ["Observer", "RunView", "Schedule", "input_gradient"]
