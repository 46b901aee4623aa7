"""What a test may need beside the library, and whether it is there."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book" / "_build" / "html"
NO_DATA = "MINIRM_DATA names no folder of real preference data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def missing(name: str) -> str | None:
    """Why ``name`` is not to be had; None if it is.

    Args:
        name: a package, "chromium", "data", "book", or "smollm2", the real language model.
    """
    if name == "chromium":
        found = any(shutil.which(browser) for browser in BROWSERS)
        return None if found else "no Chromium or Chrome on the PATH"
    if name == "data":
        folder = os.environ.get("MINIRM_DATA")
        if not folder:
            return NO_DATA
        return None if Path(folder).is_dir() else f"MINIRM_DATA={folder!r} is not a folder"
    if name == "book":
        return None if (BOOK / "index.html").is_file() else "the book is not built: make book"
    if name == "smollm2":
        from minirm.models import real

        found = real.fault(real.folder())
        return found and f"the real language model is not in {real.folder()}: make real"
    if importlib.util.find_spec(name) is None:
        return f"the package {name!r} is not installed"
    return None


def require(name: str) -> None:
    """Skip the test at hand, with the reason, if ``name`` is missing."""
    if reason := missing(name):
        pytest.skip(reason)
