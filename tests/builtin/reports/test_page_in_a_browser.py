"""The page in a headless Chromium: what its script adds works, with a pointer and with keys, and nothing is requested."""

import json

import numpy as np
import pytest
from chromium import EXECUTABLE, Browser

from ganbench.builtin.reports.html_page import HtmlReport

pytestmark = [pytest.mark.browser, pytest.mark.skipif(EXECUTABLE is None, reason="there is no Chromium")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("browser") / "profile")
    yield browser
    browser.close()


@pytest.fixture
def page(browser, comparison, tmp_path):
    browser.resize(1280, 900)
    browser.emulate()
    (file,) = HtmlReport().write(with_scores(comparison), tmp_path / "report")
    browser.open(file)
    return file


def with_scores(comparison):
    """Give each trial scores at four steps: 0.1 of `plain`, 0.2 of the next method, 0.3."""
    template = comparison.scores.iloc[0].to_dict()
    levels = {method: 0.1 * number for number, method in enumerate(comparison.trials.method.unique(), 1)}
    comparison.scores = comparison.scores.iloc[:0].copy()
    for row in comparison.trials.to_dict("records"):
        for step in (125, 250, 375, 500):
            comparison.scores.loc[len(comparison.scores)] = template | {
                **{name: row[name] for name in ("suite", "trial", "dataset", "method", "seed")},
                "step": step,
                "metric": "energy_distance",
                "better": "lower",
                "value": levels[row["method"]] + 0.01 * row["seed"],
            }
    return comparison


def texts(browser, selector):
    return browser.run(
        f"Array.from(document.querySelectorAll({json.dumps(selector)}), e => e.textContent.trim().replace(/\\s+/g, ' '))"
    )


def click(browser, selector):
    browser.run(f"document.querySelector({json.dumps(selector)}).click()")


def make_ready(browser):
    """Bring the first chart into view, where the script makes it ready."""
    browser.move_to(CHART)
    browser.wait_for(lambda: browser.run(f"document.querySelector('{CHART} .tip') !== null"))


CHART = "section.dataset .charts.large figure.chart"
COLUMN = ".trials tbody tr:not([hidden]) td:nth-of-type({})"


def test_it_asks_for_nothing_and_the_console_stays_empty(browser, page):
    browser.run("window.scrollTo(0, document.body.scrollHeight)")
    for selector in ("#all", "#none", "#all", ".seeds button:last-of-type", "summary"):
        click(browser, selector)
    assert browser.complaints() == []


def test_it_is_painted_within_a_second(browser, page):
    painted = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0]"
    times = []
    for _ in range(3):  # of which the first may wait for the browser, and any for another process
        browser.open(page)
        browser.wait_for(lambda: browser.run(painted))
        times.append(browser.run(painted))
    assert min(times) < 1000  # milliseconds


def test_a_column_sorts_up_and_down_and_keeps_missing_values_last(browser, page):
    head = ".trials thead th:nth-child(7)"
    click(browser, f"{head} button")
    assert browser.run(f"document.querySelector('{head}').getAttribute('aria-sort')") == "ascending"
    up = [int(text.replace(",", "")) for text in texts(browser, COLUMN.format(6))]
    assert up == sorted(up)
    click(browser, f"{head} button")
    down = [int(text.replace(",", "")) for text in texts(browser, COLUMN.format(6))]
    assert down == sorted(down, reverse=True) and down != up
    cells = "section.dataset .overview tbody td:nth-of-type(3)"
    click(browser, "section.dataset .overview thead th:nth-child(4) button")
    assert texts(browser, cells)[2].startswith("no score")
    click(browser, "section.dataset .overview thead th:nth-child(4) button")
    assert texts(browser, cells)[2].startswith("no score")


def test_a_header_is_sorted_with_the_keyboard(browser, page):
    browser.run("document.querySelector('.trials thead th:nth-child(3) button').focus()")
    browser.press("Enter")
    assert texts(browser, COLUMN.format(2)) == sorted(texts(browser, COLUMN.format(2)))


def test_rows_are_found_by_what_is_in_them(browser, page):
    browser.run(
        "var f = document.getElementById('find'); f.value = 'plain diverged'; f.dispatchEvent(new Event('input'))"
    )
    assert len(texts(browser, COLUMN.format(3))) == 1
    assert texts(browser, "#found") == ["1 of 18"]


def test_a_method_that_is_not_chosen_is_in_no_table_chart_or_picture(browser, page):
    bands = f"Array.from(document.querySelectorAll('{CHART} .series')).filter(e => e.style.display !== 'none').length"
    make_ready(browser)
    before = browser.run(f"document.querySelector('{CHART} .grid').textContent")
    charts = browser.run(f"document.querySelectorAll('{CHART}').length")
    assert browser.run(bands) == 3 * charts
    browser.run(
        "[...document.querySelectorAll('.chip')].find(c => c.textContent.trim() !== 'plain').querySelector('input').click()"
    )
    hidden = browser.run("document.querySelector('#bar input:not(:checked)').value")
    browser.wait_for(lambda: browser.run(f"document.querySelector('{CHART} .m{hidden}').style.display") == "none")
    assert browser.run(f"[...document.querySelectorAll('[data-m=\"{hidden}\"]')].every(e => e.hidden)")
    assert browser.run("document.querySelectorAll('.card:not([hidden])').length") == 4
    browser.run(
        f"[...document.querySelectorAll('#bar input')].forEach(b => {{ if (b.checked && b.value !== '{hidden}') b.click() }})"
    )
    click(browser, "#all")
    assert browser.run("document.querySelectorAll('.card:not([hidden])').length") == 6
    assert browser.run(f"document.querySelector('{CHART} .grid').textContent") == before


def test_values_are_read_under_the_pointer(browser, page):
    make_ready(browser)
    browser.move_to(f"{CHART} svg[data-box]", across=0.99)
    browser.wait_for(lambda: texts(browser, f"{CHART} .tip:not([hidden]) b"))
    values = sorted(float(text) for text in texts(browser, f"{CHART} .tip:not([hidden]) b"))
    assert values == pytest.approx([0.11, 0.21, 0.31], rel=5e-3)  # medians of three seeds
    assert texts(browser, f"{CHART} .tip:not([hidden]) div")[0] == "step 500"


def test_values_are_read_with_the_arrow_keys(browser, page):
    make_ready(browser)
    browser.run(f"document.querySelector('{CHART} svg[tabindex]').focus()")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert "step 250" in texts(browser, f"{CHART} [role=status]")[0]


def test_axes_become_logarithmic_and_back(browser, page):
    make_ready(browser)
    path = f"document.querySelector('{CHART} .line').getAttribute('d')"
    before = browser.run(path)
    for scale, same in (("log", False), ("", True)):
        browser.run(
            f"var a = document.getElementById('axes'); a.value = '{scale}'; a.dispatchEvent(new Event('change'))"
        )
        after = browser.run(path)
        read = np.array([point.split() for point in after[1:].split("L")], dtype=float)
        was = np.array([point.split() for point in before[1:].split("L")], dtype=float)
        assert np.allclose(read, was, atol=0.1) is same
        assert ("log scale" in texts(browser, f"{CHART} .note")[0]) is not same


def test_seeds_are_chosen(browser, page):
    shown = "document.querySelectorAll('.card .pictures figure:not([hidden])').length"
    assert browser.run(shown) == 6
    click(browser, "section.dataset .seeds button:last-of-type")
    assert browser.run(shown) == 3 * 3 + 3
    click(browser, "section.dataset .seeds button:nth-of-type(3)")
    assert set(texts(browser, "section.dataset .card .pictures figure:not([hidden]) .seed")) >= {"seed 2"}


def test_a_slider_shows_samples_over_training(browser, page):
    slide = "(() => {{ const s = document.querySelector('.over-time input'); s.value = {}; s.dispatchEvent(new Event('input')); }})()"
    shown = "section.dataset .card .pictures figure:not([hidden]) .frames:not(.nearest) img:not([hidden])"
    steps = f"[...document.querySelector('section.dataset').querySelectorAll('{shown}')].map(e => e.dataset.step)"
    assert browser.run(steps) == ["500", "500", "500"]
    browser.run(slide.format(0))
    assert sorted(browser.run(steps)) == ["250", "250", "500"]  # one trial has no earlier picture
    assert texts(browser, ".over-time output")[0] == "250"
    browser.run(slide.format(1))
    assert browser.run(steps) == ["500", "500", "500"]


def test_a_picture_is_shown_larger_and_can_be_saved(browser, page):
    click(browser, ".picture-button")
    assert browser.run("document.getElementById('large').open")
    assert browser.run("document.querySelector('#large a').download").endswith(".webp")
    assert browser.run("document.querySelector('#large img').src.startsWith('data:image/webp')")
    browser.press("Escape")
    browser.wait_for(lambda: not browser.run("document.getElementById('large').open"))


def test_every_link_lands_on_what_it_names(browser, page):
    fragments = browser.run(
        "[...new Set([...document.querySelectorAll('a[href^=\"#\"]')].map(a => a.getAttribute('href')))]"
    )
    assert len(fragments) > 10
    for fragment in fragments:
        browser.run(f"document.querySelector('a[href=\"{fragment}\"]').click()")
        target = f"document.querySelector('{fragment}').getBoundingClientRect()"
        browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert browser.run(f"{target}.height") > 0, fragment
        top = browser.run(f"{target}.top")
        at_end = browser.run("window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 2")
        assert -2 <= top < 450 or (at_end and 0 <= top < 900), fragment


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_it_is_never_wider_than_the_window(browser, comparison, tmp_path, width):
    names = {"plain": "x" * 300, "a_b & 50% | σ": "\u202eשלום " * 40}
    for table in (comparison.trials, comparison.comparison, comparison.findings):
        table["method"] = table["method"].replace(names)
        table["dataset"] = table["dataset"].replace({"ring": "ring-" * 50})
    browser.resize(width, 800, mobile=width < 500)
    browser.emulate()
    (file,) = HtmlReport().write(comparison, tmp_path / "report")
    browser.open(file)
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_it_is_readable_in_the_dark(browser, page):
    browser.emulate(dark=True)
    ground, ink = (
        browser.run(f"getComputedStyle(document.body).{name}.match(/\\d+/g).slice(0, 3).map(Number)")
        for name in ("backgroundColor", "color")
    )
    assert sum(ground) < 150 and sum(ink) > 500


def test_print_leaves_out_what_only_works_on_a_screen(browser, page):
    browser.emulate("print")
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("[...document.querySelectorAll('nav, .tools, .save')].every(e => e.offsetParent === null)")
    assert browser.run("[...document.querySelectorAll('details.numbers')].every(e => e.open)")


def test_without_a_script_everything_can_be_read(browser, page):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.call("Page.reload")
        browser.wait_for(lambda: browser.run("document.querySelector('#about') && !document.querySelector('html.js')"))
        assert browser.run("document.querySelectorAll('.card .pictures figure').length") == 18
        assert browser.run("[...document.querySelectorAll('.card .pictures figure')].every(e => e.offsetHeight > 0)")
        assert browser.run("[...document.querySelectorAll('.tools')].every(e => e.offsetParent === null)")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
