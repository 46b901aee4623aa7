"""The page of ``minirm inspect MODEL --data FILE --html PAGE``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minirm.pages import pictures
from minirm.pages.pictures import Dot
from minirm.pages.sheet import figure, heading, paragraph, safe, sentences, sheet
from minirm.plurals import counted
from minirm.reading.findings import findings, left_out, percent

Report = Mapping[str, Any]
SHOWN = 120
"""Tokens of an answer that are shown; how many more there are is said."""
PROMPT = 600
"""Characters of a prompt that are shown."""


def page_of(report: Report) -> str:
    """The whole page, as one file.

    Args:
        report: what ``--json`` prints.
    """
    said = findings(report)
    title = f"What {report['model']} reads"
    body = [
        heading(1, title),
        paragraph(_about(report), about=True),
        sentences((finding.says, finding.warns) for finding in said),
        *_meaning(report),
        *_rewrites(report["rewrites"]),
        *_surface(report),
        *_prompt(report),
        *_growth(report),
        *_apart(report),
    ]
    return sheet(title, body)


def _about(report: Report) -> str:
    taken, out = report["taken"], left_out(report)
    return (
        f"A reward model of the {report['reward']} kind, on {', '.join(report['data'])} "
        f"(read as {report['format']}): {taken['items']} of "
        f"{counted(report['items'], 'item')}, {counted(taken['pairs'], 'pair')}, "
        f"{counted(report['scored'], 'distinct answer')}. "
        "Intervals are of 95 %, over items." + (f" Left out: {', '.join(out)}." if out else "")
    )


def _meaning(report: Report) -> Iterator[str]:
    for kind in ("given", "made"):
        found = report[kind]
        if found is None or "reason" in found:
            continue
        yield heading(2, f"On {kind} rewrites {percent(found['meaning'])} of the reward is meaning")
        names = {"meaning": "which answer", "wording": "wording", "interaction": "both together"}
        parts = {shown: found[name] for name, shown in names.items()}
        length = {"content": "which answer", "wording": "wording", "rest": "both together"}
        length |= {"length": "length"}
        share = {shown: found["parts"][name] for name, shown in length.items()}
        yield figure(
            pictures.stack(
                {"of the variance within an item": parts},
                f"One bar: meaning has {percent(found['meaning'])} of the reward's variance, the "
                f"wording {percent(found['wording'])}.",
            ),
            f"{counted(found['items'], 'item')} in {counted(len(found['wordings']), 'wording')}. "
            f"Noise would give the first part {percent(found['noise'])}.",
        )
        yield figure(
            pictures.stack(
                {"the same, with length taken out first": share},
                "One bar: how much of the reward's variance goes with length, and what of meaning "
                "and wording is left.",
            ),
            "Length in words and marks, one slope for all items.",
        )
        yield figure(
            pictures.grid(found["wordings"], found["accuracies"]),
            "Accuracy where the chosen answer has the wording of the row and the rejected one that "
            "of the column; on the diagonal both have the same.",
        )


def _rewrites(rewrites: Report) -> Iterator[str]:
    found = {name: part for name, part in rewrites.items() if part["pairs"]}
    if not found:
        return
    worst = max(found, key=lambda name: found[name]["flips"])
    yield heading(2, f"{percent(found[worst]['flips'])} of the rankings turn round by {worst}")
    flips = [
        Dot(name, part["flips"], part["flips_interval"], percent(part["flips"]))
        for name, part in found.items()
    ]
    yield figure(
        pictures.dots(flips, f"Share of rankings turned round, by rewrite; {worst} has the most."),
        "Share of rankings that turn round. The first four leave the content as it is.",
        [
            f"{name}: {part['says']} ({counted(part['pairs'], 'pair')})"
            for name, part in found.items()
        ],
    )
    most = max([1.0, *(part["change"] for part in found.values())])
    moves = [
        Dot(name, part["change"], part["change_interval"], f"{part['change']:.2f}")
        for name, part in found.items()
    ]
    yield figure(
        pictures.dots(moves, "Mean size of the change of reward, by rewrite.", span=(0, most)),
        "Mean size of the change of an answer's reward, in standard deviations of all rewards.",
    )


def _surface(report: Report) -> Iterator[str]:
    rows = []
    for name, words in (("length", "the longer answer"), ("shared", "more words of the prompt")):
        found = report[name]
        if found is None:
            continue
        shown = percent(found["prefers"])
        rows.append(Dot(f"prefers {words}", found["prefers"], found["prefers_interval"], shown))
        rows.append(Dot("   the data does", found["labels"], None, percent(found["labels"])))
        for part, where in (("more_chosen", "right"), ("more_rejected", "wrong")):
            if found[part] is not None:
                value, ends = found[part]
                rows.append(Dot(f"   accuracy where that is {where}", value, ends, percent(value)))
    if rows:
        title = "Length and words of the prompt: what a count would explain"
        if report["length"] is not None:
            title = f"The longer answer wins in {percent(report['length']['prefers'])} of the pairs"
        yield heading(2, title)
        yield figure(
            pictures.dots(rows, "How often longer answers are preferred, and accuracies where that "
                          "is right and wrong.", reference=0.5),
            "A reward that looks at neither lies at the dashed line in the first row of each.",
        )  # fmt: skip


def _prompt(report: Report) -> Iterator[str]:
    found, couples = report["exchanged"], report["negated"]
    rows = []
    if found is not None:
        rows += [
            _share("accuracy, own prompts", found["own"]),
            _share("accuracy, other items' prompts", found["other"]),
            _share("rankings that stay", found["kept"]),
        ]
        title = f"{percent(found['kept'][0])} of the rankings stay after another item's prompt"
    if couples is not None:
        rows += [
            _share("accuracy, first of each couple", couples["first"]),
            _share("accuracy, opposed labels", couples["second"]),
            _share("right both times", couples["both"]),
        ]
        both = percent(couples["both"][0])
        title = f"{both} of the couples with opposed labels are right both times"
    if rows:
        yield heading(2, title)
        picture = pictures.dots(rows, "Accuracies after own and exchanged prompts, with their "
                                "intervals and chance.", reference=0.5)  # fmt: skip
        yield figure(picture, "What is ranked alike whatever was asked does not need the prompt.")


def _share(label: str, found: tuple[float, Sequence[float]]) -> Dot:
    value, ends = found
    return Dot(label, value, ends, percent(value))


def _growth(report: Report) -> Iterator[str]:
    if report["grown"] is None:
        return
    first, last = report["grown"][0], report["grown"][-1]
    yield heading(
        2,
        f"The first {percent(first['fraction'])} of an answer rank {percent(first['accuracy'])} "
        f"right, all of it {percent(last['accuracy'])}",
    )
    steps = [(step["accuracy"], step["interval"]) for step in report["grown"]]
    labels = [percent(step["fraction"]) for step in report["grown"]]
    yield figure(
        pictures.lines({"accuracy": steps}, labels, "Accuracy as more of each answer is read, with "
                       "its interval.", span=(0, 1), reference=0.5),
        "Accuracy when only the first part of each answer's tokens is read: of an explicit reward "
        "what its head says there, of an implicit one the sum so far.",
    )  # fmt: skip
    drift = report["drift"]
    series = {
        side: [(part["mean"], part["interval"]) for part in drift[side]]
        for side in ("chosen", "rejected")
        if drift[side]
    }
    if series:
        longest = max((drift[side] for side in series), key=len)
        labels = [f"{part['first']}–{part['last']}" for part in longest]
        yield figure(
            pictures.lines(series, labels, f"The {drift['unit']} by position in the answer."),
            f"The {drift['unit']}, by position in the answer.",
        )


def _apart(report: Report) -> Iterator[str]:
    yield heading(2, "Three pairs taken apart")
    yield paragraph(
        "Blue raises the reward, orange and dotted lowers it. Token by token: what each adds to "
        "the reward of the answer up to it. Left out: what the reward loses without the piece."
    )
    for pair in report["apart"]:
        yield heading(3, f"{pair['which']} margin, {pair['margin']:+.3g}".capitalize())
        yield paragraph(f"{pair['origin']}: {_cut(pair['prompt'])}", about=True)
        for side in ("chosen", "rejected"):
            yield from _answer(side, pair[side], sums=report["reward"] == "implicit")


def _cut(text: str) -> str:
    rest = len(text) - PROMPT
    return text if rest <= 0 else f"{text[:PROMPT]} … (and {counted(rest, 'more character')})"


def _answer(side: str, found: Report, *, sums: bool) -> Iterator[str]:
    """Both pictures of one answer; ``sums``: the reward of nothing is 0, as an implicit one's."""
    yield f"<p><b>{safe(side)}</b>, reward {found['reward']:.4g}</p>"
    if tokens := found["tokens"]:
        before = [0.0 if sums else tokens[0][1], *(reward for _, reward in tokens)]
        steps = [(text, reward - old) for (text, reward), old in zip(tokens, before, strict=False)]
        yield paragraph("token by token", about=True)
        yield _marked(steps)
    yield paragraph("left out", about=True)
    yield _marked([(text, drop) for text, drop in found["pieces"]])


def _marked(pieces: list[tuple[str, float | None]]) -> str:
    scale = max((abs(value) for _, value in pieces[:SHOWN] if value is not None), default=0.0)
    more = len(pieces) - SHOWN
    shown: list[tuple[str, float | None]] = pieces[:SHOWN]
    if more > 0:
        shown = [*shown, (f" … and {more} more", None)]
    return pictures.marked(shown, scale=scale)
