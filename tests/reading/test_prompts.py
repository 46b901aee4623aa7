"""Whether a ranking needs its prompt: another item's, and couples with the labels opposed."""

from __future__ import annotations

from readers import Asked as ReadsThePrompt
from readers import Meaning, pairs

from minirm import PreferencePair
from minirm.data.preferences import load_preferences
from minirm.reading import prompts, sample
from minirm.reading.findings import findings
from minirm.reading.report import read_model
from minirm.reading.surface import word_counts


def said(report, about):
    """The sentences on one thing, and whether one of them warns."""
    found = [finding for finding in findings(report) if finding.about == about]
    return " ".join(finding.says for finding in found), any(finding.warns for finding in found)


def test_the_same_answers_under_an_instruction_and_its_opposite():
    one = pairs(8)
    opposed = [PreferencePair(f"If it is not: {p.prompt}", p.rejected, p.chosen) for p in one]
    assert prompts.negated([*one, *opposed]) == [(i, i + 8) for i in range(8)]
    units = sample.item_units([*one, *opposed])
    assert len(set(units)) == 8
    blind = read_model(Meaning(), [*one, *opposed], units)["negated"]
    assert (blind["couples"], blind["first"][0], blind["second"][0], blind["both"][0]) == (
        8,
        1,
        0,
        0,
    )
    reads = read_model(ReadsThePrompt(), [*one, *opposed], units)
    assert reads["negated"]["both"][0] == 1
    assert not said(reads, "negated")[1]
    # Twice the same pair is no couple, nor are opposed labels to one prompt.
    assert prompts.negated([one[0], one[0]]) == []
    assert (
        prompts.negated([one[0], PreferencePair(one[0].prompt, one[0].rejected, one[0].chosen)])
        == []
    )


def test_answers_that_many_pairs_have_marry_no_strangers():
    """Yes and no to questions that have nothing to do with each other stay items of their own."""
    asked = [("good", "Yes.", "No."), ("good", "No.", "Yes."), ("number 4 good", "Yes.", "No.")]
    three = [PreferencePair(f"Is tea {what}? ", *both) for what, *both in asked]
    assert prompts.negated(three) == []
    one, again, other = sample.item_units(three)
    assert one == again != other  # one prompt is one item
    assert prompts.negated(three[1:]) == []  # two rows alone, and neither prompt in the other
    many = [PreferencePair(f"Is {i} so? ", *(("Yes.", "No.")[:: 1 - 2 * (i % 2)]))
            for i in range(20)]  # fmt: skip
    assert len(set(sample.item_units(many))) == 20
    # One prompt in the other, and still no couple: the whole set has these answers more often.
    two = [many[0], PreferencePair(f"Deny it: {many[0].prompt}", "No.", "Yes.")]
    assert prompts.negated(two) == [(0, 1)]
    assert prompts.negated(two, [*many, *two]) == []


def test_prompts_are_exchanged_between_items():
    """An item's own prompts are put in other words, and say nothing of another item's."""
    asked = [PreferencePair(f"{how} {i}? ", f"yes {i}", "no") for i in range(4) for how in "abc"]
    units = [i // 3 for i in range(12)]
    for seed in range(5):
        put = prompts.exchanged([*asked, asked[4]], [*units, 1], seed=seed)
        for old, new in zip(asked, put, strict=False):
            assert (old.chosen, old.rejected) == (new.chosen, new.rejected)
            assert old.prompt[2:] != new.prompt[2:], seed
            assert old.prompt[0] == new.prompt[0]
        assert put[12] == put[4]  # one prompt, one other prompt
    fewer = prompts.exchanged(asked[:4], [0, 0, 0, 1])
    assert [pair.prompt for pair in fewer] == ["a 1? "] * 3 + ["a 0? "]
    assert prompts.exchanged(asked[:3], [0, 0, 0]) is None
    text, warns = said(read_model(Meaning(), pairs(3), [0, 0, 0]), "prompt")
    assert text == "All pairs are one item: no other item's prompt could be put."
    assert not warns


def test_the_couples_of_llmbar_are_found(data_dir):
    """Normal and Negation: the same answers, every label flipped."""
    files = [data_dir / f"llmbar_{kind}.jsonl" for kind in ("normal", "negation")]
    both = [pair for file in files for pair in load_preferences(file).pairs]
    couples = prompts.negated(both)
    assert len(couples) == 59
    assert all(b == a + 59 for a, b in couples)
    assert len(set(sample.item_units(both))) == 59
    # Whatever never reads the prompt has none right both times.
    lengths = word_counts(both)
    assert prompts.negation(lengths, couples).both[0] < 0.1  # but for answers of one length
