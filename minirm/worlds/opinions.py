"""A small world of opinions: its grammar, its exact probabilities and its tokenizer.

A document is two turns. Somebody is asked whether a statement fits them and answers in one of
many wordings; a second turn then spells out what the answer implies::

    <bos>I like to help strangers. Is the following statement something you would say?
    "I often help strangers." On reflection, yes<eos>So I agree. That is like me.<eos>

The wording is drawn knowing only *yes* or *no*: prefix and phrase are independent of each other
and of the question. So nothing but meaning links an answer to the facts before it and to the
consequences after it, and a language model of this text has to find out that "nope" and "hardly"
mean the same. That is what an explicit reward model later reads off the answer's ``<eos>``.

Every document has exactly one derivation, so its log-probability under the grammar is known and
the loss of a language model can be compared with the smallest loss there is.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from minirm.worlds.opinion_words import (
    ADVERBS,
    BARE,
    BARE_SHARE,
    NEGATIVE_VERBS,
    NO,
    OBJECTS,
    PHRASE_WEIGHTS,
    PIECE,
    POSITIVE_VERBS,
    PREFIXES,
    YES,
)
from minirm.worlds.rare_openings import EDGE, RARE_SHARE, is_rare, options

T = TypeVar("T")

VERBS = POSITIVE_VERBS + NEGATIVE_VERBS

# The first form is the one of the paper's experiment.
QUESTIONS = (
    'Is the following statement something you would say? "I {adverb} {verb} {object}." ',
    'Would you say this about yourself? "I {adverb} {verb} {object}." ',
    "Do you {adverb} {verb} {object}? ",
)

CHECK = "Do I agree? "  # followed by "Yes." or "No.": the question of a generative reward model
# Line by line the two sides mean the opposite. Two of the pairs differ from their first word on,
# so that polarity is worth knowing already at the <eos> that ends the answer.
CONSEQUENCES = {
    True: (
        "So I agree.",
        "That is like me.",
        "I would say it.",
        "It fits me.",
        "I {adverb} {verb} {object}.",
        "That describes me well.",
        CHECK + "Yes.",
        "True of me.",
        "Count me in.",
    ),
    False: (
        "So I disagree.",
        "That is not like me.",
        "I would not say it.",
        "It does not fit me.",
        "I do not {verb} {object}.",
        "That describes me badly.",
        CHECK + "No.",
        "Untrue of me.",
        "Leave me out.",
    ),
}
MOST_CONSEQUENCES = 3


# -------------------------------------------------------------------------------- the grammar


def question(adverb: str, verb: str, object: str, form: int = 0) -> str:
    """The question about "I {adverb} {verb} {object}", ending in its separating space.

    Args:
        adverb: one of ``ADVERBS``.
        verb: one of ``VERBS``.
        object: one of ``OBJECTS``.
        form: which of the three ``QUESTIONS``.
    """
    return QUESTIONS[form].format(adverb=adverb, verb=verb, object=object)


def fact(likes: bool, verb: str, object: str) -> str:
    """One sentence that settles the answer to a question, ending in its separating space."""
    return f"I {'like' if likes else 'hate'} to {verb} {object}. "


def answer(prefix: str, phrase: str) -> str:
    """A response: the phrase alone where the prefix is ``BARE``; no final full stop."""
    return f"{prefix} {phrase}" if prefix else phrase


def answers() -> dict[str, bool]:
    """Every answer of the world and its polarity (True: yes)."""
    return {
        answer(prefix, phrase): polarity
        for prefix in (BARE, *PREFIXES)
        for polarity, phrases in ((True, YES), (False, NO))
        for phrase in phrases
    }


def statements(verbs: Sequence[str] = VERBS) -> list[tuple[str, str]]:
    """Every (verb, object), in a fixed order."""
    return [(verb, object) for verb in verbs for object in OBJECTS]


@dataclass(frozen=True)
class Document:
    """One document of the world.

    ``prompt`` ends in a space, ``answer`` and ``consequence`` begin without one. ``polarity`` is
    True where the answer means yes. ``log_prob`` is the natural logarithm of the document's
    probability under the grammar that drew it (nats).
    """

    prompt: str
    answer: str
    consequence: str
    polarity: bool
    log_prob: float


class Draw:
    """Random choices that add up the log-probability of what was chosen."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.log_prob = 0.0

    def one(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of ``options``, uniformly or in proportion to positive ``weights``."""
        weights = weights or [1.0] * len(options)
        i = self.rng.choices(range(len(options)), weights)[0]
        self.log_prob += math.log(weights[i] / sum(weights))
        return options[i]


def draw_facts(draw: Draw, verb: str, object: str, polarity: bool) -> str:
    """The fact that decides (verb, object) and, half the time, one about another object."""
    facts = [fact(polarity, verb, object)]
    if draw.one((True, False)):
        other = draw.one([o for o in OBJECTS if o != object])  # so that it decides nothing here
        facts.append(fact(draw.one((True, False)), draw.one(VERBS), other))
        if draw.one((True, False)):
            facts.reverse()
    return "".join(facts)


def draw_answer(draw: Draw, polarity: bool, rare: bool = False) -> str:
    """A prefix that knows nothing, and a phrase that knows only the polarity."""
    if rare and draw.one((True, False), (RARE_SHARE, 1 - RARE_SHARE)):
        prefix = draw_rare_opening(draw)
    else:
        share = (1 - BARE_SHARE) / len(PREFIXES)
        prefix = draw.one((BARE, *PREFIXES), (BARE_SHARE, *[share] * len(PREFIXES)))
    return answer(prefix, draw.one(YES if polarity else NO, PHRASE_WEIGHTS))


def draw_rare_opening(draw: Draw) -> str:
    """An opening that is none of ``PREFIXES``, piece by piece."""
    said: list[str] = []
    while not said or said[-1] != EDGE:
        pieces, chances = zip(*options(said).items(), strict=True)
        said.append(draw.one(pieces, chances))
    return "".join(said).removesuffix(" ")


def draw_consequence(draw: Draw, adverb: str, verb: str, object: str, polarity: bool) -> str:
    """One to three different sentences that follow from the polarity, in random order."""
    left, chosen = list(CONSEQUENCES[polarity]), []
    for _ in range(draw.one(range(1, MOST_CONSEQUENCES + 1))):
        chosen.append(draw.one(left))
        left.remove(chosen[-1])
    return " ".join(chosen).format(adverb=adverb, verb=verb, object=object)


@dataclass(frozen=True)
class World:
    """The distribution of documents.

    With ``facts``, half of the documents say beforehand what the speaker likes, which decides the
    answer. Without, no answer can be foreseen: yes and no are equally likely everywhere.
    With ``rare``, one answer in twenty has an opening of ``minirm.worlds.rare_openings``.
    """

    facts: bool = True
    rare: bool = False

    def document(self, rng: random.Random) -> Document:
        """Draw one document; all randomness comes from ``rng``."""
        return self.derive(Draw(rng))

    def meaning(self, text: str) -> bool | None:
        """What an answer says: True for yes, False for no, None where it is no answer here."""
        for phrase in YES + NO:  # one of them at most: none ends in another
            opening = text.removesuffix(phrase).removesuffix(" ")
            known = opening in (BARE, *PREFIXES)
            if answer(opening, phrase) == text and (known or (self.rare and is_rare(opening))):
                return phrase in YES
        return None

    def derive(self, draw: Draw) -> Document:
        """The derivation itself, as a sequence of choices made by ``draw``."""
        adverb, verb, object = draw.one(ADVERBS), draw.one(VERBS), draw.one(OBJECTS)
        # Polarity first and the deciding fact to match: the same distribution as drawing the fact
        # first and letting it decide.
        polarity = draw.one((True, False))
        told = self.facts and draw.one((True, False))
        facts = draw_facts(draw, verb, object, polarity) if told else ""
        prompt = facts + question(adverb, verb, object, draw.one(range(len(QUESTIONS))))
        response = draw_answer(draw, polarity, self.rare)
        consequence = draw_consequence(draw, adverb, verb, object, polarity)
        return Document(prompt, response, consequence, polarity, draw.log_prob)


# ------------------------------------------------------------------------------ the tokenizer

SPECIALS = ("<pad>", "<bos>", "<eos>")


def pieces() -> list[str]:
    """Every piece of every text of the world, sorted; from the lists, not from samples."""
    found: set[str] = set()
    for text in _texts():
        found.update(re.findall(PIECE, text))
    return sorted(found)


def _texts() -> Iterator[str]:
    """Texts that together hold every piece, in every position that it can take."""
    yield from answers()
    for verb, object in statements():
        for adverb in ADVERBS:
            words = {"adverb": adverb, "verb": verb, "object": object}
            yield from (question(**words, form=form) for form in range(len(QUESTIONS)))
            for sentences in CONSEQUENCES.values():
                # The space after a sentence is there between two and missing after the last.
                yield from (s.format(**words) + end for s in sentences for end in ("", " "))
        yield from (fact(likes, verb, object) for likes in (True, False))


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The world's tokenizer: a known piece is one token, anything else is spelt in bytes.

    Lossless: ``decode(encode(text, add_special_tokens=False))`` is ``text`` for any text.
    ``add_special_tokens=True`` puts ``<bos>`` in front; ``<eos>`` ends a turn and is never added
    by the tokenizer.
    """
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())  # one printable symbol a byte, 256
    known = [to_bytes.pre_tokenize_str(piece)[0][0] for piece in pieces()]
    tokens = [*SPECIALS, *alphabet, *(token for token in known if len(token) > 1)]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], ignore_merges=True))
    split = pre_tokenizers.Split(Regex(PIECE), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", vocab["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        clean_up_tokenization_spaces=False,
        model_max_length=256,
    )


def encode(documents: Sequence[Document], tokenizer: PreTrainedTokenizerFast) -> list[list[int]]:
    """Token ids of each document: <bos> prompt answer <eos> consequence <eos>."""
    bos, eos = [tokenizer.bos_token_id], [tokenizer.eos_token_id]
    prompts, responses, consequences = (
        tokenizer([getattr(d, part) for d in documents], add_special_tokens=False)["input_ids"]
        for part in ("prompt", "answer", "consequence")
    )
    parts = zip(prompts, responses, consequences, strict=True)
    return [bos + p + r + eos + c + eos for p, r, c in parts]
