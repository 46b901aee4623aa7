"""What the tests in a browser share: the pages of the built book, and a visit with no network."""

from __future__ import annotations

from typing import Any

import yaml
from needs import BOOK

TOC = yaml.safe_load((BOOK.parents[1] / "_toc.yml").read_text())
CHAPTERS = [
    TOC["root"],
    *(c["file"] for part in [TOC, *TOC["parts"]] for c in part.get("chapters", [])),
]
PAGES = [*CHAPTERS, "search", "genindex"]
LOCAL = ("file:", "data:", "blob:")


class Visit:
    """A page opened with the network blocked, and what it asked for and complained about."""

    def __init__(self, browser: Any, name: str, **context: Any) -> None:
        self.context = browser.new_context(offline=True, **context)
        self.scripts = context.get("java_script_enabled", True)
        self.page = self.context.new_page()
        self.left: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", self._request)
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.goto((BOOK / f"{name}.html").as_uri(), wait_until="load")
        self.wait()

    def wait(self) -> None:
        """Until the formulas are set."""
        if self.scripts:
            self.page.wait_for_function("!window.MathJax || !!window.MathJax.startup?.promise")
            self.page.evaluate("window.MathJax ? window.MathJax.startup.promise : 0")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(LOCAL):
            self.left.append(request.url)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def luminance(colour: str) -> float:
    """Relative luminance (WCAG) of ``rgb(r, g, b)``."""
    parts = [float(x) / 255 for x in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
