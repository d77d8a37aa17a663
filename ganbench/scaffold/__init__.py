"""Write the project of a new plugin from templates: it installs, passes the contract checks and its own tests."""

from .project import Project, write_project

__all__ = ["Project", "write_project"]
