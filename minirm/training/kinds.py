"""What a setting may be: in words, as a test, and as a command line writes it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of values.

    Attributes:
        says: in words, to stand after "must be".
        holds: whether a value is one.
        read: a value from a command line's word; also makes NumPy's numbers plain.
        names: all there are, where they can be counted.
    """

    says: str
    holds: Callable[[Any], bool]
    read: Callable[[Any], Any]
    names: tuple[str, ...] = ()


def whole_number(least: int) -> Kind:
    """Whole numbers from ``least`` on."""

    def holds(value: Any) -> bool:
        return isinstance(value, Integral) and int(value) >= least

    return Kind(f"a whole number of at least {least}", holds, int)


def one_of(*names: str) -> Kind:
    """One of these words."""
    quoted = [f'"{name}"' for name in names]
    says = " or ".join([", ".join(quoted[:-1]), quoted[-1]])
    return Kind(says, names.__contains__, lambda name: names[names.index(name)], names)


COUNT = whole_number(1)
INTEGER = Kind("a whole number", lambda v: isinstance(v, Integral), int)
POSITIVE = Kind("positive", lambda v: isinstance(v, Real) and float(v) > 0, float)
NOT_NEGATIVE = Kind(
    "finite and not negative", lambda v: isinstance(v, Real) and 0 <= float(v) < math.inf, float
)
SWITCH = Kind("True or False", lambda v: isinstance(v, bool), bool)
FOLDER = Kind("a path", lambda v: isinstance(v, str | os.PathLike), Path)
