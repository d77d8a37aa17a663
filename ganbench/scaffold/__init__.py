"""A plugin's project, written from templates: it installs, keeps the contract and passes its own tests unchanged."""

from .project import Project, write_project

__all__ = ["Project", "write_project"]
