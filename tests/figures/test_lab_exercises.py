"""Each exercise of the lab is solved by what it asks for, and by the chapter's own solution."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("playwright", "chromium", "anywidget", "matplotlib")

RUN = {"perEpoch": 2, "over": True, "asked": None}
ENDS = {"paraphrase": 0.0, "swapped": 1.0, "bare": 1.0, "meaning": 0.02, "opening": 0.9}
SOLVED = {
    0: ({"paraphrase": 0.2}, {"chosen": ["yes", "no"], "rejected": ["yes", "no"]}),
    1: ({"paraphrase": 1.0, "swapped": 0.0}, {}),
    2: ({"meaning": 0.6}, {}),
}
MISSED = {
    0: ({"paraphrase": 0.2}, {"chosen": ["no"], "rejected": ["yes"]}),
    1: ({"paraphrase": 1.0, "swapped": 0.0}, {"chosen": ["yes"]}),
    2: ({"meaning": 0.4}, {}),
}


@pytest.fixture(scope="module")
def check(browser: Any) -> Iterator[Callable[..., Any]]:
    """The check of an exercise, called with a record made up by the test."""
    from minirm.figures import lab
    from minirm.figures.live import SCRIPTS

    parts = ["common.js", *(f"lab/{part}" for part in lab.PANELS)]
    text = "\n".join((SCRIPTS / part).read_text("utf-8") for part in parts)
    page = browser.new_page()
    page.add_script_tag(content=text)
    world = lab.world()

    def call(
        task: int, values: dict[str, float], phrases: dict[str, list[str]], **more: Any
    ) -> Any:
        setup = {
            side: {**world[side], **({"phrases": phrases[side]} if side in phrases else {})}
            for side in ("chosen", "rejected")
        }
        accuracy = more.pop("accuracy", 1.0)
        steps = [{"step": k, "accuracy": accuracy} for k in range(4)]
        judge = {"steps": steps, "measured": [{"step": 4, **ENDS, **values}]}
        state = {**RUN, "setup": setup, "record": {"explicit": judge, "implicit": judge}, **more}
        return page.evaluate(
            "([task, world, state]) => TASKS[task].check({world, ...state})", [task, world, state]
        )

    yield call
    page.close()


@pytest.mark.parametrize("task", sorted(SOLVED))
def test_an_exercise_is_solved_by_what_it_asks_for_alone(
    check: Callable[..., Any], task: int
) -> None:
    assert check(task, *SOLVED[task])[0]
    assert not check(task, *MISSED[task])[0]
    assert not check(task, {"paraphrase": 0.5}, {})[0]
    assert not check(task, *SOLVED[task], over=False)[0]
    if task != 1:
        assert not check(task, *SOLVED[task], accuracy=0.6)[0]


def test_one_meaning_two_verdicts(check: Callable[..., Any]) -> None:
    def asked(answers: list[str], parts: list[list[float]]) -> dict[str, Any]:
        judge = {"reward": "implicit", "beta": 0.01, "parts": parts}
        return {"answers": answers, "phrases": ["yes", "nope"], "step": 4, "judges": [judge]}

    far, near = [[0.7, 0.1], [-0.2, 0.2]], [[0.1], [0.0]]
    same = ["The truth: nope", "nope"]
    assert check(3, {}, {}, asked=asked(same, far)) == [
        True, "Both say “nope”, and the implicit judge puts them 80 nats apart."
    ]  # fmt: skip
    assert not check(3, {}, {}, asked=asked(same, near))[0]
    assert not check(3, {}, {}, asked=asked(["My view: yes", "nope"], far))[0]
    assert not check(3, {}, {}, asked=None)[0]


CHAPTER = Path(__file__).parents[2] / "book" / "lab.md"


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_solutions_of_the_chapter_solve_its_exercises(
    visit: Callable[..., Any], number: int
) -> None:
    text = CHAPTER.read_text("utf-8")
    links = re.findall(r'<a href="(#lab:[^"]*)"[^>]*>exercise (\d)</a>', text)
    address = {int(n): link.replace("&amp;", "&") for link, n in links}[number]
    page = visit(address)
    page.click("[data-act=Train]")
    page.wait_for_selector(".minirm-lab[data-phase=over]", timeout=900_000)
    if number == 4:
        answers = re.findall(r"answer [AB], \*([^*]+)\*", text)
        for side, answer in zip("ab", answers, strict=True):
            page.fill(f"[data-control=ask-{side}]", answer)
        page.wait_for_timeout(2000)
    button = page.locator("[data-task]").nth(number - 1)
    button.click()
    told = page.locator(".minirm-lab-tasks .minirm-verdict").nth(number - 1)
    assert told.get_attribute("data-solved") == "true", told.text_content()
