"""``minirm inspect MODEL --data FILE``: what a reward model reads."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from minirm.commands.opening import open_reward
from minirm.commands.shared import warn_of_glued_strings
from minirm.data.files import Row, short_names
from minirm.data.preferences import Loaded, load_preferences
from minirm.pairs import PreferencePair
from minirm.reading import sample, wordings
from minirm.reading.report import read_model


def look_at_model(options: argparse.Namespace) -> dict[str, Any]:
    """What the command reports, as JSON has it."""
    loaded = [_read(name, options) for name in options.data]
    pairs = [pair for part in loaded for pair in part.pairs]
    items = None if options.item is None else _items(loaded, options)
    grid = None if items is None else _grid(loaded, items, options)
    model = open_reward(options)
    warn_of_glued_strings(options.data[0], pairs, model)
    places = list(range(len(pairs))) if grid is None else grid.places[:, 0].tolist()
    base = [pairs[i] for i in places]
    units = sample.item_units(base, None if items is None else [items[i] for i in places])
    taken = sample.draw(model, base, units, most=options.max_items, seed=options.seed)
    given = None
    if grid is not None:
        given = wordings.Grid(grid.wordings, grid.places[taken.places], grid.incomplete), pairs
    report = read_model(
        model,
        [base[i] for i in taken.places],
        taken.units,
        given=given,
        among=base,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    return {
        "model": options.model,
        "data": options.data,
        "format": " and ".join(dict.fromkeys(kind for part in loaded for kind in part.formats)),
        "pairs": len(pairs),
        "left_out": sum(len(part.dropped) for part in loaded),
        "items": taken.items,
        "taken": {"items": len(set(taken.units)), "pairs": len(taken.places)},
        "overlong": taken.overlong,
        "bad": list(taken.bad),
        "seed": options.seed,
        **report,
    }


def _read(name: str, options: argparse.Namespace) -> Loaded:
    return load_preferences(
        name,
        split=options.split,
        config=options.data_config,
        columns=options.columns,
        format=options.format,
        bad_rows="drop",
        limit=options.limit,
    )


def _items(loaded: Sequence[Loaded], options: argparse.Namespace) -> list[Any]:
    return _column(loaded, "--item", options.item)


def _column(loaded: Sequence[Loaded], flag: str, name: str) -> list[Any]:
    values = []
    for part in loaded:
        for pair, row in zip(part.pairs, part.rows, strict=True):
            if row.get(name) is None:
                raise ValueError(_missing(pair, row, flag, name))
            values.append(str(row[name]))
    return values


def _missing(pair: PreferencePair, row: Row, flag: str, name: str) -> str:
    return f"{pair.origin}: no column {name!r} ({flag}); it has {', '.join(map(repr, sorted(row)))}"


def _grid(
    loaded: Sequence[Loaded], items: Sequence[Any], options: argparse.Namespace
) -> wordings.Grid | None:
    """Items by wording: as a column says, or by file; None for one file without that column."""
    if options.wording is not None:
        said = _column(loaded, "--wording", options.wording)
    elif len(loaded) > 1:
        short = short_names(part.source for part in loaded)
        said = [short[part.source] for part in loaded for _ in part.pairs]
    else:
        return None
    origins = [pair.origin for part in loaded for pair in part.pairs]
    return wordings.grid(items, said, origins)
