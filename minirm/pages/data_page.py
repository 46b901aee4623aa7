"""The page of ``minirm inspect DATA --html PAGE``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minirm.data.files import short_names
from minirm.data.inspection import LEAK
from minirm.pages import pictures
from minirm.pages.pictures import Dot
from minirm.pages.sheet import cells, figure, heading, paragraph, sentences, sheet
from minirm.plurals import counted
from minirm.reading.findings import percent

Report = Mapping[str, Any]
SHARES = {"prompts": "prompts", "near": "prompts, or nearly", "chosen": "chosen answers",
          "rejected": "rejected answers", "pairs": "whole pairs"}  # fmt: skip
MUCH = 0.1
"""A rule that reads no prompt and is so far from one half is warned of."""


def page_of(report: Report) -> str:
    """The whole page, as one file.

    Args:
        report: what ``--json`` prints.
    """
    others = [part["in"] for part in report["shared"]]
    short = short_names([*report["files"], *others])
    title = f"What is in {', '.join(short[name] for name in report['files'])}"
    body = [heading(1, title)]
    for name, found in report["files"].items():
        body += _file(name, short[name], found)
    for part in report["shared"]:
        body += _shared(part, short[part["data"]], short[part["in"]])
    return sheet(title, body)


def _file(name: str, short: str, found: Report) -> Iterator[str]:
    repeats = found["repeats"]
    yield heading(2, short)
    yield paragraph(
        f"{name}: {counted(found['rows'], 'row')}, read as {found['format']}; "
        f"{counted(found['pairs'], 'pair')} on {counted(repeats['prompts'], 'prompt')}, at most "
        f"{repeats['most']} on one.",
        about=True,
    )
    yield sentences(_found(found))
    yield from _rules(found)
    yield from _languages(found)
    if "tokens" in found:
        yield from _tokens(found["tokens"])


def _found(found: Report) -> Iterator[tuple[str, bool]]:
    repeats, lengths = found["repeats"], found["lengths"]
    if found["left_out"]:
        out = ", ".join(f"{n} with {why}" for why, n in found["left_out"].items())
        yield f"Rows that make no pair: {out}.", True
    counts = {
        "texts of nothing but blanks": found["blank"],
        "pairs that repeat an earlier one": repeats["pairs"],
        "pairs that prefer what an earlier one rejects": repeats["opposed"],
        "answers chosen and rejected to one prompt": repeats["both"],
        "pairs whose answers are nearly the same": repeats["alike"],
        "prompts that are nearly another one": found["near_prompts"],
        "pairs with answers in two languages": found["two_languages"],
    }
    counted = [f"{what}: {n}" for what, n in counts.items() if n]
    yield "; ".join(counted).capitalize() + "." if counted else "Nothing repeats.", bool(counted)
    yield (
        f"The longer answer is chosen in {percent(lengths['longer'])} of the pairs (chosen "
        f"{lengths['chosen']:.0f} words and marks, rejected {lengths['rejected']:.0f}).",
        abs(lengths["longer"] - 0.5) >= MUCH,
    )
    for cue, share in found["foretold"].items():
        yield (
            f"Without reading any prompt {cue}, learnt from other prompts' answers, ranks "
            f"{percent(share)} right.",
            share - 0.5 >= MUCH,
        )
    words = [f"for {side}: {', '.join(cues)}" for side, cues in found["cue_words"].items() if cues]
    if words:
        yield f"Words that speak most {'; '.join(words)}.", False


def _rules(found: Report) -> Iterator[str]:
    rules = {"longer wins (words)": found["lengths"]["longer"]}
    rules["longer wins (characters)"] = found["lengths"]["characters"]
    rules |= found["foretold"]
    best = max(rules, key=lambda name: abs(rules[name] - 0.5))
    yield heading(3, f"Without the prompt, {best} ranks {percent(rules[best])} right")
    rows = [Dot(name, share, None, percent(share)) for name, share in rules.items()]
    yield figure(
        pictures.dots(
            rows, "Accuracy of rules that read no prompt, against one half.", reference=0.5
        ),
        "Accuracy of rules that read no prompt. A model that does not pass them shows nothing.",
    )


def _languages(found: Report) -> Iterator[str]:
    mixes = found["languages"]
    if len({name for mix in mixes.values() for name in mix}) < 2:
        return
    total = Counter[str]()
    for mix in mixes.values():
        total.update(mix)
    most = [name for name, _ in total.most_common(3)]
    yield heading(3, f"Most answers are {max(mixes['chosen'], key=lambda n: mixes['chosen'][n])}")
    yield figure(
        pictures.stack(
            {side: _few(mix, most) for side, mix in mixes.items()},
            "Bars of how many prompts, chosen and rejected answers are in which language.",
        ),
        "By script and small words; short texts and formulas are unknown.",
    )


def _few(mix: Mapping[str, int], most: Sequence[str]) -> dict[str, float]:
    """The most frequent of all sides, and the others together."""
    others = sum(n for name, n in mix.items() if name not in most)
    return {name: float(mix.get(name, 0)) for name in most} | {"others": float(others)}


def _tokens(tokens: Report) -> Iterator[str]:
    over = {limit: n for limit, n in tokens["over"].items() if n}
    title = "No pair is cut by a context" if not over else "What a context would cut"
    yield heading(3, title)
    changed = counted(tokens["changed"], "answer does not come", "answers do not come")
    yield paragraph(
        f"Prompt and answer have {tokens['median']:.0f} tokens in the middle and at most "
        f"{tokens['longest']}; {changed} back from their tokens."
    )
    rows = [["context", "pairs over it"]]
    rows += [[f"{limit}{' (the model)' * (limit == tokens['context'])}", str(n)]
             for limit, n in tokens["over"].items()]  # fmt: skip
    yield cells(rows)


def _shared(part: Report, name: str, other: str) -> Iterator[str]:
    leaks = part["near"] >= LEAK
    yield heading(2, f"{percent(part['near'])} of the prompts of {name} stand in {other}")
    if leaks:
        yield sentences([(f"Do not train on {other} to measure on {name}.", True)])
    rows = [Dot(label, part[key], None, percent(part[key])) for key, label in SHARES.items()]
    yield figure(
        pictures.dots(rows, f"Shares of {name} that stand in {other}, by kind of text."),
        f"What of the pairs of {name} stands in {other}, word for word (or nearly).",
    )
    cues: Sequence[tuple[str, float]] = [("memory", part["memory"]), *part["baselines"].items()]
    yield figure(
        pictures.dots(
            [Dot(cue, share, None, percent(share)) for cue, share in cues],
            f"Accuracy on {name} of memory and word cues learnt from {other}.",
            reference=0.5,
        ),
        f"Accuracy on {name} of what is learnt from {other} without reading a prompt: memory of "
        "its answers, and its words.",
    )
