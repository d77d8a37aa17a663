"""Is the program what its author thinks? Facts that the first steps of a training loop show, of any loop.

`watch` records what happens, `rules` says what is wrong with it, `weights` what has changed, `data` what is not finite.
The texts are the diagnosis's: `builtin/diagnoses/wiring.py`.
"""
