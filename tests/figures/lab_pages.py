"""What the tests of the lab and of the toy share: a page with one figure, offline visits to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HEAD = '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'


def write_page(folder: Path, figure: str, scripts: Mapping[str, str]) -> Path:
    """A page that holds one figure, and beside it the scripts that it loads, by address."""
    for address, text in scripts.items():
        (folder / address).parent.mkdir(exist_ok=True)
        (folder / address).write_text(text)
    page = folder / "page.html"
    page.write_text(f"<html>{HEAD}<body>{figure}</body></html>")
    return page


@contextmanager
def visits(browser: Any, file: Path, begins: str = "") -> Iterator[Callable[..., Any]]:
    """Opens the page, waits until it is ready, and holds it to no error and no request outside.

    Args:
        browser: Playwright's.
        file: the page.
        begins: what stands after its address where a visit says nothing else.
    """
    contexts, errors, asked = [], [], []

    def open_page(hash_: str = begins, **options: Any) -> Any:
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri() + hash_)
        if options.get("java_script_enabled", True):
            page.wait_for_selector(".minirm-lab[data-phase=ready]", timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
