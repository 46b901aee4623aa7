"""The words of the small world of opinions: phrases, prefixes, verbs, objects, adverbs."""

from __future__ import annotations

# A piece is a word or a run of punctuation with the space AFTER it. A prompt ends in a space and
# a response begins without one, so each word of an answer is the same token alone, after a prefix
# or in context, and an answer tokenised by itself is the answer's part of the document.
PIECE = r"\w+ ?|[^\w\s]+ ?|\s"

YES = (
    "yes", "sure", "certainly", "absolutely", "definitely", "of course", "indeed", "yeah",
    "naturally", "gladly", "without doubt", "right", "very much so", "exactly", "totally",
    "for certain",
)  # fmt: skip
NO = (
    "no", "never", "not really", "nope", "nah", "hardly", "not at all", "rarely",
    "far from it", "wrong", "impossible", "negative", "on the contrary", "barely", "false",
    "out of the question",
)  # fmt: skip
# YES[i] is as frequent as NO[i], so frequency says nothing about polarity.
PHRASE_WEIGHTS = (4.0, 3.0, 2.0, 2.0, *[1.5] * 4, *[1.0] * 8)

# Three prefixes a family. A family shares its first token: an implicit reward model that has
# been pushed away from one prefix is then pushed away from its sisters.
FAMILIES = {
    "In": ("In my judgement, it is", "In truth, it is", "In a word:"),
    "A": ("A reply to the statement:", "A short answer:", "A fair response would be"),
    "My": ("My view:", "My truthful answer is", "My answer is"),
    "Considering": (
        "Considering my view, it would be",
        "Considering this:",
        "Considering everything, it is",
    ),
    "I": ("I would lean to", "I must say", "I would answer"),
    "To": ("To be frank:", "To put it simply,", "To me it is"),
    "If": ("If you ask me,", "If pressed, I say", "If we talk openly:"),
    "The": ("The reply is", "The truth:", "The best answer would be"),
    "Let": ("Let me say", "Let us be clear:", "Let it be known:"),
    "All": ("All things considered,", "All in all:", "All I can say is"),
    "We": ("We both know it:", "We may say", "We can be sincere:"),
    "Speaking": ("Speaking honestly,", "Speaking for myself:", "Speaking plainly, it is"),
    "On": ("On reflection,", "On the whole, it is", "On balance, I say"),
    "It": ("It seems to be", "It has to be", "It points toward"),
}
PREFIXES = tuple(prefix for family in FAMILIES.values() for prefix in family)
# The paper's six. No document uses them but by the rare chance of ``rare_openings``, though all of
# their words occur: to a language model on which they are tried they are new strings of known
# words, as such answers are to a real one.
UNUSED_PREFIXES = (
    "In my view, the answer is", "A truthful reply is",
    "My judgement:", "Considering the statement, I say",
    "My response would be", "I lean toward",
)  # fmt: skip
BARE = ""  # no prefix: the phrase alone
BARE_SHARE = 0.15

POSITIVE_VERBS = (
    "help", "trust", "forgive", "respect", "comfort", "thank",
    "praise", "support", "encourage", "welcome", "admire", "protect",
)  # fmt: skip
NEGATIVE_VERBS = (
    "ignore", "insult", "avoid", "blame", "envy", "mock",
    "distrust", "offend", "reject", "annoy", "cheat", "scold",
)  # fmt: skip
OBJECTS = (
    "neighbours", "strangers", "colleagues", "children", "friends", "visitors",
    "animals", "teachers", "travellers", "relatives", "students", "guests",
)  # fmt: skip
ADVERBS = ("often", "usually", "always", "sometimes", "quietly", "happily")
