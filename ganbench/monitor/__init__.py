"""The diagnoses of a trial for a training loop that ganbench does not run: `ganbench.Monitor`.

`capture` records what the loop does with its networks in the steps before an observation, `call_convention` infers how
it calls them, `LoopView` shows the run to the observer, and `isolation` keeps all of it invisible to the loop.
"""

from .monitor import Monitor

__all__ = ["Monitor"]
