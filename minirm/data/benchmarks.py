"""Public benchmarks, recognised by their columns, and checked for labels that contradict.

What their figures are is in ``minirm.metrics.benchmarks``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from minirm.data.files import Row
from minirm.data.messages import shown
from minirm.metrics.benchmarks import REWARDBENCH_WEIGHTS
from minirm.plurals import counted

REWARDBENCH = "RewardBench"
M_REWARDBENCH = "M-RewardBench"
REWARDBENCH_2 = "RewardBench 2"
RM_BENCH = "RM-Bench"
JUDGEBENCH = "JudgeBench"
LLMBAR = "LLMBar"
ULTRAFEEDBACK = "UltraFeedback binarized"

SCORED = (REWARDBENCH, M_REWARDBENCH, REWARDBENCH_2, RM_BENCH, JUDGEBENCH)
"""Those with figures of their own beside the accuracy."""

PLAIN = "plain"
"""Names no benchmark: rows are read as anybody's pairs, whatever their other columns hold."""

FORMATS: Mapping[str, str | None] = MappingProxyType(
    {
        PLAIN: None,
        "rewardbench": REWARDBENCH,
        "m-rewardbench": M_REWARDBENCH,
        "rewardbench-2": REWARDBENCH_2,
        "rm-bench": RM_BENCH,
        "judgebench": JUDGEBENCH,
        "llmbar": LLMBAR,
        "ultrafeedback": ULTRAFEEDBACK,
    }
)
"""What a user may say that a file is (``--format``)."""

_STYLES = 3
_JUDGED = re.compile(r"\s*A\s*([<>])\s*B\s*|\s*B\s*([<>])\s*A\s*")


def benchmark(row: Row) -> str | None:
    """Which benchmark's columns a row has, or None.

    ========================  ======================================================================
    RewardBench               ``subset``, which is one of its 23
    M-RewardBench             ``language``, and ``source``, which is one of RewardBench's subsets
    RewardBench 2             ``num_correct`` beside lists of chosen and rejected
    RM-Bench                  ``domain`` beside lists of three chosen and three rejected
    JudgeBench                ``response_A``, ``response_B``
    LLMBar                    ``output_1``, ``output_2``
    UltraFeedback binarized   ``score_chosen``, ``score_rejected``
    ========================  ======================================================================

    >>> benchmark({"input": "Hi?", "output_1": "Hello.", "output_2": "No.", "label": 1})
    'LLMBar'
    >>> benchmark({"prompt": "Hi?", "chosen": "Hello.", "rejected": "No.", "subset": "mine"})
    """
    columns = row.keys()
    if {"chosen", "rejected"} <= columns:
        return _of_pairs(row)
    if {"response_A", "response_B"} <= columns:
        return JUDGEBENCH
    return LLMBAR if {"output_1", "output_2"} <= columns else None


def said_to_be(name: str | None, row: Row) -> str | None:
    """Which benchmark a row is, where somebody says what its file is.

    Args:
        name: one of ``FORMATS``; None where nothing is said.
        row: its columns.

    Raises:
        ValueError: there is no such format, or the row is not of it.

    >>> row = {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No.", "subset": "math-prm"}
    >>> said_to_be(None, row), said_to_be("plain", row)
    ('RewardBench', None)
    """
    check_format(name)
    if name is None:
        return benchmark(row)
    wanted = FORMATS[name]
    if wanted is not None and benchmark(row) != wanted:
        raise ValueError(f"this is no row of {wanted}, as format {name!r} says; it has {_has(row)}")
    return wanted


def check_format(name: str | None) -> None:
    """A ValueError where ``name`` is none of ``FORMATS``; None is fine."""
    if name not in (None, *FORMATS):
        raise ValueError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")


def _has(row: Row) -> str:
    """The columns of a row, with what stands in those that tell RewardBench's subsets."""
    return ", ".join(
        f"{name} {shown(row[name])}" if name in ("subset", "source") else name
        for name in sorted(row)
    )


def _of_pairs(row: Row) -> str | None:
    lists = all(isinstance(row[side], list) for side in ("chosen", "rejected"))
    if lists and "num_correct" in row:
        return REWARDBENCH_2
    sizes = {len(row[side]) for side in ("chosen", "rejected")} if lists else set()
    if sizes == {_STYLES} and "domain" in row and isinstance(row["chosen"][0], str):
        return RM_BENCH
    if "language" in row and row.get("source") in REWARDBENCH_WEIGHTS:
        return M_REWARDBENCH
    if row.get("subset") in REWARDBENCH_WEIGHTS:
        return REWARDBENCH
    return ULTRAFEEDBACK if {"score_chosen", "score_rejected"} <= row.keys() else None


def as_pair(name: str, row: Row) -> Row:
    """A benchmark's row with ``prompt``, ``chosen`` and ``rejected``, checked against itself.

    Args:
        name: which benchmark, as ``benchmark`` says.
        row: its columns.

    Raises:
        ValueError: a column is missing, a label is none, or two labels contradict each other.

    >>> row = {"question": "2 + 2? ", "response_A": "4", "response_B": "5", "label": "B>A"}
    >>> as_pair("JudgeBench", row)["chosen"]
    '5'
    """
    if name == JUDGEBENCH:
        return _judged(row)
    if name == LLMBAR:
        return _labelled(row)
    if name == REWARDBENCH_2:
        _check_counts(row)
    if name == ULTRAFEEDBACK:
        _check_scores(row)
    return row


def _need(name: str, row: Row, *columns: str) -> None:
    for column in columns:
        if row.get(column) is None:
            raise ValueError(f"read as {name}: no column {column!r}; it has {sorted(row)}")


def _judged(row: Row) -> Row:
    _need(JUDGEBENCH, row, "question", "label")
    found = _JUDGED.fullmatch(str(row["label"]))
    if found is None:
        raise ValueError(f'read as JudgeBench: the label is "A>B" or "B>A", not {row["label"]!r}')
    best = "A" if found[1] == ">" or found[2] == "<" else "B"
    return _pair(row, "question", "response_A", "response_B", first=best == "A")


def _labelled(row: Row) -> Row:
    _need(LLMBAR, row, "input", "label")
    if str(row["label"]) not in ("1", "2"):
        raise ValueError(f"read as LLMBar: the label is 1 or 2, not {row['label']!r}")
    return _pair(row, "input", "output_1", "output_2", first=str(row["label"]) == "1")


def _pair(row: Row, prompt: str, one: str, other: str, *, first: bool) -> Row:
    chosen, rejected = (one, other) if first else (other, one)
    return {"prompt": row[prompt], "chosen": row[chosen], "rejected": row[rejected]}


def _check_counts(row: Row) -> None:
    """num_correct, num_incorrect (num_rejected) and total_completions against the lists."""
    _need(REWARDBENCH_2, row, "subset")
    right, wrong = len(row["chosen"]), len(row["rejected"])
    counts = {"num_correct": right, "total_completions": right + wrong}
    counts |= dict.fromkeys(("num_incorrect", "num_rejected"), wrong)
    for column, expected in counts.items():
        if row.get(column) not in (None, expected, str(expected)):
            raise ValueError(
                f"{column} is {row[column]!r}, but there are {right} chosen and {wrong} rejected "
                "answers: the labels contradict each other"
            )
    if is_ties(row):
        _need(REWARDBENCH_2, row, "id")
        tied(row)
    elif right != 1:
        raise ValueError(f"{right} chosen answers outside the subset Ties, where there is one")


def is_ties(row: Row) -> bool:
    """Whether a row of RewardBench 2 belongs to its subset Ties."""
    return str(row["subset"]).lower() == "ties"


def tied(row: Row) -> tuple[str, str]:
    """Of a row in Ties the kind, "ref" or "tied", and the number N that the two kinds share.

    Raises:
        ValueError: its id is not written so.

    >>> tied({"id": "ref:7"})
    ('ref', '7')
    """
    kind, colon, number = str(row["id"]).partition(":")
    if kind not in ("ref", "tied") or not colon or not number:
        raise ValueError(f'in Ties an id is "ref:N" or "tied:N", not {row["id"]!r}')
    return kind, number


def _check_scores(row: Row) -> None:
    scores = [row["score_chosen"], row["score_rejected"]]
    if all(isinstance(s, int | float) for s in scores) and scores[0] < scores[1]:
        raise ValueError(
            f"score_chosen is {scores[0]}, less than score_rejected, {scores[1]}: the labels "
            "contradict each other"
        )


def item(name: str | None, row: Row) -> str | None:
    """What tells items apart that occur in several versions, or None where rows do not say.

    M-RewardBench has an item in every language under one id, Ties a reference and a tied version;
    the paper's rewrites of UltraFeedback name the original in ``orig_index``.
    """
    if name == M_REWARDBENCH and row.get("id") is not None:
        return f"{row.get('source')}/{row['id']}"
    if name == REWARDBENCH_2 and is_ties(row):
        return f"Ties/{tied(row)[1]}"
    return None if row.get("orig_index") is None else f"original/{row['orig_index']}"


def check_one_format(source: str, formats: Mapping[str, Any]) -> str | None:
    """The benchmark that a whole file is, or None where it is none.

    Args:
        source: the file, for errors.
        formats: what its rows were read as.

    Raises:
        ValueError: rows of a benchmark stand among others, and nobody said what the file is.
    """
    known = [name for name in formats if name in (*SCORED, LLMBAR, ULTRAFEEDBACK)]
    if known and len(formats) > 1:
        rows = "; ".join(f"{name} ({counted(formats[name], 'row')})" for name in formats)
        raise ValueError(
            f"{source} mixes formats, so that no figure would be one benchmark's: {rows}. Say what "
            f"it is: --format {PLAIN} reads all of it as plain pairs, and --format "
            f"{_called(known[0])} --bad-rows drop the rows of {known[0]} alone"
        )
    return known[0] if known else None


def _called(benchmark: str) -> str:
    return next(name for name, known in FORMATS.items() if known == benchmark)
