"""What was measured, in sentences. Each has a number, what it is to be held against, a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minirm.plurals import counted

Report = Mapping[str, Any]
MUCH = 0.5
"""A correlation, or a share of rankings turned round, that is surely above it is warned of."""
SOME = 0.1
"""The same for rewrites that leave an answer's content as it is."""
STEADY = 0.8
"""Of the rankings so many surely stay after another item's prompt: they do not need their own."""

AS_PHRASE = {
    "courtesy": "with a courtesy before it",
    "order": "sentences in another order",
    "blanks": "other blanks",
    "case": "in small letters",
}
"""How the rewrites that keep the content are called within a sentence."""


@dataclass(frozen=True)
class Finding:
    """One sentence, and where it belongs.

    Attributes:
        about: the part of the report: "accuracy", "meaning", "rewrites", "length", "shared",
            "prompt", "negated" or "growth".
        says: the sentence.
        warns: whether whoever trusts the model should know.
    """

    about: str
    says: str
    warns: bool = False


def findings(report: Report) -> list[Finding]:
    """All sentences, in the order of the report.

    Args:
        report: what ``read_model`` returned.
    """
    parts = (_accuracy, _meaning, _rewrites, _length, _shared, _prompt, _negated, _growth)
    return [finding for part in parts for finding in part(report)]


def left_out(report: Report) -> list[str]:
    """What was not looked at, each kind with its number; kinds of which there is none do not occur.

    Args:
        report: what ``minirm inspect MODEL --json`` prints.
    """
    counts = {
        ("row that makes no pair", "rows that make no pair"): report["left_out"],
        ("item that lacks a wording", "items that lack a wording"): (report["given"] or {}).get(
            "incomplete", 0
        ),
        ("pair over the model's context", "pairs over the model's context"): report["overlong"],
        ("pair that it cannot read", "pairs that it cannot read"): len(report["bad"]),
        ("rewritten answer that it cannot read", "rewritten answers that it cannot read"): report[
            "unreadable"
        ],
    }
    return [counted(n, *names) for names, n in counts.items() if n]


def percent(value: float) -> str:
    """A share in whole per cent.

    >>> percent(0.125)
    '12 %'
    """
    return f"{100 * value:.0f} %"


def between(ends: Sequence[float] | None, form: str = "percent") -> str:
    """An interval in brackets, or nothing.

    >>> between((0.1, 0.25)), between((-1.0, 0.5), ".2f"), between(None)
    (' (10 to 25 %)', ' (-1.00 to 0.50)', '')
    """
    if ends is None:
        return ""
    if form == "percent":
        return f" ({100 * ends[0]:.0f} to {100 * ends[1]:.0f} %)"
    return f" ({ends[0]:{form}} to {ends[1]:{form}})"


def _accuracy(report: Report) -> Iterator[Finding]:
    value, ends = report["accuracy"]["value"], report["accuracy"]["interval"]
    chance = ends[0] <= 0.5 <= ends[1]
    says = f"Ranks {percent(value)}{between(ends)} of the pairs right"
    yield Finding("accuracy", says + (", as chance may do." if chance else "."), chance)


def _meaning(report: Report) -> Iterator[Finding]:
    for kind in ("given", "made"):
        found = report[kind]
        if found is None:
            continue
        says = [AS_PHRASE.get(name, name) if kind == "made" else name for name in found["wordings"]]
        rewrites = f"{kind} rewrites ({', '.join(says)})"
        if "reason" in found:
            yield Finding("meaning", f"Meaning share on {rewrites}: none, for {found['reason']}.")
            continue
        yield Finding(
            "meaning",
            f"On {rewrites} the meaning share is {percent(found['meaning'])}"
            f"{between(found['interval'])}: of the reward's variance within an item so much is "
            f"which answer it is, {percent(found['wording'])} is the wording, "
            f"{percent(found['interaction'])} both together; noise would give "
            f"{percent(found['noise'])}." + _held(found),
            warns=_may_be_noise(found) or found["meaning"] < MUCH,
        )


def _may_be_noise(found: Report) -> bool:
    return found["interval"] is not None and found["interval"][0] <= found["noise"]


def _held(found: Report) -> str:
    says = " That is not surely more than noise." * _may_be_noise(found)
    if found["interval"] is None:
        says = f" Of {counted(found['items'], 'item')} there is no interval."
    return says + " The wording weighs more." * (found["wording"] > found["meaning"])


def _rewrites(report: Report) -> Iterator[Finding]:
    found = {name: part for name, part in report["rewrites"].items() if part["pairs"]}
    keeping = {name: part for name, part in found.items() if part["keeps"]}
    if keeping:
        name = max(keeping, key=lambda name: keeping[name]["flips"])
        part = keeping[name]
        most = f"at most {percent(part['flips'])}{between(part['flips_interval'])} of the rankings"
        yield Finding(
            "rewrites",
            f"Rewrites that keep the content turn {most} round ({name}: {part['says']})."
            if part["flips"]
            else "Rewrites that keep the content turn no ranking round.",
            warns=part["flips_interval"][0] > SOME,
        )
    for name in ("openings", "cue words"):
        if name in found:
            part = found[name]
            flips = f"{percent(part['flips'])}{between(part['flips_interval'])}"
            what = "Swapping the two openings" if name == "openings" else "Leaving out cue words"
            follows = part["flips_interval"][0] > MUCH
            end = ": the reward goes with the opening." if follows and name == "openings" else "."
            yield Finding("rewrites", f"{what} turns {flips} of the rankings round{end}", follows)


def _length(report: Report) -> Iterator[Finding]:
    found = report["length"]
    if found is None:
        yield Finding("length", "The two answers of every pair are equally long.")
        return
    yield _followed("length", found, "the longer answer", "length")


def _shared(report: Report) -> Iterator[Finding]:
    found = report["shared"]
    if found is None:
        yield Finding("shared", "No two answers differ in the words that they share with a prompt.")
        return
    yield _followed("shared", found, "the answer with more words of the prompt", "shared words")


def _followed(about: str, found: Report, which: str, what: str) -> Finding:
    ends = found["interval"]
    beyond = found["beyond"]
    size = found["correlation"] if beyond is None else beyond
    ends = ends if beyond is None else found["beyond_interval"]
    strong = ends is not None and min(abs(end) for end in ends) > MUCH and ends[0] * ends[1] > 0
    more = "" if beyond is None else f", {beyond:.2f} once length is held fixed"
    verdict = f" The reward goes with {what}." if strong else ""
    return Finding(
        about,
        f"Prefers {which} in {percent(found['prefers'])}{between(found['prefers_interval'])} of "
        f"the pairs, the data in {percent(found['labels'])}; its correlation with {what} is "
        f"{found['correlation']:.2f}{between(found['interval'], '.2f')}{more}.{verdict}",
        warns=strong and abs(size) > MUCH,
    )


def _prompt(report: Report) -> Iterator[Finding]:
    found = report["exchanged"]
    if found is None:
        yield Finding("prompt", "All pairs are one item: no other item's prompt could be put.")
        return
    kept, ends = found["kept"]
    blind = ends[0] > STEADY
    yield Finding(
        "prompt",
        f"After another item's prompt {percent(kept)}{between(ends)} of the rankings stay, and the "
        f"accuracy goes from {percent(found['own'][0])} to {percent(found['other'][0])}"
        f"{between(found['other'][1])}."
        + (" The ranking hardly needs its prompt." if blind else ""),
        warns=blind,
    )


def _negated(report: Report) -> Iterator[Finding]:
    found = report["negated"]
    if found is None:
        return
    both, ends = found["both"]
    low = ends[0] <= 0.25
    yield Finding(
        "negated",
        f"Couples with the same two answers, opposed labels, and one prompt within the other: "
        f"of {counted(found['couples'], 'couple')} {percent(both)}{between(ends)} are right both "
        f"times (a coin: 25 %, a reward that does not read the prompt: none).",
        warns=low,
    )


def _growth(report: Report) -> Iterator[Finding]:
    if report["grown"] is None:
        return
    first, last = report["grown"][0], report["grown"][-1]
    yield Finding(
        "growth",
        f"With the first {percent(first['fraction'])} of each answer's tokens it ranks "
        f"{percent(first['accuracy'])}{between(first['interval'])} right, with all of them "
        f"{percent(last['accuracy'])}.",
    )
    drift = report["drift"]["chosen"]
    if len(drift) > 1:
        a, b = drift[0], drift[-1]
        yield Finding(
            "growth",
            f"Of chosen answers the {report['drift']['unit']} is {a['mean']:.2g} at tokens "
            f"{a['first']} to {a['last']} and {b['mean']:.2g} at {b['first']} to {b['last']}.",
        )
