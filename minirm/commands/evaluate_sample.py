"""The pairs that ``minirm evaluate`` goes by: read, checked, and as units and groups."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from minirm.baselines import plain
from minirm.commands.evaluate_report import Sample
from minirm.commands.shared import read_pairs
from minirm.data.benchmarks import item
from minirm.data.files import read_rows
from minirm.data.inspection import LEAK, opposed, same_prompt
from minirm.data.near import has_near
from minirm.data.preferences import Loaded
from minirm.metrics.intervals import linked
from minirm.pairs import PreferencePair
from minirm.plurals import counted


def training_pairs(options: argparse.Namespace) -> list[PreferencePair]:
    """What ``--train`` holds, all of it; none where it is not given.

    The limit, the split and the part of a dataset are those of ``--data`` and not meant. Nor is
    another name of a column where the first row does not have it.
    """
    if options.train is None:
        return []
    same = options.data_config if options.train == options.data else None
    config = options.train_config or same
    _, first = next(read_rows(options.train, split=options.train_split, config=config), ("", {}))
    columns = options.columns
    if not isinstance(first, ValueError):
        columns = {field: name for field, name in columns.items() if name in first}
    own = vars(options) | {"limit": None, "data_config": config, "columns": columns}
    return read_pairs(options.train, argparse.Namespace(**own), options.train_split).pairs


def in_training(
    pairs: Sequence[PreferencePair],
    training: Sequence[PreferencePair],
    options: argparse.Namespace,
) -> dict[str, float]:
    """Which share of the pairs has a prompt that stands in ``--train``; many are warned of.

    Args:
        pairs: that are evaluated.
        training: what ``--train`` holds; the report says nothing where that is nothing.
        options: the parsed arguments.
    """
    if not (pairs and training):
        return {}
    prompts, known = ([plain(pair.prompt) for pair in some] for some in (pairs, training))
    share = sum(has_near(prompts, known)) / len(prompts)
    if share >= LEAK:
        print(
            f"{options.data}: {share:.0%} of its prompts stand in --train {options.train}, to the "
            "letter or nearly: no baseline and no model that learned there is tested here",
            file=sys.stderr,
        )
    return {"in_train": share}


def check_columns(loaded: Loaded, options: argparse.Namespace) -> None:
    """Every row has what ``--item`` and ``--by`` name; an item may be null, and is none then.

    Raises:
        ValueError: naming the first that has not.
    """
    for flag, column, null in (("--item", options.item, True), ("--by", options.by, False)):
        if column is None:
            continue
        there = sorted(set().union(*loaded.rows))
        if column not in there:
            raise ValueError(f"{flag} {column}: no such column; there are {there}")
        for pair, row in zip(loaded.pairs, loaded.rows, strict=True):
            if column not in row:
                has = ", ".join(map(repr, sorted(row)))
                raise ValueError(f"{pair.origin}: no column {column!r} ({flag}); it has {has}")
            if row[column] is None and not null:
                raise ValueError(f"{pair.origin}: the column {column!r} is null ({flag})")


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
            f"{options.data}: left out {counted(len(out), 'pair')} whose labels contradict each "
            "other",
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
        groups.setdefault(str(row[options.by]), []).append(place)
    units = linked(prompts, [None if it is None else str(it) for it in items])
    return Sample(rows, prompts, units, benchmark, dict(sorted(groups.items())))
