"""Preference pairs, and a whole set of them as token ids.

What cannot be trained on is an error that names its row, or, if asked, dropped and counted, before
any long work starts.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from minirm.conversations import Message, Tools
from minirm.encoding import Encoded, Text, TextFormat, check_text, encode

__all__ = [
    "Dropped",
    "Encoded",
    "EncodedPair",
    "Message",
    "PreferencePair",
    "Text",
    "TextFormat",
    "encode",
    "encode_pairs",
    "placed",
]


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """One comparison (x, y+, y-): to ``prompt``, ``chosen`` was preferred over ``rejected``.

    Strings are taken as they are: no whitespace is added or eaten, so a prompt carries its own
    separating space at its end. All three may instead be conversations (lists of messages).

    Attributes:
        prompt: x.
        chosen: y+.
        rejected: y-.
        tools: the tools that a chat template is to name, as the data has them.
        margin: how far apart the rewards are to be, in nats; 0 is plain Bradley-Terry.
        origin: where the pair comes from, such as "pairs.jsonl, line 3"; errors name it.
    """

    prompt: Text
    chosen: Text
    rejected: Text
    tools: Tools | None = None
    margin: float = 0.0
    origin: str | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A tokenised comparison. ``chosen.prompt == rejected.prompt`` unless the model rewrites it."""

    chosen: Encoded
    rejected: Encoded
    margin: float = 0.0

    def __len__(self) -> int:
        return max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True, slots=True)
class Dropped:
    """What ``encode_pairs`` left out; true if that is anything.

    Attributes:
        overlong: how many pairs have more than ``max_length`` tokens.
        bad: why each of the others makes no pair, with its place.
        kept: places of the pairs that were kept, counted from 0.
    """

    overlong: int = 0
    bad: tuple[str, ...] = ()
    kept: tuple[int, ...] = field(default=(), repr=False)

    @property
    def total(self) -> int:
        return self.overlong + len(self.bad)

    def __bool__(self) -> bool:
        return self.total > 0


def encode_pairs(
    pairs: Iterable[PreferencePair | Mapping[str, Any]],
    encode: Callable[..., Encoded],
    *,
    max_length: int | None = None,
    overlong: Literal["error", "drop"] = "error",
    bad_rows: Literal["error", "drop"] = "error",
) -> tuple[list[EncodedPair], Dropped]:
    """Validate and tokenise a whole dataset before any long work starts.

    What a chat template leaves out of them is said once, in a warning with its numbers.

    Args:
        pairs: comparisons, as ``PreferencePair`` or as mappings with the same keys.
        encode: (prompt, response) -> ``Encoded``; a reward model's own ``encode``. It gets
            ``tools=`` too where a pair has them.
        max_length: most tokens that prompt and response may have together; None for no limit.
        overlong: what to do with a pair over ``max_length``: "error", or "drop" and count it.
        bad_rows: the same for one that cannot be encoded, or whose sides tokenise alike.

    Returns:
        the encoded pairs in order, and what was dropped.

    Raises:
        TypeError, ValueError: naming the row and the field. Also when nothing is left.
    """
    _check_call(pairs, overlong=overlong, bad_rows=bad_rows)
    encoded: list[EncodedPair] = []
    kept: list[int] = []
    bad: list[str] = []
    lengths: list[int] = []  # of what is too long
    for row, raw in enumerate(pairs):
        try:
            pair = _as_pair(row, raw)
            both = _encode_row(row, pair, encode)
        except (TypeError, ValueError) as error:
            if bad_rows == "error":
                raise
            bad.append(str(error))
            continue
        if max_length is not None and len(both) > max_length:
            if overlong == "error":
                raise ValueError(
                    f"{pair.origin or f'row {row}'}: prompt and response have {len(both)} tokens, "
                    f"more than max_length={max_length}; shorten it, or leave such pairs out "
                    '(--overlong drop, overlong="drop")'
                )
            lengths.append(len(both))
            continue
        encoded.append(both)
        kept.append(row)
    dropped = Dropped(len(lengths), tuple(bad), tuple(kept))
    if not encoded:
        raise ValueError(_nothing_left(dropped, lengths, max_length))
    warn_of_omissions([side for pair in encoded for side in (pair.chosen, pair.rejected)])
    return encoded, dropped


def _check_call(pairs: Any, **policies: str) -> None:
    for name, policy in policies.items():
        if policy not in ("error", "drop"):
            raise ValueError(f'{name} must be "error" or "drop", got {policy!r}')
    lone = isinstance(pairs, str | bytes | Mapping | PreferencePair)
    if lone or not isinstance(pairs, Iterable):
        raise TypeError(f"pairs must be a sequence of preference pairs, got {type(pairs).__name__}")


def warn_of_omissions(sequences: Sequence[Encoded], said: set[str] | None = None) -> None:
    """Say in one warning what chat templates left out, and of how many answers.

    Args:
        sequences: what ``encode`` returned.
        said: what was said before and need not be said again; filled here.
    """
    counts = Counter(name for s in sequences for name in s.left_out if name not in (said or ()))
    if not counts:
        return
    if said is not None:
        said.update(counts)
    what = ", ".join(f"{name} ({n} of {len(sequences)} answers)" for name, n in counts.items())
    warnings.warn(
        f"the chat template leaves out what it was given, and the model does not read it: {what}",
        stacklevel=3,
    )


def _nothing_left(dropped: Dropped, lengths: Sequence[int], max_length: int | None) -> str:
    if not dropped:
        return "no preference pairs were given"
    if not dropped.bad:
        longest = f"the longest has {max(lengths)}"
        return f"all {len(lengths)} pairs exceed max_length={max_length}; {longest}"
    longer = f", {len(lengths)} exceed max_length={max_length}" if lengths else ""
    return f"no pair is left: {len(dropped.bad)} are bad{longer}; the first: {dropped.bad[0]}"


def _as_pair(row: int, raw: Any) -> PreferencePair:
    if isinstance(raw, PreferencePair):
        return raw
    if not isinstance(raw, Mapping):
        raise TypeError(f"row {row}: expected a PreferencePair or a mapping, got {raw!r}")
    missing = [field for field in ("prompt", "chosen", "rejected") if field not in raw]
    if missing:
        raise ValueError(f"row {row}: no field {missing[0]!r}; it has {list(raw)}")
    return PreferencePair(**{f.name: raw[f.name] for f in fields(PreferencePair) if f.name in raw})


def _encode_row(row: int, pair: PreferencePair, encode: Callable[..., Encoded]) -> EncodedPair:
    sides = []
    place = where = pair.origin or f"row {row}"
    tools = {} if pair.tools is None else {"tools": pair.tools}
    try:
        for field in ("prompt", "chosen", "rejected"):
            check_text(field, getattr(pair, field))
        if not isinstance(pair.margin, int | float) or not math.isfinite(pair.margin):
            raise ValueError(f"the margin must be a finite number, got {pair.margin!r}")
        for field in ("chosen", "rejected"):
            where = f"{place}, {field}"
            sides.append(encode(pair.prompt, getattr(pair, field), **tools))
    except (TypeError, ValueError) as error:
        raise placed(error, where) from error
    chosen, rejected = sides
    if chosen.prompt + chosen.response == rejected.prompt + rejected.response:
        raise ValueError(
            f"{place}: chosen and rejected tokenise alike ({pair.chosen!r} and "
            f"{pair.rejected!r}), so no reward can tell them apart"
        )
    return EncodedPair(*_share_boundary(chosen, rejected), pair.margin)


def placed(error: Exception, where: str) -> Exception:
    """The same complaint with its place in front, such as "row 3, chosen: ..."."""
    # Not type(error): a UnicodeError, for one, cannot be made from a message.
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{where}: {error}")


def _share_boundary(chosen: Encoded, rejected: Encoded) -> tuple[Encoded, Encoded]:
    """Move both boundaries back to the shorter prompt where a chat template set them apart."""
    short = min(len(chosen.prompt), len(rejected.prompt))
    if chosen.prompt[:short] != rejected.prompt[:short] or (
        chosen.response == rejected.response  # a judge's verdict: what differs is the question
    ):
        return chosen, rejected
    sides = (
        replace(side, prompt=side.prompt[:short], response=side.prompt[short:] + side.response)
        for side in (chosen, rejected)
    )
    return next(sides), next(sides)
