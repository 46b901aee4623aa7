"""The lab as a page, opened as a file with the network blocked.

Guaranteed: it trains, stops, goes on and starts again; what it shows is what the library computes
for the same set-up; the address holds it; typed answers are judged; it is worked by keyboard, fits
a phone, and gives way to its still picture where there is no JavaScript and on paper.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from minirm import ExplicitRM, ImplicitRM, Trainer
from minirm.worlds import persona

pytestmark = pytest.mark.needs("playwright", "chromium", "anywidget", "matplotlib")

BEGINS = "#lab:questions=16&epochs=1"
QUESTIONS = 4  # that a judge is asked in the page


def reaches(page: Any, phase: str, timeout: int = 240_000) -> None:
    page.wait_for_selector(f".minirm-lab[data-phase={phase}]", timeout=timeout)


def shown(page: Any) -> dict[str, float]:
    """The numbers of the table, "judge: name", before rounding."""
    script = "cells => Object.fromEntries(cells.map(c => [c.dataset.number, c.dataset.exact]))"
    found = page.locator("[data-number]").evaluate_all(script)
    return {name: float(value) for name, value in found.items()}


def test_a_run_in_the_page_is_the_librarys(visit: Callable[..., Any]) -> None:
    from minirm.experiments import grids
    from minirm.figures import lab

    page = visit()
    page.click("[data-act=Train]")
    reaches(page, "over")
    found = shown(page)
    base, tokenizer = lab.rounded_base()
    questions = persona.world_questions(0)
    pairs = persona.training_pairs(questions.train[:16], 0)
    for name, model in {
        "explicit": ExplicitRM(base, tokenizer, seed=0),
        "implicit": ImplicitRM(base, tokenizer, beta=0.01),
    }.items():
        how = {"lr": 3e-5, "epochs": 1, "batch_size": 8, "seed": 0, "log_every": 1}
        history = Trainer(model, pairs, **how, progress=False).fit()
        expected = grids.described(grids.reward_grid(model, questions.test[:QUESTIONS]))
        assert found[f"{name}: steps"] == len(history) == 2
        assert found[f"{name}: loss"] == pytest.approx(history[-1]["loss"], abs=1e-4)
        assert found[f"{name}: accuracy on paraphrases"] == expected["paraphrase"]
        assert found[f"{name}: accuracy with the prefixes swapped"] == expected["swapped"]
        share = found[f"{name}: share of the reward that is meaning"]
        assert share == pytest.approx(expected["meaning"], abs=2e-3)
    assert page.locator(".minirm-lab > .minirm-verdict").text_content().startswith("After 2 steps")


def test_training_stops_goes_on_and_starts_again(visit: Callable[..., Any]) -> None:
    page = visit("#lab:rewards=implicit&epochs=2")
    enabled = "buttons => buttons.filter(b => !b.disabled).map(b => b.dataset.act)"
    buttons = page.locator(".minirm-lab-buttons button")
    assert buttons.evaluate_all(enabled) == ["Train"]
    page.click("[data-act=Train]")
    page.wait_for_function(
        "document.querySelector('[data-number=\"implicit: steps\"]')?.dataset.exact > 0"
    )
    assert buttons.evaluate_all(enabled) == ["Stop", "Start again"]
    page.click("[data-act=Stop]")
    reaches(page, "stopped")
    before = shown(page)["implicit: steps"]
    assert buttons.evaluate_all(enabled) == ["Go on", "Start again"]
    page.wait_for_timeout(1000)
    assert shown(page)["implicit: steps"] == before
    page.click("[data-act='Go on']")
    more = f"document.querySelector('[data-number=\"implicit: steps\"]').dataset.exact > {before}"
    page.wait_for_function(more, timeout=60_000)
    page.click("[data-act='Start again']")
    fewer = f"document.querySelector('[data-number=\"implicit: steps\"]').dataset.exact <= {before}"
    page.wait_for_function(fewer, timeout=60_000)
    assert page.locator(".minirm-lab").get_attribute("data-phase") == "training"


def test_the_address_holds_the_set_up(visit: Callable[..., Any]) -> None:
    page = visit("")
    page.fill("[data-control=chosen-prefixes]", "(none)\nÀ vrai dire|,")
    page.fill("[data-control=rejected-phrases]", "no\n100 % wrong & false")
    page.locator("[data-control='explicit, mean']").check()
    page.locator("[data-control=lr]").select_option("0.0001")
    page.fill("[data-control=seed]", "7")
    address = page.evaluate("location.hash")
    again = visit(address)
    value = "f.type === 'checkbox' ? f.checked : f.value"
    read = f"fields => fields.map(f => [f.dataset.control, {value}])"
    where = ".minirm-lab > .minirm-controls [data-control]"
    first, second = (p.locator(where).evaluate_all(read) for p in (page, again))
    lines = dict(map(tuple, second))["chosen-prefixes"].split("\n")
    assert lines == ["(none)", "À vrai dire|,"]
    assert second == first
    assert again.locator("[data-link]").get_attribute("href") == address
    again.evaluate("location.hash = '#lab:seed=9'")  # as a link in the chapter does
    again.wait_for_function("document.querySelector('[data-control=seed]').value === '9'")
    again.evaluate("location.hash = '#a-heading'")
    again.wait_for_timeout(300)
    assert again.locator("[data-control=seed]").input_value() == "9"


@pytest.mark.parametrize(
    "address", ["#lab:lr=nought&rewards=none&seed=-1", "#a-heading", "#lab:%%"]
)
def test_an_address_that_makes_no_sense_is_the_papers_design(
    visit: Callable[..., Any], address: str
) -> None:
    page = visit(address)
    assert page.locator("[data-link]").get_attribute("href") == "#lab:"
    assert page.locator("[data-control=chosen-phrases]").input_value() == "yes\nsure"


def test_presets_fill_in_the_form(visit: Callable[..., Any]) -> None:
    page = visit()
    seen = set()
    for button in page.locator("[data-preset]").all():
        button.click()
        controls = ("chosen-prefixes", "rejected-prefixes", "agreement")
        seen.add(tuple(page.locator(f"[data-control={c}]").input_value() for c in controls))
    assert len(seen) == 4
    page.fill("[data-control=chosen-phrases]", "")
    page.click("[data-act=Train]")
    assert "no phrase" in page.locator(".minirm-lab-status").text_content()


def test_training_answers_that_cannot_be_used_are_named(visit: Callable[..., Any]) -> None:
    page = visit()
    said = "document.querySelector('.minirm-lab-status').textContent"
    for side in ("chosen", "rejected"):
        page.fill(f"[data-control={side}-prefixes]", "(none)")
        page.fill(f"[data-control={side}-phrases]", "maybe")
    page.click("[data-act=Train]")
    page.wait_for_function(f"{said}.includes('“maybe” is both')")
    page.fill("[data-control=chosen-phrases]", "é" * 200)
    page.click("[data-act=Train]")
    page.wait_for_function(f"{said}.includes('too long')")
    page.fill("[data-control=chosen-phrases]", "certainly")
    page.click("[data-act=Train]")
    reaches(page, "over")


def test_typed_answers_are_judged(visit: Callable[..., Any]) -> None:
    from minirm.figures import lab

    page = visit()
    base, tokenizer = lab.rounded_base()
    judge = ExplicitRM(base, tokenizer, seed=0)
    prompt = persona.world_questions(0).test[0]
    answers = ["oui, très volontiers", "nope"]
    for side, answer in zip("ab", answers, strict=True):
        page.fill(f"[data-control=ask-{side}]", answer)
    a, b = judge.score([prompt] * 2, answers).tolist()
    verdict = page.locator(".minirm-lab-ask .minirm-verdict")
    ahead = f"The explicit judge prefers {'A' if a > b else 'B'}, by {abs(a - b):.3g}"
    told = "document.querySelector('.minirm-lab-ask .minirm-verdict').textContent"
    page.wait_for_function(f"words => {told}.startsWith(words)", arg=ahead)
    assert verdict.get_attribute("aria-live") == "polite"
    assert "implicit judge: a tie" in verdict.text_content()
    page.fill("[data-control=ask-a]", "é" * 200)
    page.wait_for_function(
        "document.querySelector('.minirm-lab-ask').textContent.includes('too long')"
    )


def test_it_is_worked_by_keyboard_and_fits_a_phone(visit: Callable[..., Any]) -> None:
    page = visit(viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    label = "c => (c.labels?.[0] ?? c).textContent || c.getAttribute('aria-label')"
    fields = (
        page.locator(".minirm-lab")
        .locator("input, select, textarea, button:enabled, summary")
        .all()
    )
    assert len(fields) > 25
    for field in fields:
        field.focus()
        assert field.evaluate("c => c === document.activeElement")
        assert field.evaluate(label).strip()
    page.locator("[data-act=Train]").focus()
    page.keyboard.press("Enter")
    reaches(page, "training")


def test_a_still_picture_stands_in(visit: Callable[..., Any]) -> None:
    page = visit()
    assert not page.locator(".minirm-still").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".minirm-still").is_visible()
    assert not page.locator(".minirm-lab").is_visible()
    plain = visit(java_script_enabled=False)
    assert plain.locator(".minirm-still").is_visible()
    assert "less than half" in plain.locator(".minirm-still").get_attribute("alt")


def test_a_kernel_sends_the_weights() -> None:
    from minirm.figures import lab

    widget = lab.Lab(base="no-facts", state={"seed": 3})
    sent = []
    widget.send = lambda content, buffers: sent.append((content, buffers))
    widget._handle_custom_msg("weights", [])
    assert sent == [("weights", [lab.half_weights("no-facts")])]
    assert sent[0][1] != [lab.half_weights()]
    assert widget.get_state(["state"])["state"] == {"seed": 3}
    assert len(json.dumps(widget.get_state())) < 300_000  # what a saved notebook holds of it


def test_what_the_still_picture_says_is_what_the_books_runs_gave() -> None:
    from minirm.figures import lab

    shares = lab.designs_after_training().set_index(["reward", "design"])
    explicit, implicit = shares.loc["explicit"], shares.loc["implicit"]
    assert set(explicit.index) == set(implicit.index) == set(lab.PRESETS)
    assert explicit["meaning"].min() > 0.95
    assert implicit["meaning"].max() < 0.5 < implicit["opening"].min()
    assert (implicit["meaning"] + implicit["opening"]).min() > 0.9
    told = implicit["meaning"][["paper", "agreement .75"]]
    assert told.max() < implicit["meaning"].drop(told.index).min()
