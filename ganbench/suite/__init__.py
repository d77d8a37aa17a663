"""Stage 1: a TOML file read and validated into a Suite, without importing anything that trains."""

from .reading import MethodEntry, Suite, method_entry, override, read

__all__ = ["MethodEntry", "Suite", "method_entry", "override", "read"]
