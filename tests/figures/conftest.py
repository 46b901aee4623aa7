"""The lab's engine in a browser, and pages that hold the lab or the toy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_pages import visits, write_page

from minirm import PreferencePair
from minirm.worlds import persona

SEED = 3


@pytest.fixture(scope="module")
def ask(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Evaluates a JavaScript expression in a page that holds the engine; arguments are JSON."""
    from minirm.figures import lab

    folder = tmp_path_factory.mktemp("lab")
    (folder / "weights.js").write_text(lab.weights_script())
    (folder / "engine.js").write_text(lab.engine())
    (folder / "page.html").write_text(
        '<!doctype html><meta charset="utf-8"><script src="weights.js"></script>'
        '<script src="engine.js"></script>'
    )
    context = browser.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((folder / "page.html").as_uri())
    page.evaluate(
        """world => {
            window.world = world;
            window.tokenizer = new Tokenizer(world.tokens);
            const text = atob(minirmBytes.weights);
            window.base = readWeights(world.shape, Uint8Array.from(text, c => c.charCodeAt(0)));
            window.encoded = pairs => pairs.map(([prompt, yes, no]) => (
                {chosen: tokenizer.encode(prompt, yes), rejected: tokenizer.encode(prompt, no)}));
        }""",
        lab.world(),
    )
    yield page.evaluate
    assert errors == []
    context.close()


@pytest.fixture(scope="module")
def base() -> tuple[Any, Any]:
    from minirm.figures import lab

    return lab.rounded_base()


@pytest.fixture(scope="module")
def pairs() -> list[PreferencePair]:
    return persona.training_pairs(persona.world_questions(SEED).train, SEED, agreement=0.75)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lab, on a page of its own."""
    from minirm.figures import lab

    scripts = {lab.SCRIPT[1]: lab.weights_script()}
    return write_page(tmp_path_factory.mktemp("page"), lab.Lab().to_html(), scripts)


@pytest.fixture
def visit(
    browser: Any, page_file: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Any]]:
    """Opens the page; a test file says in BEGINS what follows its address."""
    with visits(browser, page_file, getattr(request.module, "BEGINS", "")) as open_page:
        yield open_page
