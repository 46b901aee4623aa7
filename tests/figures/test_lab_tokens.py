"""The lab's tokenizer and its random draws are Python's, in Chromium, from a file, offline."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from minirm import ExplicitRM
from minirm.batches import epoch_batches, pair_cost
from minirm.encoding import encode
from minirm.pairs import EncodedPair
from minirm.worlds import opinions, persona

pytestmark = pytest.mark.needs("playwright", "chromium", "anywidget", "matplotlib")

KNOWN = st.sampled_from([*opinions.pieces(), *opinions.SPECIALS, *persona.OPENINGS, " ", "\n", "²"])
TEXTS = st.lists(st.text(max_size=6) | KNOWN, max_size=8).map("".join)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # to shrink lists of lists of text takes minutes
    suppress_health_check=list(HealthCheck),
)
@given(texts=st.lists(TEXTS, min_size=40, max_size=40))
def test_the_tokenizer_is_pythons_on_any_text(
    ask: Callable[..., Any], base: tuple[Any, Any], texts: list[str]
) -> None:
    expected = base[1](texts, add_special_tokens=False)["input_ids"]
    assert ask("texts => texts.map(t => tokenizer.ids(t))", texts) == expected
    pairs = [(a, b) for a, b in zip(texts[::2], texts[1::2], strict=True) if b]
    found = ask("pairs => pairs.map(([a, b]) => tokenizer.encode(a, b))", pairs)
    for (prompt, response), got in zip(pairs, found, strict=True):
        right = encode(base[1], prompt, response)
        assert (got["prompt"], got["response"]) == (list(right.prompt), list(right.response))


def test_every_character_cuts_words_where_python_cuts_them(
    ask: Callable[..., Any], base: tuple[Any, Any]
) -> None:
    codes = [*range(0xD800), *range(0xE000, 0x33800), *range(0xE0000, 0xE0200), 0x10FFFD]
    cutter = base[1].backend_tokenizer.pre_tokenizer
    script = """codes => codes.map(c => {
        const s = String.fromCodePoint(c);
        return `yes${s} ${s}no!${s}`.match(tokenizer.piece).length;
    })"""
    found = ask(script, codes)
    texts = (f"yes{c} {c}no!{c}" for c in map(chr, codes))
    expected = [len(cutter.pre_tokenize_str(text)) for text in texts]
    assert [hex(c) for c, a, b in zip(codes, expected, found, strict=True) if a != b] == []


def test_half_a_character_is_refused(ask: Callable[..., Any]) -> None:
    said = "try { tokenizer.ids('yes \\ud800'); } catch (e) { e.message }"
    assert ask(f"() => eval({json.dumps(said)})") == "half a character"


@pytest.mark.parametrize("seed", [0, 7, 123456])
def test_a_seed_means_the_same_run(
    ask: Callable[..., Any], base: tuple[Any, Any], seed: int
) -> None:
    questions = persona.world_questions(seed)
    drawn = {
        a: persona.training_pairs(questions.train, seed, agreement=a) for a in (1.0, 0.75, 0.5)
    }
    ids = [
        EncodedPair(encode(base[1], p.prompt, p.chosen), encode(base[1], p.prompt, p.rejected))
        for p in drawn[0.75][:77]  # not a multiple of 8: the last batch is short
    ]
    costs = [pair_cost(pair, shared=True) for pair in ids]
    found = ask(
        """([seed, agreements, n]) => {
            const {train, test} = worldQuestions(world, seed);
            const pairs = agreements.map(
                agreement => trainingPairs(train, seed, {...world, agreement}));
            const lists = pairs.map(some => some.map(p => [p.prompt, p.chosen, p.rejected]));
            const costs = encoded(lists[1].slice(0, n)).map(costOf);
            const batches = [0, 1, 5].map(epoch => epochBatches(costs, 8, seed, epoch));
            return {test, pairs: lists, costs, batches, head: [...torchNormal(seed, 96, 0.02)]};
        }""",
        [seed, [1, 0.75, 0.5], len(ids)],
    )
    assert found["test"] == list(questions.test)
    assert found["pairs"] == [
        [[p.prompt, p.chosen, p.rejected] for p in some] for some in drawn.values()
    ]
    assert found["costs"] == costs
    assert found["batches"] == [list(epoch_batches(costs, 8, seed, e)) for e in (0, 1, 5)]
    head = ExplicitRM(*base, seed=seed).model.score.weight[0].detach()
    assert found["head"] == pytest.approx(head.tolist(), abs=1e-7)
