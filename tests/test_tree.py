"""The tree stays easy to enter: few rooms, files as long as their concepts, one name for one thing, no circles."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from ganbench.contract.renamed import EVIDENCE

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ganbench"

STAGES = {
    "contract",
    "registry",
    "suite",
    "training",
    "observation",
    "evaluation",
    "diagnosis",
    "trial.py",
    "results",
    "pipeline.py",
    "cli",
}
WINGS = {"builtin", "monitor", "logs", "zoo", "testing", "scaffold"}
MAX_STAGES, MAX_WINGS = 12, 6
MAX_FILES_PER_1000_LINES = 9.0

# Names and words of the private vocabulary that ganbench had, as they stand in code and text. Ordinary words that it
# used in a sense of its own (held, broken, drawn, kinds) cannot be searched for.
FORMER_NAMES = """
    still_standing stored_of offered_by may_lack unfold unfolds unfolded amended put_back undisturbed whole_packs play_on
    Glance Probing locate sabotage sabotaged folklore soundness suspicion suspicions tips sameness surroundings verifying
    foreign_logs gathering thinning too_little twins weighed reproach Complaint whiskers Violation mend mended mends
    carry_out Rehearsal Subject FEWEST LONGEST SHORTEST KEPT SURE MOST WIDE Breakdown Judge JudgeOfGames d_ahead
    strong_critic stirring ears Trouble _mute _outlive_nobody stands_twice crew Lesson Pool plant wording Unseen restless
    foretell foretold
""".split()  # noqa: SIM905
FORMER_PHRASES = [
    "by heart",
    "stands twice",
    "stand twice",
    "lived again",
    "live again",
    "played on",
    "plays on",
    "whatever stands",
    "nobody knows",
    "what it is made of",
    "hardest to foretell",
    "is heard no more",
    "told from",
]
TEXT = {".py", ".md", ".toml", ".jinja", ".css"}
SEARCHED = ["ganbench", "plugins", "tests", "docs", "examples", "scripts", "benchmarks"]
SEARCHED_FILES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "noxfile.py", "pyproject.toml"]
ABOUT_FORMER_NAMES = {  # where old names are read, or said to be old
    "ganbench/contract/renamed.py",
    "ganbench/contract/moved.py",
    "ganbench/contract/adapt.py",
    "ganbench/contract/view.py",
    "ganbench/testing/check.py",
    "ganbench/testing/kinds/members.py",
    "docs/glossary.md",
    "docs/plugins.md",
    "tests/docs/test_plugins_page.py",
    "tests/testing/test_members.py",
    "tests/test_tree.py",
    "tests/contract",
    "tests/results/test_older_schemas.py",
}
NOT_ABOUT_EVIDENCE = [
    "tests",
    "ganbench/zoo/ground_truth",  # it has names of its own, one of them `copied`
    "benchmarks/checkpoints.py",  # ADA has an option `speed`
]


def modules() -> dict[str, Path]:
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    return {name.removesuffix(".__init__"): path for name, path in found.items()}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_package_is_one_line_of_stages_with_wings():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    files = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert rooms | files == STAGES | WINGS
    assert len(STAGES) <= MAX_STAGES and len(WINGS) <= MAX_WINGS


def test_architecture_names_every_room():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for room in STAGES | WINGS:
        assert f"| `{room}` |" in text or f"| `{room}/` |" in text, room


def test_files_are_as_long_as_their_concepts():
    lines = [len(path.read_text(encoding="utf-8").splitlines()) for path in modules().values()]
    assert 1000 * len(lines) / sum(lines) <= MAX_FILES_PER_1000_LINES, f"{len(lines)} files of {sum(lines)} lines"


def test_no_two_public_classes_share_a_name():
    places = defaultdict(list)
    for name, path in modules().items():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert not {name: where for name, where in places.items() if len(where) > 1}


def test_no_script_hides_a_module_of_python():
    """Its folder comes first where modules are looked for, so that no script beside it could import that module."""
    scripts = [path for folder in ("benchmarks", "scripts") for path in (ROOT / folder).glob("*.py")]
    assert scripts and not [path.name for path in scripts if path.stem in sys.stdlib_module_names]


def test_modules_do_not_import_each_other_in_circles():
    known = modules()
    graph = {name: set(imports_of(name, path, known)) - {name} for name, path in known.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def imports_of(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of ganbench that a module imports when it is imported itself."""
    parts = name.split(".")
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in imported_at_once(tree_of(path).body):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known and alias.name != "ganbench")
        else:
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            for alias in node.names:
                full = f"{target}.{alias.name}"
                if full in known or target in known:
                    yield full if full in known else target


def imported_at_once(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements that run with the module: those in functions and under TYPE_CHECKING do not."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from imported_at_once([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from imported_at_once([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.ClassDef | ast.With):
            yield from imported_at_once(node.body)


def test_every_stage_imports_only_earlier_ones():
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_former_names_are_gone():
    pattern = re.compile(
        r"(?<![A-Za-z0-9_])(?:" + "|".join(map(re.escape, [*FORMER_NAMES, *FORMER_PHRASES])) + r")(?![A-Za-z0-9_])"
    )
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {match[0]}"
        for path in searched_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]
    assert not found, "\n" + "\n".join(found)


def test_evidence_goes_by_its_new_names():
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{node.lineno}: {node.value!r}"
        for path in searched_files()
        if path.suffix == ".py" and not any(path.is_relative_to(ROOT / place) for place in NOT_ABOUT_EVIDENCE)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and node.value in EVIDENCE
    ]
    assert not found, "\n" + "\n".join(found)


def searched_files() -> list[Path]:
    files = [ROOT / name for name in SEARCHED_FILES if (ROOT / name).is_file()]
    for folder in SEARCHED:
        files += sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in TEXT and path.is_file())
    excluded = [ROOT / name for name in ABOUT_FORMER_NAMES]
    return [path for path in files if not any(path.is_relative_to(place) for place in excluded)]
