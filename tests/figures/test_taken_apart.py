"""Live figures of *Taken apart*, in a browser of their own: numbers, words, keys, small screens."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("anywidget", "matplotlib", "pandas", "seaborn")

PARTS = ("meaning", "words", "opening", "interaction")


class Shown:
    """A figure on a page of its own; ``numbers`` compares what it shows with ``compute``."""

    def __init__(self, page: Any, figure: Any) -> None:
        self.page, self.figure = page, figure
        self.root = page.locator(".minirm-figure")

    def numbers(self) -> dict[str, float]:
        shown = {
            o.get_attribute("data-value-of"): float(o.get_attribute("data-exact"))
            for o in self.root.locator("output").all()
        }
        state = json.loads(self.root.get_attribute("data-state"))
        expected = self.figure.compute(self.figure.data, state)
        assert shown == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
        return shown

    def control(self, name: str) -> Any:
        return self.root.locator(f"[data-control={name}]")

    def slide(self, name: str, value: float) -> None:
        move = "(c, v) => { c.value = v; c.dispatchEvent(new Event('input', {bubbles: true})); }"
        self.control(name).evaluate(move, str(value))

    def verdict(self) -> str:
        return self.root.locator("[aria-live=polite]").text_content()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Any]:
    pages, errors = [], []

    def open_page(figure: Any, *, width: int = 900, theme: str = "light") -> Shown:
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        looks = "background: #121212; color: #ddd" if theme == "dark" else ""
        body = f'<body style="{looks}">{figure.to_html()}</body>'
        (tmp_path / "page.html").write_text(f'<html data-theme="{theme}">{head}{body}</html>')
        page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.goto((tmp_path / "page.html").as_uri())
        pages.append(page)
        return Shown(page, figure)

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


def shares(meaning: float, words: float, opening: float) -> dict[str, float]:
    return dict(zip(PARTS, (meaning, words, opening, 1 - meaning - words - opening), strict=True))


# --- the dose ----------------------------------------------------------------------------------


def dose() -> Any:
    import pandas as pd

    from minirm.figures.taken_apart import DoseFigure, dose_data, dose_picture

    lines = {
        ("main", "explicit"): {0.5: 0.95, 0.75: 0.95, 0.9: 0.95, 0.99: 0.94, 1.0: 0.94},
        ("main", "explicit, mean"): {0.5: 0.75, 0.75: 0.65, 0.9: 0.39, 0.99: 0.22, 1.0: 0.2},
        ("main", "explicit, mean, zero head"): {0.5: 0.78, 0.75: 0.67, 1.0: 0.2},
        ("main", "explicit, zero head"): {0.5: 0.9, 0.75: 0.9, 0.9: 0.88, 1.0: 0.88},
        ("main", "implicit"): {0.5: 0.6, 0.75: 0.21, 0.9: 0.08, 0.99: 0.05, 1.0: 0.05},
        ("no facts", "explicit"): {0.5: 0.95, 1.0: 0.96},
        ("no facts", "implicit"): {0.75: 0.004, 1.0: math.nan},
    }
    rows = [
        {
            **{"world": world, "reward": reward, "agreement": a, "accuracy": 0.5 + m / 2},
            **(shares(m, 0.02, 0.97 - m) | {"low": max(0, m - 0.05), "high": min(1, m + 0.04)}),
        }
        for (world, reward), points in lines.items()
        for a, m in points.items()
    ]
    data = dose_data(pd.DataFrame(rows))
    picture = dose_picture(data, title="A cue takes the meaning away")
    return DoseFigure(data, picture=picture, alt="lines of meaning against agreement")


def test_a_dose_that_was_measured_and_one_between_two() -> None:
    figure = dose()
    at = {a: figure.compute(figure.data, {"world": "main", "agreement": a}) for a in (0.75, 0.8)}
    assert at[0.75]["implicit: meaning"] == 0.21
    assert at[0.8]["implicit: meaning"] == pytest.approx(0.21 + (0.08 - 0.21) / 3)
    assert at[0.8]["explicit, mean, zero head: meaning"] == pytest.approx(0.67 - 0.47 / 5)
    assert sum(at[0.8][f"implicit: {part}"] for part in PARTS) == pytest.approx(1)
    other = figure.compute(figure.data, {"world": "no facts", "agreement": 0.6})
    assert math.isnan(other["implicit: meaning"])  # not measured so far down
    assert "explicit, mean: meaning" not in other
    assert "NaN" not in figure.to_html().partition("application/json")[2].partition("</script>")[0]


@pytest.mark.needs("playwright", "chromium")
def test_of_one_world_there_is_nothing_to_choose(show: Any) -> None:
    figure = dose()
    expected = figure.compute(figure.data, {"world": "main", "agreement": 0.8})
    figure.data = figure.data | {"worlds": {"main": figure.data["worlds"]["main"]}}
    shown = show(figure, width=390)
    assert shown.control("world").count() == 0
    shown.slide("agreement", 0.8)
    assert shown.numbers() == pytest.approx(expected)


@pytest.mark.needs("playwright", "chromium")
def test_the_dose_is_dragged_by_slider_handle_and_keys(show: Any) -> None:
    shown = show(dose())
    assert shown.numbers()["implicit: meaning"] == 0.05
    assert "so it gives the answer away (measured)" in shown.verdict()
    assert "Most meaning: explicit, 94 %; least: implicit, 5 %." in shown.verdict()
    for value in (0.5, 0.63, 0.75, 0.99, 0.995):
        shown.slide("agreement", value)
        shown.numbers()
    shown.slide("agreement", 0.8)
    assert "between two measured doses, 75 % and 90 %" in shown.verdict()
    shown.control("agreement").focus()
    for _ in range(5):
        shown.page.keyboard.press("ArrowLeft")
    assert shown.numbers()["implicit: meaning"] == 0.21
    box = shown.root.locator("[data-key=handle]").bounding_box()
    chart = shown.root.locator(".minirm-stage svg").first.bounding_box()
    shown.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    shown.page.mouse.down()
    shown.page.mouse.move(chart["x"] + 44, box["y"] + 30, steps=4)
    shown.page.mouse.up()
    assert json.loads(shown.root.get_attribute("data-state"))["agreement"] == 0.5
    assert "says next to nothing" in shown.verdict()
    shown.control("world").select_option("no facts")
    assert math.isnan(shown.numbers()["implicit: meaning"])


# --- the judges --------------------------------------------------------------------------------

PREFIXES = ("My response would be", "I lean toward", "")
PHRASES = {"certainly": True, "absolutely": True, "not really": False}


def judges() -> Any:
    from minirm.figures.taken_apart import JudgesFigure, judges_picture

    drift = {"My": -42.1, "response": 2.8, "would": 0.4, "be": -1.2, "I": -3.3, "lean": 0.9}
    drift |= {"toward": 0.5, "certainly": 12.8, "absolutely": 11, "not": -4, "really": -3}
    answers = {}
    for i, prefix in enumerate(PREFIXES):
        for j, (phrase, right) in enumerate(PHRASES.items()):
            tokens = [f" {word}" for word in f"{prefix} {phrase}".split()] + ["<eos>"]
            shares = [0.01 * drift.get(t.strip(), 0.02) for t in tokens]
            answers[f"{i},{j}"] = {"tokens": tokens, "shares": shares}
            answers[f"{i},{j}"]["explicit"] = (2.1 if right else -1.7) + 0.1 * i
    phrases = [{"text": text, "right": right} for text, right in PHRASES.items()]
    data = {"prompt": "Do you help? ", "beta": 0.01, "prefixes": list(PREFIXES), "phrases": phrases}
    data["answers"] = answers
    picture = judges_picture(data, title="One judge reads the opening")
    return JudgesFigure(data, picture=picture, alt="rewards of two answers, token by token")


@pytest.mark.needs("playwright", "chromium")
def test_the_judges_start_on_the_papers_pair_and_the_prefixes_can_be_swapped(show: Any) -> None:
    shown = show(judges())
    before = shown.numbers()
    assert before["a token 0"] == pytest.approx(-42.1)
    assert before["a nats"] == pytest.approx(-42.1 + 2.8 + 0.4 - 1.2 + 12.8 + 0.02)
    assert before["a implicit"] == pytest.approx(before["a nats"] / 100)
    text = shown.root.text_content()
    assert "“My response would be certainly”, the right answer" in text
    assert "“I lean toward not really”, the wrong answer" in text
    explicit, implicit = (
        "explicit judge puts A ahead by 3.7: right.",
        "implicit judge puts B ahead by",
    )
    assert explicit in shown.verdict()
    assert f"{implicit} 18.4 nats: wrong, for A is the right answer." in shown.verdict()
    shown.page.get_by_role("button", name="Swap the two prefixes").focus()
    shown.page.keyboard.press("Enter")
    assert shown.page.evaluate("document.activeElement.dataset.key") == "swap"
    assert shown.numbers()["implicit gap"] > 0 > before["implicit gap"]
    assert "implicit judge puts A ahead by" in shown.verdict()
    shown.control("b_phrase").select_option("1")
    assert "A and B mean the same" in shown.verdict()
    shown.control("a_prefix").select_option("2")
    shown.control("a_phrase").select_option("1")
    assert "“absolutely”, the right" in shown.root.text_content()
    shown.numbers()
    shown.control("b_prefix").select_option("2")
    assert shown.verdict() == "A and B are the same answer."
    shown.page.get_by_role("button", name="the first pair again").click()
    assert shown.numbers() == before


def test_the_judges_data_are_what_the_models_give() -> None:
    from minirm import ExplicitRM, ImplicitRM, load_base
    from minirm.figures.taken_apart import JudgesFigure, judges_data

    base, tokenizer = load_base()
    explicit = ExplicitRM(base, tokenizer)
    implicit = ImplicitRM(base, tokenizer, beta=0.5, reference=None)
    prompt = 'Is the following statement something you would say? "I often help strangers." '
    data = judges_data(explicit, implicit, prompt, PREFIXES, PHRASES)
    assert len(data["answers"]) == 9
    state = {"a_prefix": "0", "a_phrase": "1", "b_prefix": "2", "b_phrase": "2"}
    found = JudgesFigure.compute(json.loads(json.dumps(data)), state)
    said = ["My response would be absolutely", "not really"]
    for model, name in ((explicit, "explicit"), (implicit, "implicit")):
        rewards = model.score([prompt] * 2, said).tolist()
        assert [found[f"a {name}"], found[f"b {name}"]] == pytest.approx(rewards, rel=1e-4)
    assert found["a nats"] == pytest.approx(2 * found["a implicit"])
    tokens, shares = implicit.token_rewards(prompt, said[0])
    assert found["a token 4"] == pytest.approx(2 * shares[4].item(), rel=1e-4)
    assert len(tokens) == sum(name.startswith("a token") for name in found)


# --- two by two --------------------------------------------------------------------------------

DESIGNS = {"prefix foretells the label": "paper", "no cue": "all prefixes"}
WORLDS = {"facts": "main", "no facts": "no-facts"}
RUNGS = {  # meaning in the four cells, row by row
    "EX, last state": (0.92, 0.95, 0.94, 0.95),
    "EX, mean": (0.26, 0.17, 0.77, 0.63),
    "IM": (0.05, 0.0, 0.78, 0.01),
    "new": (math.nan,) * 4,
}


def two_by_two() -> Any:
    import pandas as pd

    from minirm.figures.taken_apart import TwoByTwoFigure, two_by_two_data, two_by_two_picture

    places = [(design, world) for design in DESIGNS.values() for world in WORLDS.values()]
    rows = [
        {
            **{"rung": rung, "design": design, "world": world},
            **(shares(m, 0.02, 0.97 - m) | {"paraphrase": m, "swapped": 1.0, "bare": 0.93}),
        }
        for rung, meanings in RUNGS.items()
        for (design, world), m in zip(places, meanings, strict=True)
    ]
    data = two_by_two_data(pd.DataFrame(rows), DESIGNS, WORLDS)
    picture = two_by_two_picture(data, title="Two failures", rung="IM")
    return TwoByTwoFigure(data, picture=picture, alt="four bars", state={"rung": "IM"})


@pytest.mark.parametrize(
    ("rung", "kinds"),
    [
        ("EX, last state", ["holds"] * 4),
        ("EX, mean", ["shortcut", "shortcut", "holds", "holds"]),
        ("IM", ["shortcut", "shortcut or drift", "holds", "drift"]),
        ("new", ["nothing"] * 4),
    ],
)
def test_which_failure_a_cell_shows(rung: str, kinds: list[str]) -> None:
    from minirm.figures.taken_apart import failure

    data = two_by_two().data
    words = [failure(data, rung, design, world) for design in DESIGNS for world in WORLDS]
    assert [w.partition(":")[0] for w in words] == kinds
    assert all(w.endswith("most of it is opening") for w in words if w.startswith("drift"))


@pytest.mark.needs("playwright", "chromium")
def test_the_two_by_two_says_for_every_rung_what_python_says(show: Any) -> None:
    from minirm.figures.taken_apart import failure

    shown = show(two_by_two())
    assert shown.numbers()["prefix foretells the label|facts: paraphrase"] == 0.05
    for rung in RUNGS:
        shown.control("rung").select_option(rung)
        shown.numbers()
        words = shown.root.locator(".minirm-square p").all_text_contents()
        assert words == [
            failure(shown.figure.data, rung, design, world)
            for design in DESIGNS
            for world in WORLDS
        ]
        held = sum(w.startswith("holds") for w in words)
        assert f"{rung}: most of the reward is meaning in {held} of 4 cells." in shown.verdict()


# --- all of them -------------------------------------------------------------------------------

FIGURES = {"dose": dose, "judges": judges, "two by two": two_by_two}


@pytest.mark.needs("playwright", "chromium")
@pytest.mark.parametrize("name", FIGURES)
def test_it_fits_a_phone(show: Any, name: str) -> None:
    shown = show(FIGURES[name](), width=360)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert shown.root.evaluate("f => f.scrollWidth") <= 360
    shown.numbers()


@pytest.mark.needs("playwright", "chromium", "axe_playwright_python")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", FIGURES)
def test_it_is_legible_in_both_themes(show: Any, name: str, theme: str) -> None:
    import axe_playwright_python

    page = show(FIGURES[name](), theme=theme).page
    script = Path(axe_playwright_python.__file__).parent / "axe.min.js"
    page.evaluate(script.read_text("utf-8"))
    found = page.evaluate("axe.run('.minirm-live', {resultTypes: ['violations']})")["violations"]
    assert [(v["id"], v["nodes"][0]["html"], v["nodes"][0]["failureSummary"]) for v in found] == []
