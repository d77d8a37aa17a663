"""Stage 1: a TOML file read and validated into a Suite, without importing anything that trains."""

from .reading import Suite, override, read

__all__ = ["Suite", "override", "read"]
