"""A plugin's project, written from templates: it installs, keeps the contract and passes its own tests unchanged."""

from .project import Project
from .writing import write

__all__ = ["Project", "write"]
