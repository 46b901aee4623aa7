"""The paper's controlled experiment as data (arXiv 2507.07981, section 5.1).

Eighty questions of the form "is this something you would say?" are answered yes by the chosen and
no by the rejected response, in two wordings each. At test time the same answers come in wordings
that were not trained on. The questions come from the small world, or from a Persona file of
Anthropic's model-written evals (Perez et al., 2022).
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minirm.encoding import Text
from minirm.pairs import PreferencePair
from minirm.worlds import opinions

N_TRAIN, N_TEST = 80, 40


@dataclass(frozen=True)
class Wording:
    """How one side of a comparison may be worded: any prefix before any phrase."""

    prefixes: tuple[str, ...]
    phrases: tuple[str, ...]

    def wordings(self) -> list[tuple[str, str]]:
        """Every prefix with every phrase."""
        return list(itertools.product(self.prefixes, self.phrases))

    def responses(self) -> list[str]:
        return list(itertools.starmap(opinions.answer, self.wordings()))


CHOSEN = Wording(("In my view, the answer is", "A truthful reply is"), ("yes", "sure"))
REJECTED = Wording(("My judgement:", "Considering the statement, I say"), ("no", "never"))

YES, NO = ("certainly", "absolutely"), ("not really", "nope")  # held out from training
HELD_YES, HELD_NO = "My response would be", "I lean toward"  # the paper's held-out prefixes
# Prefixes that begin with no word that any training response begins with.
FRESH = ("To be frank:", "If you ask me,", "Let us be clear:", "All things considered,")
OPENINGS = (
    HELD_YES, HELD_NO, "My fair reply is", "A response to this is", "In this, I say",
    "Let me answer", "To be sincere, it is", "The answer would be", "It is fair to say",
    "I can say", "We know it is", "All I say is", "If pressed, my answer is", "On the statement:",
    "Speaking openly, I say", "The best reply is", "In all, it would be", "A fair answer is",
    "The response would be", "We lean toward",
)  # fmt: skip
"""Twenty held-out prefixes, the paper's two first. Like those they are made of words that the small
world knows, and neither the world nor any training response uses them as they stand."""

Sides = tuple[str, str]
CONDITIONS: dict[str, tuple[Sides, ...]] = {
    "paraphrase": ((HELD_YES, HELD_NO),),
    "swapped": ((HELD_NO, HELD_YES),),
    "same prefix": ((HELD_YES, HELD_YES), (HELD_NO, HELD_NO)),
    "fresh prefixes": tuple(itertools.permutations(FRESH, 2)),
    "bare": ((opinions.BARE, opinions.BARE),),
}
"""The prefixes put before the held-out yes-phrases and no-phrases, by condition.

"paraphrase" is the paper's; the others are controls that keep its phrases and change only which
prefix stands on which side.
"""


@dataclass(frozen=True)
class Questions:
    """Prompts of one draw; each ends in the space that separates it from its answer."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def world_questions(seed: int, *, n_train: int = N_TRAIN, n_test: int = N_TEST) -> Questions:
    """Questions of the small world about kind acts, in the paper's form and with no facts."""
    rng = random.Random(f"persona:{seed}")
    prompts = [
        opinions.question(rng.choice(opinions.ADVERBS), verb, object)
        for verb, object in opinions.statements(opinions.POSITIVE_VERBS)
    ]
    return _split(prompts, rng, n_train, n_test)


def file_questions(
    path: str | os.PathLike[str], seed: int, *, n_train: int = N_TRAIN, n_test: int = N_TEST
) -> Questions:
    """Questions of a Persona file (JSON lines), those whose behaviour-matching answer is Yes.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line is no Persona row, or too few fit.
    """
    prompts = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            question, matching = row["question"], row["answer_matching_behavior"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path}, line {number}: expected a JSON object with "question" and '
                f'"answer_matching_behavior", got {line[:80]!r}'
            ) from error
        if matching.strip() == "Yes":
            prompts.append(question + " ")
    return _split(prompts, random.Random(f"persona:{seed}"), n_train, n_test)


def training_pairs(
    prompts: Sequence[str],
    seed: int,
    *,
    chosen: Wording = CHOSEN,
    rejected: Wording = REJECTED,
    agreement: float = 1.0,
) -> list[PreferencePair]:
    """One comparison a prompt, in the trained wordings, drawn at random for each side.

    Args:
        prompts: each ends in the space that separates it from its answer.
        seed: of the draws; whatever the wordings are, it draws the same places in them.
        chosen: how the chosen side may be worded; the paper's where nothing is said.
        rejected: how the rejected side may be worded; likewise.
        agreement: share of the 2 N responses that open in a prefix of their own side. The others,
            a whole number of them drawn at random, open in one of the other side's. At 1 the
            prefix foretells the label, at one half it says nothing. From one agreement to a lower
            one, responses only join the others.

    Raises:
        ValueError: ``agreement`` is not in [0, 1].
    """
    if not 0 <= agreement <= 1:
        raise ValueError(f"agreement must be in [0, 1], got {agreement!r}")
    rng, others = random.Random(f"wordings:{seed}"), random.Random(f"agreement:{seed}")
    sides = (chosen, rejected)
    order = others.sample(range(2 * len(prompts)), 2 * len(prompts))
    crossed = set(order[: round((1 - agreement) * len(order))])
    pairs = []
    for i, prompt in enumerate(prompts):
        answers: list[str] = []
        for side, (own, other) in enumerate((sides, sides[::-1])):
            (prefix, phrase), crossing = rng.choice(own.wordings()), others.choice(other.prefixes)
            answers.append(opinions.answer(crossing if 2 * i + side in crossed else prefix, phrase))
        chosen_answer, rejected_answer = answers
        pairs.append(PreferencePair(prompt, chosen_answer, rejected_answer))
    return pairs


def held_out_pairs(prompts: Sequence[str], condition: str) -> list[PreferencePair]:
    """Every comparison of ``condition``: each prompt with all prefixes and phrases of both sides.

    Raises:
        KeyError: ``condition`` is not one of ``CONDITIONS``.
    """
    return [
        PreferencePair(prompt, opinions.answer(yes, a), opinions.answer(no, b))
        for yes, no in CONDITIONS[condition]
        for a in YES
        for b in NO
        for prompt in prompts
    ]


def evaluation_sets(questions: Questions, seed: int) -> dict[str, list[PreferencePair]]:
    """The table's columns: trained wordings, and every held-out condition.

    "original" and "paraphrase" are given for train and test prompts, as in the paper; the
    controls for test prompts.
    """
    sets = {
        "original, train": training_pairs(questions.train, seed),
        "original, test": training_pairs(questions.test, seed + 1),
        "paraphrase, train": held_out_pairs(questions.train, "paraphrase"),
    }
    return sets | {
        f"{condition}, test": held_out_pairs(questions.test, condition) for condition in CONDITIONS
    }


def as_turns(prompt: str, response: str, *, chat: bool = True) -> tuple[Text, Text]:
    """A prompt and a response, as a user's and an assistant's turn where it is a chat."""
    if not chat:
        return prompt, response
    asked = [{"role": "user", "content": prompt.rstrip()}]
    return asked, [{"role": "assistant", "content": response}]


def as_conversation(pair: PreferencePair) -> PreferencePair:
    """The same comparison as a user turn and two assistant turns, for chat models."""
    prompt, chosen, rejected = pair.prompt, pair.chosen, pair.rejected
    assert isinstance(prompt, str)  # as this world makes them
    assert isinstance(chosen, str)
    assert isinstance(rejected, str)
    asked, first = as_turns(prompt, chosen)
    return PreferencePair(asked, first, as_turns(prompt, rejected)[1])


def _split(prompts: list[str], rng: random.Random, n_train: int, n_test: int) -> Questions:
    if len(prompts) < n_train + n_test:
        raise ValueError(
            f"need {n_train} training and {n_test} test questions, found {len(prompts)} whose "
            "matching answer is Yes"
        )
    rng.shuffle(prompts)
    return Questions(tuple(prompts[:n_train]), tuple(prompts[n_train : n_train + n_test]))
