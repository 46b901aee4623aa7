"""Live figures, the Python side: what goes into a page, and what a kernel does."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import Any

import pytest

pytestmark = pytest.mark.needs("anywidget", "matplotlib")
MODULES = sorted(p.name for p in (files("minirm.figures") / "js").iterdir())


@pytest.fixture
def figure() -> Any:
    import matplotlib.pyplot as plt

    from minirm.figures.gradients import RhoExplorer

    still, _ = plt.subplots()
    words = ["</script><b>", "yes", "no", "any other"]
    return RhoExplorer({"words": words}, picture=still, alt='a "picture"', state={"p0": 2})


def test_a_page_takes_the_html_and_paper_the_picture(figure: Any) -> None:
    bundle, _ = figure._repr_mimebundle_()
    kinds = {"text/plain", "text/html", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert bundle.keys() == kinds
    html = bundle["text/html"]
    assert 'alt="a &quot;picture&quot;"' in html
    assert f"base64,{bundle['image/png']}" in html
    assert 'data-figure="minirm.figures.gradients:RhoExplorer"' in html


def test_nothing_in_the_data_ends_its_script(figure: Any) -> None:
    html = figure.to_html()
    assert html.count("</script>") == html.count("<script ") == 2
    values = re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1]
    assert json.loads(values)["data"]["words"][0] == "</script><b>"
    assert json.loads(values)["state"] == {"p0": 2}


def test_two_figures_of_a_page_have_names_of_their_own(figure: Any) -> None:
    names = [re.search(r'id="(.*?)"', figure.to_html())[1] for _ in range(2)]
    assert len(set(names)) == 2


def test_the_still_picture_is_closed(figure: Any) -> None:
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", [m for m in MODULES if m.endswith(".js") and m != "common.js"])
def test_a_module_stands_alone(name: str) -> None:
    from minirm.figures.live import EXPORT, source

    text = source(name)
    assert text.count(EXPORT) == 1
    assert not re.search(r"^\s*import\b|\bfetch\(|\bimport\(|XMLHttpRequest", text, re.M)
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == {"http://www.w3.org/2000/svg"}


def test_a_choice_recomputes_where_a_kernel_lives(figure: Any) -> None:
    from minirm.figures.live import Recomputed

    made = []

    def other() -> dict[str, Any]:
        made.append(1)
        return {"words": ["a", "b", "c", "d"]}

    both = Recomputed(figure, "words", {"as it is": lambda: figure.data, "other": other})
    assert made == []
    both.list.value = "other"
    assert figure.data["words"] == ["a", "b", "c", "d"]
    assert made == [1]
    assert not both.list.disabled
    bundle = both._repr_mimebundle_()
    view = "application/vnd.jupyter.widget-view+json"
    assert bundle["text/html"].count("data-figure") == 1
    assert bundle[view] != figure._repr_mimebundle_()[0][view]


def test_a_choice_that_fails_leaves_the_list_usable(figure: Any) -> None:
    from minirm.figures.live import Recomputed

    def fails() -> dict[str, Any]:
        raise RuntimeError("no such model")

    both = Recomputed(figure, "words", {"as it is": dict, "bad": fails})
    with pytest.raises(RuntimeError, match="no such model"):
        both.list.value = "bad"
    assert not both.list.disabled
