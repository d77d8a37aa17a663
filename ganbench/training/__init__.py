"""Stage 3: the one training loop, its random streams, and what it does when the numbers break."""

from .gan import GAN
from .loop import Ending, train
from .seeding import isolated, plant, seed_for, undisturbed

__all__ = ["GAN", "Ending", "isolated", "plant", "seed_for", "train", "undisturbed"]
