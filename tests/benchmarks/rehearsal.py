"""A rehearsal's data: every file that ``make gpu`` reads, in the words of the small world."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from minirm.data.public import SETS
from minirm.worlds import opinions
from minirm.worlds.opinion_words import NO, POSITIVE_VERBS, PREFIXES, YES

ROWS = 12


def write(folder: Path) -> None:
    """One file for each name in ``minirm.data.public.SETS``, and a Persona file."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(0)
    statements = opinions.statements(POSITIVE_VERBS)
    prompts = [opinions.question(draw.choice(opinions.ADVERBS), *s).strip() for s in statements]
    for name, known in SETS.items():
        asked = prompts[:ROWS] if name != "ultrafeedback" else prompts[ROWS : 3 * ROWS]
        rows = [row(name, prompt, draw) for prompt in asked]
        _write(folder / known.file, rows)
    questions = [{"question": p, "answer_matching_behavior": " Yes"} for p in prompts]
    _write(folder / "persona_agreeableness.jsonl", questions)


def row(name: str, prompt: str, draw: random.Random) -> dict[str, Any]:
    """A question with a yes and a no; in LLMBar's form, and turned round, where that is asked."""
    yes, no = (opinions.answer(draw.choice(PREFIXES), draw.choice(side)) for side in (YES, NO))
    if not name.startswith("llmbar"):
        return {"prompt": prompt, "chosen": yes, "rejected": no}
    number = 1 if name.endswith("normal") else 2
    sides = {"output_1": f"Certainly, {prompt}", "output_2": f"Nope, {prompt}"}
    return {"input": prompt, **sides, "label": number}


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
