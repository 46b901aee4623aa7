"""The built book for everybody: axe-core on every page in both themes, keyboard, greyscale.

axe-core is run as it is shipped, with all its rules, and what is serious or critical fails.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from browsing import CHAPTERS, PAGES, Visit, luminance

pytest.importorskip("matplotlib")
from minirm.figures import style, world

ROOT = Path(__file__).parents[2]
in_a_browser = pytest.mark.needs("playwright", "axe_playwright_python", "chromium", "book")

UNFOLD = """() => {
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  document.querySelectorAll(".toggle-hidden > .admonition-title").forEach((t) => t.click());
}"""
WAIT_FOR_STYLE = (
    "() => new Promise((done) => setTimeout(done, 600))"  # transitions, the theme's delay
)


THEMES = [("light", 1280), ("dark", 1280), ("light", 360)]


def _violations(page: Any) -> list[str]:
    import axe_playwright_python

    if not page.evaluate("'axe' in window"):
        script = Path(axe_playwright_python.__file__).parent / "axe.min.js"
        page.evaluate(script.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['impact']} {rule['id']} at {node['target']}: {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


@in_a_browser
@pytest.mark.slow
@pytest.mark.parametrize("name", [*PAGES, "prf-prf"])
def test_axe_finds_nothing_serious(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        visit.page.evaluate(UNFOLD)
        for theme, width in THEMES:
            visit.page.set_viewport_size({"width": width, "height": 900})
            visit.page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
            visit.page.evaluate(WAIT_FOR_STYLE)
            assert _violations(visit.page) == [], f"{theme}, {width} pixels wide"


@in_a_browser
def test_axe_would_find_faint_text_and_a_field_without_a_name(browser: Any) -> None:
    with Visit(browser, "index") as visit:
        bad = "<p style='color:#999;background:#fff'>faint</p><input>"
        visit.page.evaluate("html => document.querySelector('article').innerHTML += html", bad)
        found = {line.split()[1] for line in _violations(visit.page)}
        assert found == {"color-contrast", "label"}


# --- keyboard ----------------------------------------------------------------------------------


@in_a_browser
@pytest.mark.parametrize("name", CHAPTERS)
def test_what_is_folded_unfolds_by_keyboard(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        page = visit.page
        for button in page.locator("main .admonition-title .toggle-button").all():
            box = page.locator(f"[id='{button.get_attribute('data-target')}']")
            assert "toggle-hidden" in box.get_attribute("class")
            assert button.get_attribute("aria-expanded") == "false"
            button.focus()
            page.keyboard.press("Enter")
            assert "toggle-hidden" not in box.get_attribute("class")
            assert button.get_attribute("aria-expanded") == "true"
        for fold in page.locator("main details").all():
            before = fold.evaluate("d => d.open")
            fold.locator("summary").first.focus()
            page.keyboard.press("Enter")
            assert fold.evaluate("d => d.open") != before


@in_a_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", CHAPTERS)
def test_what_is_too_wide_scrolls_by_keyboard(browser: Any, name: str, width: int) -> None:
    with Visit(browser, name, viewport={"width": width, "height": 900}) as visit:
        visit.page.evaluate(UNFOLD)
        visit.page.evaluate(WAIT_FOR_STYLE)
        unreachable = """() => [...document.querySelectorAll("main *")].filter((e) =>
          e.checkVisibility() && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1
          && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
          && e.tabIndex < 0 && !e.querySelector("a[href], button, input, [tabindex='0']")
        ).map((e) => e.outerHTML.slice(0, 120))"""
        assert visit.page.evaluate(unreachable) == []
        for box in visit.page.locator("main [aria-label='scrolls sideways']").all()[:3]:
            box.focus()
            visit.page.keyboard.press("ArrowRight")
            visit.page.wait_for_function("e => e.scrollLeft > 0", arg=box.element_handle())


# --- pictures ----------------------------------------------------------------------------------


@in_a_browser
@pytest.mark.parametrize("name", CHAPTERS)
def test_every_picture_is_said_in_words(browser: Any, name: str) -> None:
    """Plots describe what is in them; none is called by its file's name or by nothing."""
    pictures = """() => [...document.querySelectorAll("article :is(img, [role=img])")]
      .filter((p) => !p.matches(".minirm-still"))  // it stands in for a live figure, with its words
      .map((p) => p.getAttribute("alt") ?? p.getAttribute("aria-label") ?? "")"""
    with Visit(browser, name) as visit:
        said = visit.page.evaluate(pictures)
    assert len(said) == len(set(said))
    for words in said:
        assert len(words.split()) >= 8, words
        assert not re.search(r"\.(png|svg|jpg)|^_images", words)


def test_the_models_colours_differ_without_colour_too() -> None:
    """In greyscale EX and IM are told apart by lightness, and nowhere by colour alone."""

    assert _contrast(style.EXPLICIT, style.IMPLICIT) > 1.2
    assert len(set(style.MARKERS.values())) == len(style.MARKERS) == len(style.COLOURS)
    assert style.MARKERS.keys() == style.COLOURS.keys() == style.LABELS.keys()


def test_dots_that_mean_yes_and_no_differ_in_grey() -> None:
    assert _contrast(world.YES, world.NO) > 1.8  # small dots, where a marker's shape is not seen


def _contrast(*colours: str) -> float:
    """The contrast ratio (WCAG) of two "#rrggbb"."""
    parts = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]
    dark, light = sorted(luminance(f"rgb({r}, {g}, {b})") for r, g, b in parts)
    return (light + 0.05) / (dark + 0.05)


def _cells(name: str) -> list[str]:
    text = (ROOT / f"book/{name}.md").read_text("utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [
        re.sub(r"\A(---\n.*?\n---\n|(:[^\n]*\n)+)", "", cell, flags=re.DOTALL) for cell in cells
    ]


def _drawing(tree: ast.AST) -> list[str]:
    """Lines and scatters drawn in a colour per model (COLOURS[...]) with nothing else to tell."""
    poor = []
    for node in ast.walk(tree):
        given = {}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("plot", "scatter", "errorbar"):
                given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        elif isinstance(node, ast.Dict):
            given = {
                k.value: ast.unparse(v)
                for k, v in zip(node.keys, node.values, strict=True)
                if isinstance(k, ast.Constant)
            }
        colour = given.get("color", given.get("c", ""))
        # None: **look, a dict with the marker in it; alpha: faint runs behind a mean with its own
        other = {"marker", "linestyle", "ls", "fmt", "alpha", None} & given.keys()
        if "COLOURS[" in colour and not other:
            poor.append(f"line {node.lineno}: {ast.unparse(node)}")
    return poor


@pytest.mark.parametrize("name", CHAPTERS)
def test_lines_of_several_models_differ_in_more_than_colour(name: str) -> None:
    assert [poor for cell in _cells(name) for poor in _drawing(ast.parse(cell))] == []


def test_drawn_lines_of_several_models_differ_in_more_than_colour() -> None:
    files = sorted((ROOT / "minirm/figures").glob("*.py"))
    assert {path.stem: _drawing(ast.parse(path.read_text("utf-8"))) for path in files} == {
        path.stem: [] for path in files
    }


def test_that_rule_sees_a_line_told_by_colour_alone() -> None:
    assert _drawing(ast.parse("ax.plot(x, y, color=COLOURS[kind])"))
    assert _drawing(ast.parse('look = {"color": COLOURS[kind], "label": kind}'))
    assert not _drawing(ast.parse("ax.plot(x, y, color=COLOURS[kind], marker=MARKERS[kind])"))
