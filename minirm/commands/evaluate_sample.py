"""The pairs that ``minirm evaluate`` goes by: read, checked, and as units and groups."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from minirm.commands.evaluate_report import Sample
from minirm.commands.shared import read_pairs
from minirm.data.benchmarks import item
from minirm.data.inspection import opposed, same_prompt
from minirm.data.preferences import Loaded
from minirm.metrics.intervals import linked
from minirm.pairs import PreferencePair


def training_pairs(options: argparse.Namespace) -> Sequence[PreferencePair]:
    """What ``--train`` holds, all of it."""
    if options.train is None:
        return []
    return read_pairs(options.train, argparse.Namespace(**vars(options) | {"limit": None})).pairs


def agreeing(loaded: Loaded, options: argparse.Namespace) -> list[int]:
    """The places of the pairs that no other pair contradicts."""
    clashes = opposed(loaded.pairs)
    if clashes and options.bad_rows == "error":
        one, other = (loaded.pairs[i].origin for i in clashes[0])
        place = str(one).removeprefix(f"{options.data}, ")
        raise ValueError(
            f"{other} prefers the answer that {place} rejects, to the same prompt: the labels "
            "contradict each other (--bad-rows drop leaves both out)"
        )
    out = {i for clash in clashes for i in clash}
    if out:
        print(
            f"{options.data}: left out {len(out)} pairs whose labels contradict each other",
            file=sys.stderr,
        )
    return [i for i in range(len(loaded.pairs)) if i not in out]


def sample_of(
    loaded: Loaded, kept: Sequence[int], benchmark: str | None, options: argparse.Namespace
) -> Sample:
    """The pairs at the places ``kept``, with what their intervals and groups go by."""
    rows = [loaded.rows[i] for i in kept]
    prompts = [same_prompt(loaded.pairs[i]) for i in kept]
    items = [item(benchmark, row) if options.item is None else row[options.item] for row in rows]
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows if options.by is not None else ()):
        groups.setdefault(str(row.get(options.by)), []).append(place)
    units = linked(prompts, [None if it is None else str(it) for it in items])
    return Sample(rows, prompts, units, benchmark, dict(sorted(groups.items())))
