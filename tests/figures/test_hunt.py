"""The hunt by hand: clicks and keys in a browser, numbers from the library."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import networkx as nx
import pytest

from minirm.worlds import hamiltonian as world

pytestmark = pytest.mark.needs("anywidget", "matplotlib")

CYCLE = (0, 3, 1, 4, 2)
GRAPH = nx.from_edgelist(world.closed(CYCLE))
DATA = {
    "graphs": [
        {"n": 5, "edges": [list(e) for e in GRAPH.edges], "candidates": [CYCLE, range(5)]},
        {"n": 4, "edges": [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]], "candidates": [range(4)] * 2},
    ]
}
DATA = json.loads(json.dumps(DATA, default=list))


def figure() -> Any:
    import matplotlib.pyplot as plt

    from minirm.figures.hamiltonian import HuntFigure, draw_order

    still, ax = plt.subplots()
    draw_order(ax, GRAPH, range(5))
    return HuntFigure(DATA, picture=still, alt="a graph")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({}, (5, 0, 0, 0)),
        ({"hunts": {"0": {"path": [0, 3, 2], "tries": 4}}}, (5, 3, 1, 4)),
        ({"hunts": {"0": {"path": CYCLE, "tries": 1}}}, (5, 5, 0, 1)),
        ({"hunts": {"1": {"path": [0], "tries": 1}}}, (5, 0, 0, 0)),
        ({"order": "1"}, (5, 5, math.nan, 0)),
        ({"order": "1", "answers": {"0 1": "yes"}}, (5, 5, 5, 0)),
        ({"order": "0", "answers": {"0 1": "yes"}}, (5, 5, math.nan, 0)),
        ({"graph": "1", "order": "0", "answers": {"1 0": "no"}}, (5, 4, 0, 0)),
    ],
)
def test_what_the_figure_counts(state: dict[str, Any], expected: tuple[float, ...]) -> None:
    from minirm.figures.hamiltonian import HuntFigure

    found = HuntFigure.compute(DATA, {"graph": "0", "order": "own"} | state)
    assert list(found) == ["edges", "visited", "missing", "tries"]
    assert tuple(found.values()) == pytest.approx(expected, nan_ok=True)


def test_a_picture_in_words_names_edges_and_what_is_missing() -> None:
    from minirm.figures.hamiltonian import in_words

    text = in_words(GRAPH, (0, 3, 1, 2, 4))
    assert text.splitlines()[0] == "0 is joined to 2, 3"
    assert text.splitlines()[-1] == "steps: 0-3, 3-1, 1-2 (no edge), 2-4, 4-0 (no edge)"


@pytest.mark.needs("playwright", "chromium")
def test_a_cycle_can_be_hunted_with_mouse_and_keys(chromium: str, tmp_path: Any) -> None:
    from playwright.sync_api import sync_playwright

    live = figure()
    (tmp_path / "hunt.html").write_text(f"<html><body>{live.to_html()}</body></html>")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((tmp_path / "hunt.html").as_uri())
        root = page.locator(".minirm-figure")

        def numbers() -> dict[str, float]:
            shown = {
                o.get_attribute("data-value-of"): float(o.get_attribute("data-exact"))
                for o in root.locator("output").all()
            }
            state = json.loads(root.get_attribute("data-state"))
            assert shown == pytest.approx(live.compute(DATA, state), nan_ok=True)
            return shown

        def vertex(v: int) -> Any:
            return root.locator(f'[data-key="v{v}"]')

        for v in (0, 1, 2, 3, 4):  # every step of it is missing
            vertex(v).click()
        assert numbers() == {"edges": 5, "visited": 5, "missing": 5, "tries": 1}
        assert "No edge: 0–1" in root.text_content()
        root.get_by_role("button", name="Undo").click()
        assert numbers()["visited"] == 4
        root.get_by_role("button", name="Start again").click()
        assert numbers() == {"edges": 5, "visited": 0, "missing": 0, "tries": 2}
        for v, key in zip(CYCLE, itertools.cycle(["Enter", " "])):
            vertex(v).focus()
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.dataset.key") == f"v{v}"
        assert numbers() == {"edges": 5, "visited": 5, "missing": 0, "tries": 3}
        assert "Found" in root.text_content()
        assert vertex(3).get_attribute("aria-label") == (
            "vertex 3, joined to 0, 1; number 2 of the order"
        )
        root.locator('[data-control="order"]').select_option("1")
        assert math.isnan(numbers()["missing"])
        root.get_by_role("button", name="Yes, a cycle").click()
        assert numbers()["missing"] == 5
        assert "Not so." in root.text_content()
        root.locator('[data-control="graph"]').select_option("1")
        root.get_by_role("button", name="Yes, a cycle").click()
        assert "You are right." in root.text_content()
        root.locator('[data-control="graph"]').select_option("0")
        root.locator('[data-control="order"]').select_option("own")
        assert numbers()["tries"] == 3  # a hunt is there again when one comes back to it
        browser.close()
