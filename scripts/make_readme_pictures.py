"""Makes the two pictures of README.md: a report, and a failure with its cure.

    python scripts/make_readme_pictures.py results/basic/report/index.html

docs/pictures/report.png is a part of that page, as Chromium shows it: the ranking, what failed, and scores over training
on one data set. docs/pictures/cured.png is put together from the pictures of docs/failures.md, which
`scripts/make_failures_page.py` draws.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
FAILURES = ROOT / "docs" / "failures"

WIDTH, MAX_HEIGHT = 1000, 3000  # pixels of the browser's window; what is empty below is cut off
COLOURS = 256  # a palette makes a small file
CHARTS_SHOWN = 2
PART_SHOWN = f"""
nav, .skip, #setup, .bar, #wrong, #trials, #about, footer, dialog, .tools, details {{ display: none !important }}
.dataset ~ .dataset, .dataset > :not(h2, .charts.large), .command {{ display: none !important }}
.charts.large > :nth-child(n + {CHARTS_SHOWN + 1}) {{ display: none !important }}
body {{ padding-block: 1rem !important }}
"""
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)

FAILURE = "mode-collapse"
SAMPLES_SHARE = 0.5  # of a picture's height: samples are above, curves below
INK = "#22262b"


def main() -> None:
    """Make both pictures; the report's from the page that is named."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    PICTURES.mkdir(exist_ok=True)
    save(photograph(Path(sys.argv[1])), PICTURES / "report.png")
    save(put_together(FAILURE), PICTURES / "cured.png")


def photograph(page: Path) -> Image.Image:
    """Return what Chromium shows of a report's page, without the sections that the README has no room for."""
    with tempfile.TemporaryDirectory() as folder:
        copy, picture = Path(folder) / "page.html", Path(folder) / "page.png"
        text = page.read_text(encoding="utf-8").replace("</head>", f"<style>{PART_SHOWN}</style></head>", 1)
        copy.write_text(text, encoding="utf-8")
        window = (f"--window-size={WIDTH},{MAX_HEIGHT}", f"--screenshot={picture}", f"--user-data-dir={folder}/profile")
        subprocess.run(["chromium", *FLAGS, *window, copy.as_uri()], check=True, capture_output=True, timeout=120)
        with Image.open(picture) as image:
            return crop_below(image.convert("RGB"))


def crop_below(image: Image.Image) -> Image.Image:
    """Cut off the rows at the bottom that are all of one colour."""
    background = image.getpixel((1, image.height - 1))
    height = image.height
    while height > 1 and image.crop((0, height - 1, image.width, height)).getcolors(1) == [(image.width, background)]:
        height -= 1
    return image.crop((0, 0, image.width, min(height + 12, image.height)))


def put_together(failure: str) -> Image.Image:
    """Return the samples of a failed run above those of the same run with the recommended remedy."""
    rows = [(failure, f"`ganbench diagnose` finds {failure}"), (f"{failure}-cured", "trained again with its remedy")]
    with matplotlib.rc_context({"font.size": 10, "text.color": INK}):
        figure = Figure(figsize=(8.0, 4.75), dpi=120, facecolor="white", layout="constrained")
        for axes, (name, title) in zip(figure.subplots(2, 1), rows, strict=True):
            with Image.open(FAILURES / f"{name}.png") as image:
                samples = image.convert("RGB").crop((0, 0, image.width, round(SAMPLES_SHARE * image.height)))
            axes.imshow(samples, interpolation="none")
            axes.set_title(title.replace("`", ""), loc="left", fontweight="bold")
            axes.axis("off")
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def save(image: Image.Image, path: Path) -> None:
    """Write an image with a palette; octrees keep the colours of thin lines apart."""
    image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
