"""The toy of the landing page: two trained judges, opened as a file with the network blocked.

Guaranteed: its judges are the paper's experiment and turn round as the page says; it scores as the
library does, whatever is typed; it is worked by keyboard, read out when it stands still, fits a
phone, and gives way to a still picture. How long a verdict takes is printed: ``pytest -s``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lab_pages import write_page
from needs import BOOK

from minirm.worlds import opinions, persona

pytestmark = pytest.mark.needs("playwright", "chromium", "anywidget", "matplotlib")

REWARDS = ("explicit", "implicit")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from minirm.figures import lab, lab_judges, lab_toy

    scripts = {lab.SCRIPT[1]: lab.weights_script()}
    scripts |= {
        where: lab_judges.script(reward) for reward, (_, where) in lab_judges.SCRIPTS.items()
    }
    return write_page(tmp_path_factory.mktemp("toy"), lab_toy.Toy().to_html(), scripts)


@pytest.fixture(scope="module")
def judges() -> dict[str, Any]:
    from minirm.figures import lab_judges

    return {reward: lab_judges.trained(reward) for reward in REWARDS}


def leads(judge: Any, pairs: list[Any]) -> torch.Tensor:
    prompts, chosen, rejected = zip(*((p.prompt, p.chosen, p.rejected) for p in pairs), strict=True)
    return judge.score(prompts, chosen) - judge.score(prompts, rejected)


def shown(page: Any, a: str, b: str) -> tuple[list[list[float]], float]:
    """Both judges' rewards of what is typed, in the order of REWARDS, and how many ms it took."""
    page.fill("[data-control=a]", a)
    page.fill("[data-control=b]", b)
    page.wait_for_function(
        """answers => {
            const { shown } = document.querySelector(".minirm-toy").dataset;
            return String(JSON.parse(shown).answers) === String(answers);
        }""",
        arg=[a.strip(), b.strip()],
        timeout=60_000,
    )
    toy = page.locator(".minirm-toy")
    took = toy.get_attribute("data-milliseconds")
    return json.loads(toy.get_attribute("data-shown"))["totals"], float(took or "nan")


def test_the_first_pair_turns_the_implicit_judge_round_on_every_question(
    judges: dict[str, Any],
) -> None:
    from minirm.figures import lab_toy

    questions = persona.world_questions(0)
    assert len(questions.test) == 40
    assert set(lab_toy.QUESTIONS) < set(questions.test)
    trained = persona.training_pairs(questions.train, 0)
    reworded, swapped, alike = (
        persona.held_out_pairs(questions.test, condition)
        for condition in ("paraphrase", "swapped", "same prefix")
    )
    assert lab_toy.START in {(pair.chosen, pair.rejected) for pair in reworded}
    for pairs in (trained, reworded, swapped, alike):
        assert leads(judges["explicit"], pairs).min() > 1
    for pairs in (trained, swapped, alike):
        assert leads(judges["implicit"], pairs).min() > 0
    assert leads(judges["implicit"], reworded).max() < 0


def strings() -> list[str]:
    """Fifty answers: the world's own, in other words, and in other alphabets."""
    rng = random.Random("toy")
    own = [
        opinions.answer(rng.choice([*persona.OPENINGS, *opinions.PREFIXES, ""]), phrase)
        for phrase in (*opinions.YES, *opinions.NO)
    ]
    letters = "abcxyz é漢🙂.,!?0"
    return own + ["y" + "".join(rng.choices(letters, k=9)) + "n" for _ in range(18)]


def test_the_page_scores_as_the_library_does(
    visit: Callable[..., Any], judges: dict[str, Any]
) -> None:
    page, texts = visit(), strings()
    prompt = page.locator("[data-control=question]").input_value()
    assert len(texts) == 50
    times, worst = [], dict.fromkeys(REWARDS, 0.0)
    for a, b in zip(texts[::2], texts[1::2], strict=True):
        found, took = shown(page, a, b)
        times.append(took)
        for reward, row in zip(REWARDS, found, strict=True):
            expected = judges[reward].score([prompt] * 2, [a, b]).tolist()
            away = max(abs(x - y) for x, y in zip(row, expected, strict=True))
            worst[reward] = max(worst[reward], away)
    print(f"\nlargest differences of rewards {worst}; a verdict took {min(times):.0f} to "
          f"{max(times):.0f} ms, {sorted(times)[len(times) // 2]:.0f} in the middle")  # fmt: skip
    assert worst["explicit"] < 1e-3
    assert worst["implicit"] < 1e-5  # a thousandth of a nat


@pytest.mark.slow
def test_training_again_gives_these_judges(tmp_path: Path, judges: dict[str, Any]) -> None:
    from minirm.figures import lab_judges

    assert lab_judges.record()["command"] == f"python -m {lab_judges.__name__}"
    lab_judges.main(tmp_path / "again.safetensors")
    questions = persona.world_questions(0).test[:5]
    pairs = persona.held_out_pairs(questions, "paraphrase")
    texts = [p.prompt for p in pairs] * 2, [p.chosen for p in pairs] + [p.rejected for p in pairs]
    for reward, judge in judges.items():
        again = lab_judges.judge(reward, *lab_judges.stored(reward, tmp_path / "again.safetensors"))
        before, after = judge.score(*texts), again.score(*texts)
        assert (before - after).abs().max() < 0.05 * before.std()


# --------------------------------------------------------------------------------------- the page


def verdicts(page: Any) -> list[str]:
    return page.locator(".minirm-toy-verdict p").all_text_contents()


def told(page: Any, judge: int, words: str) -> None:
    where = f"document.querySelectorAll('.minirm-toy-verdict p')[{judge}]"
    page.wait_for_function(f"words => {where}.textContent.includes(words)", arg=words)


def test_it_starts_on_that_pair_and_the_buttons_change_it(visit: Callable[..., Any]) -> None:
    page = visit()
    assert "prefers A, the yes, by" in verdicts(page)[0]
    assert verdicts(page)[0].endswith(": right.")
    assert "prefers B, the no, by" in verdicts(page)[1]
    assert verdicts(page)[1].endswith(" nats: wrong.")
    page.click("[data-preset='Exchange the openings']")
    assert page.locator("[data-control=a]").input_value() == "I lean toward certainly"
    told(page, 1, "prefers A, the yes")
    page.click("[data-preset='Let both say the same']")
    assert page.locator("[data-control=b]").input_value() == "My response would be certainly"
    told(page, 1, "though both say yes")
    page.click("[data-preset='The first pair again']")
    told(page, 1, "wrong")


def test_lists_and_typed_words_go_together(visit: Callable[..., Any]) -> None:
    page = visit()
    lists = [page.locator(f"[data-control=a-{part}]") for part in ("opening", "phrase")]
    typed = page.locator("[data-control=a]")
    lists[0].select_option("")
    lists[1].select_option("yes")
    assert typed.input_value() == "yes"
    typed.fill("Oui, of course")
    assert [each.input_value() for each in lists] == ["own words", "own words"]
    lists[1].select_option("never")
    assert typed.input_value() == "Oui, never"
    told(page, 0, "prefers")
    typed.fill("Bien sûr")
    page.wait_for_function("document.querySelector('.minirm-said').textContent.includes('sûr')")
    tokens = page.locator(".minirm-answers > div").first.locator(".minirm-token > :first-child")
    assert "0xC3" in tokens.all_text_contents()  # a byte of û
    assert not any("right" in words or "wrong" in words for words in verdicts(page))


def test_what_cannot_be_judged_is_said_and_the_next_answer_is_judged(
    visit: Callable[..., Any],
) -> None:
    page = visit()
    said = "document.querySelector('.minirm-toy [role=status]').textContent"
    page.fill("[data-control=a]", "é" * 200)
    page.wait_for_function(f"{said}.includes('too long')")
    page.fill("[data-control=a]", " ")
    page.wait_for_function(f"{said}.includes('Type two answers')")
    shown(page, "sure", "no")
    assert page.evaluate(said) == ""


def test_a_verdict_is_read_out_when_it_stands_still(visit: Callable[..., Any]) -> None:
    page = visit()
    heard = page.locator(".minirm-heard")
    assert heard.get_attribute("aria-live") == "polite"
    page.wait_for_function("document.querySelector('.minirm-heard').textContent.includes('wrong')")
    page.evaluate(
        """() => {
            window.changes = 0;
            new MutationObserver(() => window.changes++).observe(
                document.querySelector(".minirm-heard"), { childList: true, characterData: true });
        }"""
    )
    for answer in ("sure", "no", "never", "yes"):
        shown(page, answer, "nope")
    page.wait_for_timeout(1200)
    assert heard.text_content() == " ".join(verdicts(page))
    assert page.evaluate("changes") < 4


def test_it_is_worked_by_keyboard_and_fits_a_phone(visit: Callable[..., Any]) -> None:
    page = visit(viewport={"width": 360, "height": 740}, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    label = "c => (c.labels?.[0] ?? c).textContent || c.getAttribute('aria-label')"
    fields = page.locator(".minirm-toy").locator("input, select, button").all()
    assert len(fields) == 10
    for field in fields:
        field.focus()
        assert field.evaluate("c => c === document.activeElement")
        assert field.evaluate(label).strip()
    page.locator("[data-preset='Exchange the openings']").focus()
    page.keyboard.press("Enter")
    told(page, 1, "prefers A, the yes")


def test_a_still_picture_stands_in(visit: Callable[..., Any]) -> None:
    page = visit()
    assert not page.locator(".minirm-still").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".minirm-still").is_visible()
    assert not page.locator(".minirm-toy").is_visible()
    plain = visit(java_script_enabled=False)
    assert plain.locator(".minirm-still").is_visible()
    assert "higher for the wrong answer" in plain.locator(".minirm-still").get_attribute("alt")


def test_what_the_still_picture_says_is_so() -> None:
    """Nearly all of the implicit sums stands on the tokens of the openings."""
    from minirm.figures import lab_toy

    found = lab_toy.first_pair()
    right, wrong = (found["answers"][key] for key in ("0,0", "1,1"))
    assert right["explicit"] > wrong["explicit"]
    assert sum(right["shares"]) < sum(wrong["shares"])
    for answer, opening in ((right, persona.HELD_YES), (wrong, persona.HELD_NO)):
        words = len(opening.split())
        inside, outside = sum(answer["shares"][:words]), sum(answer["shares"][words:])
        assert abs(inside) > 3 * abs(outside)


def test_a_kernel_sends_the_model_and_both_judges() -> None:
    from minirm.figures import lab, lab_judges, lab_toy

    toy = lab_toy.Toy()
    sent = []
    toy.send = lambda content, buffers: sent.append((content, buffers))
    toy._handle_custom_msg("weights", [])
    ((content, buffers),) = sent
    assert content == "weights"
    assert buffers[0] == lab.half_weights()
    for reward, moves in zip(REWARDS, buffers[1:], strict=True):
        assert moves == lab_judges.stored(reward)[0].numpy().tobytes()
    assert len(json.dumps(toy.get_state())) < 200_000  # what a saved notebook holds of it


@pytest.mark.needs("book")
def test_no_other_page_of_the_book_loads_a_judge_or_the_model() -> None:
    from minirm.figures import lab, lab_judges

    texts = {page.stem: page.read_text("utf-8") for page in BOOK.glob("*.html")}
    loading = {
        where: {name for name, text in texts.items() if where in text}
        for _, where in (lab.SCRIPT, *lab_judges.SCRIPTS.values())
    }
    assert loading.pop(lab.SCRIPT[1]) == {"index", "lab"}
    assert set.union(*loading.values()) == {"index"}
    scripts = [BOOK / where for _, where in (lab.SCRIPT, *lab_judges.SCRIPTS.values())]
    size = sum(file.stat().st_size for file in scripts) / 1e6
    whole = sum(file.stat().st_size for file in BOOK.rglob("*") if file.is_file()) / 1e6
    print(f"\nthe built pages have {whole:.1f} MB, {size:.1f} MB of them the model and the judges")
