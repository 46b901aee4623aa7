"""How well an opening is known: token by token, over several prompts, and by which bases."""

import pytest
import torch
from tiny import tiny

from minirm import load_base
from minirm.logprobs import naive_logprob
from minirm.models.bases import RARE
from minirm.worlds import persona
from minirm.worlds.familiarity import familiarity
from minirm.worlds.opinion_words import PREFIXES, UNUSED_PREFIXES

PROMPTS = persona.world_questions(0).test[:4]


def test_the_tokens_are_the_opening_s_and_their_sum_is_its_log_probability():
    model, tokenizer = load_base("no-facts")
    openings = ("I lean toward", "My judgement:")
    found = familiarity(model, tokenizer, openings, PROMPTS)
    assert [f.opening for f in found] == list(openings)
    assert found[0].tokens == ("I ", "lean ", "toward ")
    assert found[1].tokens == ("My ", "judgement", ": ")
    for f in found:
        said = tokenizer(f.opening + " ", add_special_tokens=False)["input_ids"]
        each = [naive_logprob(model, tokenizer(p)["input_ids"], said).item() for p in PROMPTS]
        assert f.total == pytest.approx(sum(each) / len(each), abs=1e-3)
        assert f.least == min(f.log_probs) < 0


def test_another_model_s_tokens_end_where_yes_and_no_part():
    """A tokenizer that puts the space before a word leaves it to the phrase."""
    from tiny import tokenizer

    words = tokenizer()
    model = tiny(vocab=len(words)).eval()
    (found,) = familiarity(model, words, ["In my view,"], ["What? "])
    assert "".join(found.tokens).replace(" ", "").startswith("Inmyview,")
    assert torch.tensor(found.log_probs).isfinite().all()


def test_what_is_refused():
    base = load_base("no-facts")
    with pytest.raises(ValueError, match="at least one prompt"):
        familiarity(*base, ["In my view,"], [])
    with pytest.raises(ValueError, match="empty"):
        familiarity(*base, [""], PROMPTS)


@pytest.mark.parametrize("name", RARE)
def test_a_base_of_the_rare_world_is_less_surprised_and_by_no_single_word(name):
    """Than one that has read 42 openings; the common ones stay as they are."""
    rare, common = (
        familiarity(*load_base(base), UNUSED_PREFIXES[:4], PROMPTS) for base in (name, "seed-0")
    )
    for ours, theirs in zip(rare, common, strict=True):
        assert ours.total > theirs.total + 5
        assert ours.total > -30
        assert ours.least > -13
    known = familiarity(*load_base(name), PREFIXES, PROMPTS)
    assert all(abs(f.total - -3.95) < 0.7 for f in known)
