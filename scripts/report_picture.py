"""Make the pictures of a report that the docs show: its first screen, and curves with samples.

    python scripts/report_picture.py results/basic docs/report

writes docs/report/first-screen.png and docs/report/curves-and-samples.png. It needs Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from chromium import Browser

WIDTH, FIRST_HEIGHT, SECOND_HEIGHT = 1180, 1180, 1500  # CSS pixels
COLOURS = 160  # of a picture: its file is a third as large


def main() -> None:
    """Take both pictures of the report in a results folder."""
    page, folder = Path(sys.argv[1]) / "report" / "index.html", Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(Path(profile) / "profile")
        try:
            browser.emulate()
            browser.call("Emulation.setScrollbarsHidden", hidden=True)
            browser.resize(WIDTH, FIRST_HEIGHT)
            browser.open(page)
            _take(browser, folder / "first-screen.png")
            browser.resize(WIDTH, SECOND_HEIGHT)
            # Without what lies between, curves and samples are seen together.
            browser.run(
                "document.querySelectorAll('.bar, .signals, section.dataset > .scroll, .numbers').forEach(e => e.hidden = true);"
                "document.querySelector('section.dataset h2').scrollIntoView()"
            )
            _take(browser, folder / "curves-and-samples.png")
        finally:
            browser.close()


def _take(browser: Browser, file: Path) -> None:
    browser.run("new Promise(done => setTimeout(done, 500))")  # pictures are decoded when they are seen
    browser.screenshot(file)
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    main()
