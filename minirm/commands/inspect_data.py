"""``minirm inspect DATA``: a set of comparisons looked at before any model is."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from minirm.baselines import LEARNT, Scorer, plain
from minirm.commands.opening import fetched
from minirm.commands.shared import told_in_one_line, unescaped
from minirm.data.inspection import cue_words, foretold, lengths, repeats, right, shared
from minirm.data.languages import language, mix
from minirm.data.near import has_near, near_pairs
from minirm.data.preferences import Loaded, load_preferences
from minirm.data.token_view import token_view
from minirm.encoding import TextFormat
from minirm.models.bases import load_tokenizer
from minirm.models.saving import SETTINGS


def look_at_data(options: argparse.Namespace) -> dict[str, Any]:
    """What ``minirm inspect DATA`` reports, as JSON has it."""
    reader = _reader(options)
    names, said = dict.fromkeys(options.what), options.format  # the training sets' own is not said
    sets = {name: _read(name, options.split, options, format=said) for name in names}
    training = _training_sets(sets, options) or sets
    return {
        "files": {name: _looked_at(loaded, reader) for name, loaded in sets.items()},
        "shared": _shared(sets, training),
    }


def _training_sets(sets: Mapping[str, Loaded], options: argparse.Namespace) -> dict[str, Loaded]:
    """By their names, and by their split too where it is another one of a set looked at."""
    split = options.train_split or "train"
    found = {}
    for name in options.train:
        if name not in sets:
            found[name] = _read(name, split, options)
        elif Path(name).exists() or split == options.split:
            found[name] = sets[name]
        else:
            found[f"{name} ({split})"] = _read(name, split, options)
    return found


def _read(
    name: str, split: str, options: argparse.Namespace, *, format: str | None = None
) -> Loaded:
    return load_preferences(
        name,
        split=split,
        config=options.data_config,
        columns=options.columns,
        format=format,
        bad_rows="drop",
        limit=options.limit,
    )


def _reader(options: argparse.Namespace) -> Mapping[str, Any] | None:
    """The tokenizer that --model names, how it reads text, and its context."""
    if options.model is None:
        return None
    with told_in_one_line(options.model):
        source = fetched(options.model)
        tokenizer = load_tokenizer(source)
        context = _context(source)
    how = TextFormat()
    file = Path(source) / SETTINGS
    if file.is_file():
        how = TextFormat(**json.loads(file.read_text()).get("text_format", {}))
    if options.chat or options.separator is not None:
        how = TextFormat(chat=bool(options.chat), separator=unescaped(options.separator or ""))
    return {"tokenizer": tokenizer, "text_format": how.settled(tokenizer), "context": context}


def _context(source: str) -> int | None:
    """How many tokens a model reads; None where its configuration does not say, or is not there."""
    try:
        config = AutoConfig.from_pretrained(source).get_text_config()
    except (OSError, ValueError):  # an adapter's folder has none
        return None
    return getattr(config, "max_position_embeddings", None)


def _looked_at(loaded: Loaded, reader: Mapping[str, Any] | None) -> dict[str, Any]:
    pairs = loaded.pairs
    prompts = list(dict.fromkeys(plain(pair.prompt) for pair in pairs))
    near = near_pairs(prompts)
    report: dict[str, Any] = {
        "format": " and ".join(loaded.formats),
        "rows": sum(loaded.formats.values()) + len(loaded.dropped),
        "pairs": len(pairs),
        "left_out": _reasons(loaded.dropped.values()),
        "blank": sum(
            not plain(text).strip() for p in pairs for text in (p.prompt, p.chosen, p.rejected)
        ),
        "repeats": asdict(repeats(pairs)),
        "near_prompts": len({place for couple in near for place in couple}),
        "lengths": asdict(lengths(pairs)),
        "foretold": foretold(pairs),
        "cue_words": cue_words(pairs),
        "languages": {
            side: mix(plain(getattr(pair, side)) for pair in pairs)
            for side in ("prompt", "chosen", "rejected")
        },
        "two_languages": sum(
            len({language(plain(t)) for t in (p.chosen, p.rejected)} - {"unknown"}) > 1
            for p in pairs
        ),
    }
    if reader is not None:
        report["tokens"] = asdict(token_view(pairs, **reader)) | {"context": reader["context"]}
    return report


_REASONS = {
    "identical answers": r"are the same",
    "contradictory labels": r"contradict",
    "empty fields": r"is empty|is null|end in an answer|there is no prompt|there is none",
}


def _reasons(complaints: Any) -> dict[str, int]:
    """How many rows make no pair, by why."""
    found = Counter(
        next((name for name, form in _REASONS.items() if re.search(form, complaint)), "other")
        for complaint in complaints
    )
    return dict(found)


def _shared(
    sets: Mapping[str, Loaded], training_sets: Mapping[str, Loaded]
) -> list[dict[str, Any]]:
    """How much of each set stands in each of the others, and what can be learnt there about it."""
    found = []
    learnt: dict[str, dict[str, Scorer]] = {}
    for name, loaded in sets.items():
        pairs = loaded.pairs
        for other, others_loaded in training_sets.items():
            if other == name:
                continue
            training = others_loaded.pairs
            texts, others = ([plain(p.prompt) for p in some] for some in (pairs, training))
            near = has_near(texts, others)
            if other not in learnt:
                learnt[other] = {cue: make(training) for cue, make in LEARNT.items()}
            cues = {cue: float(right(s, pairs).mean()) for cue, s in learnt[other].items()}
            report = {"data": name, "in": other, **asdict(shared(pairs, training, near))}
            found.append(report | {"baselines": cues})
    return found
