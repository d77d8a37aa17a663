"""Stage 7: the results folder. One trial is written whole or not at all; many are read. Never runs what it reads."""

from .folder import Store
from .reading import Unreadable, read_history, read_result
from .writing import write_atomically, write_trial

__all__ = ["Store", "Unreadable", "read_history", "read_result", "write_atomically", "write_trial"]
