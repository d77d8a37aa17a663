"""Makes the pictures of README.md: parts of a report, and a failure with its cure.

    python scripts/make_readme_pictures.py results/basic/report/index.html

In docs/pictures, ranking.png and curves.png are parts of that page, as Chromium shows them: the ranking and what failed,
and scores over training on one data set. cured.png is put together from the pictures of docs/failures.md, which
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
PARTS_SHOWN = {  # the rest of the page is hidden
    "ranking": """
        nav, .skip, .lede, .command, #setup, .bar, .dataset, #wrong, #trials, #about, footer, dialog, .tools,
        #ranking > .reading { display: none !important }
        body { padding-block: 0.5rem !important }
    """,
    "curves": """
        header, .skip, #setup, #ranking, .attention, .bar, .dataset ~ .dataset, #wrong, #trials, #about, footer, dialog,
        .dataset > :not(h3:first-of-type, .charts.large), .charts.large > :nth-child(n + 3) { display: none !important }
        body, main, .dataset, h3 { padding-block: 0 !important; margin-block: 0.3rem !important; border: 0 !important }
    """,
}
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)

FAILURE = "mode-collapse"
SAMPLES_SHARE = 0.5  # of a picture's height: samples are above, curves below
INK = "#22262b"


def main() -> None:
    """Make all pictures; those of the report from the page that is named."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    PICTURES.mkdir(exist_ok=True)
    for name, style in PARTS_SHOWN.items():
        save(photograph(Path(sys.argv[1]), style), PICTURES / f"{name}.png")
    save(put_together(FAILURE), PICTURES / "cured.png")


def photograph(page: Path, style: str) -> Image.Image:
    """Return what Chromium shows of a report's page under one more style sheet."""
    with tempfile.TemporaryDirectory() as folder:
        copy, picture = Path(folder) / "page.html", Path(folder) / "page.png"
        text = page.read_text(encoding="utf-8").replace("</head>", f"<style>{style}</style></head>", 1)
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
