"""Stage 3: the one training loop, and what it does when the numbers break."""

from .game import Game
from .gan import GAN
from .loop import Ending, train

__all__ = ["GAN", "Ending", "Game", "train"]
