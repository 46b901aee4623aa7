"""Cosines with the max-margin separator: known answers on hand-made states, then real ones."""

import itertools
import math

import pytest
import torch

from minirm.experiments import separators
from minirm.worlds import persona
from tests.tiny import PROMPTS, tiny, tokenizer

INDEX = separators.PREFIXES.index


def handmade(cue=4.0):
    """[2, P, 4, 2]: +-1 for right and wrong phrases; +-cue/2 for the paper's two openings."""
    grid = torch.zeros(2, len(separators.PREFIXES), 4, 2, dtype=torch.float64)
    grid[..., :2, 0], grid[..., 2:, 0] = 0.5, -0.5
    grid[:, INDEX(persona.HELD_YES), :, 1] = -cue / 2
    grid[:, INDEX(persona.HELD_NO), :, 1] = cue / 2
    return grid


def found(training, grid):
    return {row["condition"]: row for row in separators._foretold(training, grid)}


def test_a_cue_in_the_training_pairs_turns_the_separator_towards_the_opening():
    """d = (1, 2) on every pair, so w is along it; the held-out openings carry the cue reversed."""
    rows = found(torch.tensor([[1.0, 2.0]] * 3, dtype=torch.float64), handmade())
    expected = {
        "training": 1.0,
        "paraphrase": (1 - 8) / math.sqrt(5 * 17),
        "swapped": (1 + 8) / math.sqrt(5 * 17),
        "same prefix": 1 / math.sqrt(5),
        "fresh prefixes": 1 / math.sqrt(5),
        "bare": 1 / math.sqrt(5),
    }
    for condition, cosine in expected.items():
        assert rows[condition]["mean"] == pytest.approx(cosine)
        assert rows[condition]["sd"] == pytest.approx(0)
        assert rows[condition]["positive"] == (cosine > 0)
    # HELD_YES loses to every other opening, and every other one to HELD_NO: 19 + 18 of 380
    assert rows["all openings"]["positive"] == pytest.approx(1 - 37 / 380)


def test_without_the_cue_the_separator_is_meaning_alone():
    rows = found(torch.tensor([[1.0, 0.0]] * 3, dtype=torch.float64), handmade())
    assert all(row["positive"] == 1 for row in rows.values())
    assert {row["meaning"] for row in rows.values()} == {1.0}
    assert rows["paraphrase"]["mean"] == pytest.approx(1 / math.sqrt(17))


def test_the_share_of_meaning_is_that_of_the_separators_reward():
    """<w, h> is +-.5 for meaning, and 2 * (-2, 2, 0 ... 0) over the 20 openings."""
    rows = found(torch.tensor([[1.0, 2.0]], dtype=torch.float64), handmade())
    meaning, opening = 0.25, 2 * 4**2 / len(persona.OPENINGS)
    assert rows["paraphrase"]["meaning"] == pytest.approx(meaning / (meaning + opening))


def test_cosines_know_no_length_and_a_tie_is_half():
    d = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-3.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    expected = torch.tensor([1.0, 0.0, -1.0, 0.5**0.5, 0.0])
    for scale in (1.0, 1e3):
        cosines = separators.cosines(scale * torch.tensor([1.0, 0.0]), scale * d)
        assert cosines.mean == pytest.approx(expected.mean().item(), abs=1e-6)
        assert cosines.sd == pytest.approx(expected.std(correction=0).item())
        assert cosines.positive == pytest.approx((2 + 2 * 0.5) / 5)


def test_differences_are_every_right_against_every_wrong_phrase():
    grid = torch.arange(2 * 3 * 4 * 1.0).view(2, 3, 4, 1)
    sides = [(0, 2), (1, 1)]
    expected = [
        (grid[n, a, i] - grid[n, b, 2 + j]).item()
        for (a, b), n, i, j in itertools.product(sides, range(2), range(2), range(2))
    ]
    assert separators.differences(grid, sides).flatten().tolist() == expected


@torch.no_grad()
def test_readings_are_those_of_the_states_of_a_plain_model():
    base = tiny().double()
    prompt, responses = PROMPTS[0], ("In my view, the answer is yes", "nope")
    states = separators.read_states(base, tokenizer(), [(prompt, y) for y in responses])
    for i, response in enumerate(responses):
        x, y = (tokenizer()(t, add_special_tokens=False)["input_ids"] for t in (prompt, response))
        ids = torch.tensor([[tokenizer().bos_token_id, *x, *y, tokenizer().eos_token_id]])
        h, start = base(ids, output_hidden_states=True).hidden_states[-1][0], 1 + len(x)
        at, before = h[start:], h[start - 1 : -1]
        by_hand = {
            "last": at[-1],
            "mean": at.mean(0),
            "sum": at.sum(0),
            "states before": before.sum(0),
        }
        assert tuple(by_hand) == separators.READINGS
        for reading, expected in by_hand.items():
            torch.testing.assert_close(states[reading][i], expected, atol=1e-9, rtol=0)


def test_all_openings_are_ordered_pairs_of_two_with_the_papers_both_ways():
    pairs = separators.ALL_OPENINGS
    assert len(set(pairs)) == len(pairs) == len(persona.OPENINGS) * (len(persona.OPENINGS) - 1)
    assert {persona.CONDITIONS[name][0] for name in ("paraphrase", "swapped")} <= set(pairs)


@pytest.mark.slow
def test_the_last_state_foretells_meaning_and_the_mean_state_the_shortcut():
    rows = separators.measure(separators.Run("seed-0"), ("paper", "one prefix"))
    positive = {(r["design"], r["reading"], r["condition"]): r["positive"] for r in rows}
    sets = ("training", *separators.HELD_OUT)
    assert all(positive[design, "last", name] == 1 for design in ("paper", "one prefix")
               for name in sets)  # fmt: skip
    assert positive["paper", "mean", "paraphrase"] == 0
    assert positive["paper", "mean", "swapped"] == 1
    assert positive["one prefix", "mean", "paraphrase"] == 1
    text = separators.table(rows)
    assert "base seed-0, design one prefix, reading mean" in text
    assert len(text.splitlines()) == 2 * len(separators.READINGS) * (1 + len(sets))


def test_separators_ask_as_many_questions_of_the_file_as_they_are_told(base, monkeypatch):
    asked = []

    def listening(base, tokenizer, pairs, read=separators.read_states):
        asked.append([prompt for prompt, _ in pairs])
        return read(base, tokenizer, pairs)

    monkeypatch.setattr(separators, "read_states", listening)
    rows = separators.measure(separators.Run("base", 0, "persona.jsonl", 2), ("paper",))
    held_out = {prompt[0]["content"] for prompt in asked[0]}
    assert len(held_out) == 2
    assert all(content.startswith("Say ") for content in held_out)
    assert {len(prompts) for prompts in asked[1:]} == {persona.N_TRAIN}
    assert {row["data"] for row in rows} == {"persona.jsonl"}
