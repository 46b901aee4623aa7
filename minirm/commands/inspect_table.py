"""What ``minirm inspect`` prints where nobody asked for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minirm.commands.shared import table
from minirm.data.files import short_names
from minirm.data.inspection import LEAK
from minirm.plurals import counted


def text_of(report: Mapping[str, Any]) -> str:
    """One paragraph a file, and a table of what the files share.

    Args:
        report: what ``--json`` prints.
    """
    paragraphs = ["\n".join(_file(name, found)) for name, found in report["files"].items()]
    if report["shared"]:
        paragraphs.append("\n".join(_shared(report["shared"])))
    return "\n\n".join(paragraphs)


def _file(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    repeats, lengths = found["repeats"], found["lengths"]
    yield f"{name}: {counted(found['rows'], 'row')}, read as {found['format']}"
    yield _line("pairs", f"{found['pairs']} on {counted(repeats['prompts'], 'prompt')}, at most "
                f"{repeats['most']} on one")  # fmt: skip
    if found["left_out"] or found["blank"]:
        out = [f"{counted(n, 'row')} with {why}" for why, n in found["left_out"].items()]
        out += (
            [f"{counted(found['blank'], 'text')} of nothing but blanks"] if found["blank"] else []
        )
        yield _line("unusable", ", ".join(out))
    both = counted(repeats["both"], "answer")
    yield _line("repeats", f"{counted(repeats['pairs'], 'pair')} again, {repeats['opposed']} the "
                f"other way round, {both} chosen and rejected")  # fmt: skip
    yield _line("nearly the same", f"{counted(repeats['alike'], 'pair')} of answers, "
                f"{counted(found['near_prompts'], 'prompt')}")  # fmt: skip
    yield _line("length", f"prompts {lengths['prompt']:.0f}, chosen {lengths['chosen']:.0f}, "
                f"rejected {lengths['rejected']:.0f} words and marks")  # fmt: skip
    yield _line(
        "longer wins", f"{lengths['longer']:.3f} ({lengths['characters']:.3f} in characters)"
    )
    if found["foretold"]:
        cues = ", ".join(f"{name} {share:.3f}" for name, share in found["foretold"].items())
        yield _line("cues", f"{cues}: each prompt's answers told from those of other prompts")
    words = ", ".join(
        f"{side} {' '.join(cues)}" for side, cues in found["cue_words"].items() if cues
    )
    if words:
        yield _line("cue words", words)
    yield from _languages(found)
    if "tokens" in found:
        yield from _tokens(found["tokens"])


def _line(name: str, said: str) -> str:
    return f"  {name:17}{said}"


def _languages(found: Mapping[str, Any]) -> Iterator[str]:
    mixes = {
        side: ", ".join(f"{language} {n}" for language, n in mix.items())
        for side, mix in found["languages"].items()
    }
    if len(set(mixes.values())) == 1:
        yield _line("language", mixes["chosen"])
    else:
        yield _line("language", "; ".join(f"{side}: {mix}" for side, mix in mixes.items()))
    if found["two_languages"]:
        yield _line("", f"{counted(found['two_languages'], 'pair')} with answers in two languages")


def _tokens(tokens: Mapping[str, Any]) -> Iterator[str]:
    yield _line("tokens", f"median {tokens['median']:.0f}, longest {tokens['longest']}, prompt and "
                "answer together")  # fmt: skip
    over = [f"{n} over {limit}{' (the model)' * (limit == tokens['context'])}"
            for limit, n in tokens["over"].items()]  # fmt: skip
    yield _line("cut by a context", ", ".join(over))
    changed = [f"{counted(tokens['changed'], 'answer')} that the tokens do not give back"]
    changed += [f"{name} left out of {n}" for name, n in tokens["left_out"].items()]
    yield _line("changed", ", ".join(changed))
    if tokens["unreadable"]:
        first = tokens["unreadable"][0]
        yield _line(
            "unreadable", f"{counted(len(tokens['unreadable']), 'pair')}; the first: {first}"
        )


def _shared(found: list[Mapping[str, Any]]) -> Iterator[str]:
    cues = list(found[0]["baselines"])
    yield "What of a set stands in another, and how much memory and cues of that other get right"
    short = short_names(part[key] for part in found for key in ("data", "in"))
    head = ["", "prompts", "nearly", "chosen", "rejected", "pairs", "memory", *cues]
    rows = [
        [
            f"{short[part['data']]} in {short[part['in']]}",
            *(f"{part[key]:.3f}" for key in ("prompts", "near", "chosen", "rejected", "pairs")),
            f"{part['memory']:.3f}",
            *(f"{part['baselines'][cue]:.3f}" for cue in cues),
        ]
        for part in found
    ]
    yield table([head, *rows])
    for part in found:
        if part["near"] >= LEAK:
            yield (
                f"{part['near']:.0%} of the prompts of {short[part['data']]} stand in "
                f"{short[part['in']]}, to the letter or nearly: do not train on the one to "
                "measure on the other"
            )
