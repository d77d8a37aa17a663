"""Stage 3: the one training loop, and what it does when the numbers break."""

from .gan import GAN
from .loop import Ending, train

__all__ = ["GAN", "Ending", "train"]
