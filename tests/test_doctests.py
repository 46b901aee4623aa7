"""The examples in the docstrings of the library do what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from needs import require

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "minirm").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str) -> None:
    if name.startswith("minirm.figures"):
        require("matplotlib")
    result = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert result.attempted > 0, "an example that doctest does not find is never run"
    assert result.failed == 0, "what differs stands above"
