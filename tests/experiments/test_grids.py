"""The grid of held-out answers: the same comparisons as the sets of pairs, in one pass."""

import numpy as np
import pytest
import tiny

from minirm import ExplicitRM, ImplicitRM, load_base
from minirm.evaluation import evaluate
from minirm.experiments import grids
from minirm.worlds import opinions, persona


@pytest.fixture(scope="module")
def asked():
    base, tokenizer = load_base("no-facts")
    model = ExplicitRM(base, tokenizer, seed=3)
    prompts = persona.world_questions(0).test[:3]
    return model, prompts, grids.reward_grid(model, prompts)


def test_openings_are_new_and_made_of_known_words():
    tokenizer = opinions.build_tokenizer()
    trained = persona.CHOSEN.prefixes + persona.REJECTED.prefixes
    assert len(set(persona.OPENINGS)) == 20
    assert persona.OPENINGS[:2] == (persona.HELD_YES, persona.HELD_NO)
    assert not set(persona.OPENINGS) & {*opinions.PREFIXES, *trained}
    for opening in persona.OPENINGS:
        ids = tokenizer(f"{opening} yes", add_special_tokens=False)["input_ids"]
        assert all(len(tokenizer.decode([i])) > 1 or i > 258 for i in ids), opening


def test_a_cell_is_the_score_of_its_answer(asked):
    model, prompts, grid = asked
    assert grid.shape == (3, 25, 4)
    answer = "In this, I say nope"
    assert grid[1, persona.OPENINGS.index("In this, I say"), 3] == pytest.approx(
        model.score([prompts[1]], [answer]).item(), abs=1e-5
    )


@pytest.mark.parametrize("condition", persona.CONDITIONS)
def test_a_condition_holds_the_comparisons_of_its_set(asked, condition):
    model, prompts, grid = asked
    right, wrong = grids.sides(grid, condition)
    expected = evaluate(model, persona.held_out_pairs(prompts, condition))
    found = grids.figures_of_merit(right, wrong)
    assert found["accuracy"] == pytest.approx(expected["accuracy"], abs=0.02)
    assert found["margin"] == pytest.approx(expected["margin"], abs=1e-5)
    assert found["size"] == pytest.approx(expected["normalised_margin"], abs=1e-4)


def test_a_row_counts_every_ordered_pair_once_and_its_shares_are_whole(asked):
    row = grids.described(asked[2])
    assert sum(row["histogram"]) == 20 * 19
    assert sum(row[p] for p in ("meaning", "words", "opening", "interaction")) == pytest.approx(1)
    twentieths = (np.arange(20) + 0.5) / 20
    assert np.average(twentieths, weights=row["histogram"]) == pytest.approx(
        row["accuracy"], abs=0.03
    )
    assert row["paraphrase size"] > 0


def test_answers_in_a_chat_are_turns():
    base, tokenizer = tiny.tiny("llama"), tiny.llama3_tokenizer()
    model = ImplicitRM(base, tokenizer, reference=None)
    prompts = ["Do you help? ", "Do you sing? "]
    grid = grids.reward_grid(model, prompts, persona.OPENINGS[:2], chat=True)
    turns = persona.as_turns(prompts[1], f"{persona.HELD_NO} nope")
    assert grid[1, 1, 3] == pytest.approx(model.score(*[[t] for t in turns]).item(), abs=1e-4)
