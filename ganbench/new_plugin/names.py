"""Names that a plugin can have: a distribution's name whose module hides no other."""

from __future__ import annotations

import importlib.util
import keyword
import re

from ..errors import RequestError

PREFIX = "ganbench-"
LONGEST = 36  # characters of a component's name, which stands in the tables of a report
_PATTERN = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def package_of(name: str) -> str:
    """The module that a distribution's code is imported from."""
    return name.replace("-", "_")


def component_of(name: str) -> str:
    """What a suite calls the plugin's components."""
    return name.removeprefix(PREFIX)


def check_name(name: str) -> None:
    """Raises RequestError, with a name that would do, where `name` can be no distribution's or its module no plugin."""
    if why := _fault(name):
        raise RequestError(f"{name!r} cannot be a plugin's name: {why}; try {_corrected(name)!r}")


def _fault(name: str) -> str | None:
    if not _PATTERN.fullmatch(name):
        return "use lower-case letters, digits and single dashes, a letter first"
    if len(component_of(name)) > LONGEST:
        return f"{len(component_of(name))} characters, and tables have room for {LONGEST}"
    package = package_of(name)
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return f"{package!r} is a word of the Python language"
    if package == "tests":
        return "the project's tests are in a folder of that name"
    spec = importlib.util.find_spec(package)
    if spec is not None:
        place = f" ({spec.origin})" if spec.origin else ""
        return f"there is a module {package!r} already{place}"
    return None


def _corrected(name: str) -> str:
    """The name with what is wrong put right; of several ways the first that does."""
    words = "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:LONGEST].rstrip("-")
    own = [words, f"{words}-plugin"] if words.startswith("ganbench") else [words, PREFIX + words]
    return next((candidate for candidate in own if _fault(candidate) is None), f"{PREFIX}mine")
