"""The built book in a real browser, from file://, with no network: pages, maths, live figures.

What a figure shows is compared with what the library computes, after every move of every control.
"""

from __future__ import annotations

import importlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import CHAPTERS, PAGES, Visit, luminance
from needs import BOOK

pytestmark = pytest.mark.needs("playwright", "chromium", "book", "jupyter_book", "anywidget")

WITH_FIGURES = [
    chapter
    for chapter in CHAPTERS
    if re.search(r"\b[A-Z]\w+(Figure|Explorer)\(", (BOOK.parents[1] / f"{chapter}.md").read_text())
]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_without_a_network(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        page = visit.page
        assert visit.left == []
        assert visit.errors == []
        formulas = page.locator(".math").count()
        assert page.locator(".math mjx-container").count() >= formulas
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
        assert page.locator(".minirm-live").count() == page.locator(".minirm-alive").count()
        broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        assert page.evaluate(broken) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone(browser: Any, name: str) -> None:
    with Visit(browser, name, viewport={"width": 360, "height": 740}, has_touch=True) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        for figure in visit.page.locator(".minirm-figure").all():
            assert figure.evaluate("f => f.scrollWidth") <= 360


def test_every_chapter_with_a_live_figure_is_known() -> None:
    built = [c for c in CHAPTERS if "data-figure=" in (BOOK / f"{c}.html").read_text("utf-8")]
    assert built
    assert built == WITH_FIGURES


def _figures(page: Any) -> Iterator[tuple[Any, type, dict[str, Any]]]:
    for place in page.locator(".minirm-live[data-figure]").all():
        module, name = place.get_attribute("data-figure").split(":")
        figure = getattr(importlib.import_module(module), name)
        values = place.locator("script[type='application/json']").text_content()
        yield place, figure, json.loads(values)["data"]


def _compare(place: Any, figure: type, data: dict[str, Any]) -> dict[str, float]:
    root = place.locator(".minirm-figure")
    state = json.loads(root.get_attribute("data-state"))
    # .evaluate: one trip for all; an <output>'s attribute holds what is shown before rounding
    shown = root.evaluate(
        "f => Object.fromEntries([...f.querySelectorAll('output[data-value-of]')]"
        ".map(o => [o.dataset.valueOf, o.dataset.exact]))"
    )
    expected = figure.compute(data, state)
    assert shown.keys() == expected.keys()
    for name, value in expected.items():
        number = float(shown[name].replace("Infinity", "inf"))
        close = math.isclose(number, value, rel_tol=1e-6, abs_tol=1e-9)
        assert close or (math.isnan(number) and math.isnan(value)), (
            f"{figure.__name__}: {name} is {number} in the page and {value} in Python at {state}"
        )
    return expected


def _settings(control: Any) -> list[tuple[str, Any]]:
    """What to do with a control: ways of setting it, from one end to the other."""
    kind = control.get_attribute("type")
    if control.evaluate("c => c.tagName") == "SELECT":
        return [("select", v) for v in control.evaluate("c => [...c.options].map(o => o.value)")]
    if kind == "range":
        low, high, step = (float(control.get_attribute(a)) for a in ("min", "max", "step"))
        steps = round((high - low) / step)
        return [("range", low + step * round(steps * part)) for part in (0, 0.31, 0.77, 1)]
    return [("click", None)] * 2


def _set(control: Any, way: str, value: Any) -> None:
    if way == "select":
        control.select_option(value)
    elif way == "range":
        control.evaluate(
            "(c, v) => { c.value = v; c.dispatchEvent(new Event('input', {bubbles: true})); }",
            str(value),
        )
    else:
        control.click()


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_what_a_figure_shows_is_what_the_library_computes(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        figures = list(_figures(visit.page))
        assert figures
        for place, figure, data in figures:
            seen = [_compare(place, figure, data)]
            for button in place.locator("[data-preset]").all():
                button.click()
                seen.append(_compare(place, figure, data))
            for control in place.locator("[data-control]").all():
                before = _compare(place, figure, data)
                moved = []
                for way, value in _settings(control):
                    _set(control, way, value)
                    moved.append(_compare(place, figure, data))
                seen += moved
                label = control.get_attribute("data-control")
                assert any(m != before for m in moved), f"{figure.__name__}: {label} does nothing"
        assert visit.errors == []


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_a_figure_is_worked_by_keyboard_and_has_names(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        for place in visit.page.locator(".minirm-live").all():
            for control in place.locator("input, select, button:enabled, [tabindex]").all():
                control.focus()
                assert control.evaluate("c => c === document.activeElement")
                label = "c => (c.labels?.[0] ?? c).textContent || c.getAttribute('aria-label')"
                assert control.evaluate(label).strip()
            for slider in place.locator("input[type=range]").all():
                before = slider.input_value()
                slider.focus()
                key = "ArrowLeft" if before == slider.get_attribute("max") else "ArrowRight"
                visit.page.keyboard.press(key)
                assert slider.input_value() != before
                assert slider.get_attribute("aria-valuetext")


@pytest.mark.parametrize("name", WITH_FIGURES)
def test_a_still_picture_stands_in_on_paper_and_without_javascript(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        stills, live = (visit.page.locator(s) for s in (".minirm-still", ".minirm-figure"))
        assert not any(s.is_visible() for s in stills.all())
        visit.page.emulate_media(media="print")
        assert all(s.is_visible() and s.get_attribute("alt") for s in stills.all())
        assert not any(f.is_visible() for f in live.all())
    with Visit(browser, name, java_script_enabled=False) as visit:
        stills = visit.page.locator(".minirm-still").all()
        assert stills
        assert all(s.is_visible() for s in stills)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", WITH_FIGURES)
def test_a_figure_follows_the_theme(browser: Any, name: str, theme: str) -> None:
    with Visit(browser, name) as visit:
        visit.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        page, ink = (
            visit.page.locator(where).first.evaluate(f"e => getComputedStyle(e).{what}")
            for where, what in (("body", "backgroundColor"), (".minirm-figure", "color"))
        )
        assert luminance(ink) < 0.2 < luminance(page) or luminance(page) < 0.2 < luminance(ink)


def test_search_works_without_a_network(browser: Any) -> None:
    with Visit(browser, "search") as visit:
        visit.page.goto((BOOK / "search.html").as_uri() + "?q=paraphrase")
        visit.page.wait_for_selector("#search-results li", timeout=10_000)
        assert "collapse" in visit.page.locator("#search-results").text_content()
        assert visit.left == []
