"""A reader's predictions in the built book: kept, shown beside the outcome, sent nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browsing import CHAPTERS, Visit
from needs import BOOK

SOURCES = {name: (BOOK.parents[1] / f"{name}.md").read_text("utf-8") for name in CHAPTERS}
ASKING = [name for name, text in SOURCES.items() if "my_predictions = {" in text]
in_a_browser = pytest.mark.needs("playwright", "chromium", "book")
FIELDS, SAID = "table.minirm-predictions input", "table.minirm-outcomes tbody td:nth-child(2)"


@pytest.mark.parametrize("name", ASKING)
def test_a_chapter_that_asks_also_records_and_compares(name: str) -> None:
    cells = re.findall(r"```\{code-cell\}[^\n]*\n(.*?)```", SOURCES[name], re.DOTALL)
    begun = [i for i, cell in enumerate(cells) if "my_predictions = {" in cell]
    asked = [i for i, cell in enumerate(cells) if re.search(r"^record_pred", cell, re.M)]
    compared = [i for i, cell in enumerate(cells) if re.search(r"^compare_pred", cell, re.M)]
    assert [len(begun), len(compared)] == [1, 1]
    assert begun == asked[:1]
    assert asked[-1] < compared[0]
    # All are values: the last line of their cells shows them. Later questions join the first.
    assert cells[asked[0]].rstrip().endswith("\nrecord_predictions(my_predictions)")
    for i in asked[1:]:
        assert cells[i].startswith("guess = {")
        assert cells[i].endswith("\nmy_predictions |= guess\nrecord_predictions(guess)\n")
    assert cells[compared[0]].rstrip()[-1] == ")"


@in_a_browser
@pytest.mark.parametrize("name", ASKING)
def test_a_prediction_is_kept_and_stands_beside_the_outcome(browser: Any, name: str) -> None:
    with Visit(browser, name) as visit:
        page = visit.page
        fields = page.locator(FIELDS)
        asked = page.locator("table.minirm-predictions label").all_text_contents()
        answered = page.locator("table.minirm-outcomes th[scope=row]").all_text_contents()
        assert asked
        assert sorted(asked) == sorted(answered)
        assert fields.count() == page.locator(SAID).count() == len(asked)
        assert set(page.locator(SAID).all_text_contents()) == {"–"}
        # By keyboard alone: in each table from field to field with Tab, all but the last filled in.
        typed = {question: f"0.{i + 1}5" for i, question in enumerate(asked[:-1])}
        named = "document.activeElement.labels[0].textContent"
        for table in page.locator("table.minirm-predictions").all():
            table.locator("input").first.focus()
            for i, question in enumerate(table.locator("label").all_text_contents()):
                if i:
                    page.keyboard.press("Tab")
                assert page.evaluate(named) == question
                page.keyboard.type(typed.get(question, ""))
        expected = [typed.get(question, "–") for question in answered]
        assert page.locator(SAID).all_text_contents() == expected
        page.reload()
        assert page.locator(SAID).all_text_contents() == expected
        assert [f.input_value() for f in fields.all()] == [typed.get(q, "") for q in asked]
        # One that is taken back is gone, also after the next visit.
        fields.first.fill("")
        page.reload()
        taken_back = dict(zip(answered, page.locator(SAID).all_text_contents(), strict=True))
        assert taken_back[asked[0]] == "–"
        assert visit.left == []
        assert visit.errors == []


@in_a_browser
def test_predictions_of_one_chapter_stay_in_it(browser: Any) -> None:
    first, second = ASKING[:2]
    with Visit(browser, first) as visit:
        visit.page.locator(FIELDS).first.fill("7")
        visit.page.goto((BOOK / f"{second}.html").as_uri())
        assert {f.input_value() for f in visit.page.locator(FIELDS).all()} == {""}
        visit.page.goto((BOOK / f"{first}.html").as_uri())
        assert visit.page.locator(FIELDS).first.input_value() == "7"


@in_a_browser
def test_on_paper_and_without_javascript_the_questions_stand(browser: Any) -> None:
    with Visit(browser, ASKING[0]) as visit:
        visit.page.locator(FIELDS).first.fill("0.25")
        visit.page.emulate_media(media="print")
        assert visit.page.locator(FIELDS).first.is_visible()
    with Visit(browser, ASKING[0], java_script_enabled=False) as visit:
        assert visit.page.locator(FIELDS).count() == 0
        first = visit.page.locator("table.minirm-predictions tbody tr").first
        assert first.is_visible()
        assert first.locator("td").text_content() == "–"


@in_a_browser
def test_a_browser_that_keeps_nothing_still_compares(browser: Any) -> None:
    with Visit(browser, "index") as visit:
        refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
        visit.context.add_init_script(refuse)
        visit.page.goto((BOOK / f"{ASKING[0]}.html").as_uri())
        visit.errors.clear()  # the theme's own script complains; ours must not be stopped by it
        visit.page.locator(FIELDS).first.fill("0.5")
        assert "0.5" in visit.page.locator(SAID).all_text_contents()
        assert visit.errors == []


def test_nothing_but_the_browser_s_storage_is_used() -> None:
    script = (Path(__file__).parents[2] / "book/_static/predictions.js").read_text("utf-8")
    assert "localStorage" in script
    assert not re.search(r"fetch|XMLHttp|sendBeacon|WebSocket|import\b|https?:|cookie", script)
