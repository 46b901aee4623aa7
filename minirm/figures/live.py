"""What all live figures share. One ES module each, two homes, no dependency.

In Jupyter and Colab a live figure is an anywidget with Python behind it. In the built book the same
module is mounted by the page itself, from data computed at build time: no kernel, no network. A
still picture stands in on paper and where there is no JavaScript.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Mapping
from importlib.resources import files
from itertools import count
from typing import Any, ClassVar

import anywidget
import ipywidgets
import matplotlib.pyplot as plt
import traitlets
from matplotlib.figure import Figure

SCRIPTS = files("minirm.figures") / "js"
EXPORT = "export default "
_numbers = count()


def source(name: str) -> str:
    """The text of an ES module, with the helpers that all of them share in front."""
    return "\n".join((SCRIPTS / part).read_text("utf-8") for part in ("common.js", name))


class LiveFigure(anywidget.AnyWidget):
    """A figure with controls. A subclass names its ``module`` and says what it computes.

    Args:
        data: what the figure draws, computed in Python; must be JSON.
        picture: the still picture, a matplotlib figure; it is closed.
        alt: what there is to see, in words.
        state: values of the controls to start from, by name; the module has its own defaults.

    The traits ``data`` and ``state`` are synchronised; with a kernel behind, the reader may observe
    ``state`` and assign new ``data``.
    """

    module: ClassVar[str]
    marked: ClassVar[str] = "figure"  # where the page says whose it is: data-figure
    data = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    _css = (SCRIPTS / "live.css").read_text("utf-8")

    def __init_subclass__(cls, **options: Any) -> None:
        if "module" in vars(cls):  # anywidget derives from it once more, with traits of its own
            cls._esm = cls.script()
        super().__init_subclass__(**options)

    @classmethod
    def script(cls) -> str:
        """The text of the figure's own ES module."""
        return source(cls.module)

    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        picture: Figure,
        alt: str,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data=dict(data), state=dict(state or {}), alt=alt)
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=130)
        plt.close(picture)
        self._still = base64.b64encode(buffer.getvalue()).decode()

    @staticmethod
    def compute(data: Mapping[str, Any], state: Mapping[str, Any]) -> dict[str, float]:
        """Every number that the figure shows, by its name, from the library's own functions."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle, metadata = super()._repr_mimebundle_(**options)
        return bundle | {"text/html": self.to_html(), "image/png": self._still}, metadata

    def to_html(self) -> str:
        """The figure as a piece of a page that needs nothing but a browser."""
        name = f"minirm-live-{next(_numbers)}"
        values = json.dumps({k: getattr(self, k) for k in ("data", "state", "alt")})
        values = values.replace("<", "\\u003c")  # nothing in it can end the script
        before, _, after = self._esm.partition(EXPORT)
        kind = f"{type(self).__module__}:{type(self).__name__}"
        return f"""<div class="minirm-live" id="{name}" data-{self.marked}="{kind}">
<style>{self._css}</style>
<img class="minirm-still" alt="{html.escape(self.alt)}" src="data:image/png;base64,{self._still}">
<script type="application/json">{values}</script>
<script type="module">
{before}const figure = {after.strip()}
mount(figure, document.getElementById("{name}"));
</script>
</div>"""


class Recomputed(ipywidgets.VBox):
    """A live figure under a drop-down list: with a kernel behind, a choice computes its data anew.

    In the built book, where nothing can compute, only the figure is shown.

    Args:
        figure: shown under the list.
        label: what is chosen from the list.
        choices: name -> a function that computes the figure's ``data``, with the reader's own model
            for instance. The first is what ``figure`` shows already.
    """

    def __init__(
        self, figure: LiveFigure, label: str, choices: Mapping[str, Callable[[], Mapping[str, Any]]]
    ) -> None:
        self.figure, self.choices = figure, choices
        self.list = ipywidgets.Dropdown(
            options=list(choices), description=label, style={"description_width": "initial"}
        )
        self.list.observe(self._recompute, "value")
        super().__init__([self.list, figure])

    def _recompute(self, change: Mapping[str, Any]) -> None:
        self.list.disabled = True
        try:
            self.figure.data = dict(self.choices[change["new"]]())
        finally:
            self.list.disabled = False

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        page, _ = self.figure._repr_mimebundle_(**options)
        return page | super()._repr_mimebundle_(**options)
