"""The contract checks, a module for each kind of component, and two for all kinds."""

from . import any_component, members  # first: their basic checks come before those of single kinds

__all__ = ["any_component", "members"]
