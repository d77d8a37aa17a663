"""The messages of docs/troubleshooting.md are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OF_OTHERS = {"command not found", "requires a different Python", "No space left on device", "CUDA out of memory"}
# Statuses and verdicts, in a sentence of the page:
WORDS = {"error", "inconclusive", "no-failure-found", "undertrained", "wiring"}


def messages() -> list[str]:
    rows = re.findall(r"^\| (.+?) \| .+? \| .+? \|$", PAGE, re.MULTILINE)
    return [message for row in rows for message in re.findall(r"`([^`]+)`", row) if message not in OF_OTHERS | WORDS]


@pytest.fixture(scope="module")
def source() -> str:
    """The code of ganbench and its plugins, with texts that go on in the next line joined."""
    folders = [ROOT / "ganbench", *(ROOT / "plugins").glob("*/ganbench_*")]
    code = "\n".join(file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.rglob("*.py")))
    return re.sub(r"[\"']\s*\n\s*f?[\"']", "", code)


def test_it_explains_many_messages():
    assert len(messages()) > 40


@pytest.mark.parametrize("message", messages())
def test_its_message_is_in_the_code(message, source):
    said = [part.strip(" :,") for part in message.removeprefix("ganbench: ").split("…")]
    assert any(said)
    for part in filter(None, said):
        assert part in source, f"no message says {part!r}"
