"""Low modules know nothing of high ones, there is no circle, and ``import minirm`` stays light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From low to high: whoever stands in a line may import from its own line and from those above it.
# A name stands for the module and for everything inside it; `minirm` is what the package exports.
LAYERS = (
    "notices tokens conversations encoding pairs batches forward logprobs losses metrics "
    "distributed progress baselines plurals",
    "models",
    "reward_model",
    "rewards",
    "dynamics evaluation first_order",
    "training theory data benchmarks",
    "reading",
    "minirm",
    "worlds",
    "experiments figures classroom pages",
    "commands",
    "cli __main__",
)
LAYER = {name: height for height, line in enumerate(LAYERS) for name in line.split()}

PLOTTING = {"matplotlib", "plotly", "seaborn"}
NOTEBOOK = {"IPython", "anywidget", "ipykernel", "ipywidgets", "jupyter_client", "nbformat"}
HEAVY = PLOTTING | NOTEBOOK | {"datasets", "pandas"}

Graph = Mapping[str, Iterable[str]]


def module_name(path: Path) -> str:
    """``minirm/data/files.py`` -> ``data.files``; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts[1:]) or "minirm"


def imports(tree: ast.AST, modules: Iterable[str]) -> set[str]:
    """The modules of minirm that a file names in an import, wherever the import stands.

    An import inside a function and one under TYPE_CHECKING count like any other.
    """
    named = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {name for name in inner if name.removeprefix("minirm.") in modules}
            # `from package import module` names the module, and only what is left the package
            named |= submodules | ({node.module or ""} if inner - submodules else set())
    ours = {name for name in named if name.partition(".")[0] == "minirm"}
    return {name.removeprefix("minirm.") for name in ours}


def graph() -> dict[str, set[str]]:
    """Each module of minirm with those that it imports."""
    files = {module_name(path): path for path in sorted((ROOT / "minirm").rglob("*.py"))}
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in files.items()}
    return {name: imports(tree, files) for name, tree in trees.items()}


GRAPH = graph()


def layer(module: str) -> int:
    return LAYER[module.partition(".")[0]]


def circle(edges: Graph) -> list[str] | None:
    """The modules of one circle, in order; None where there is no circle."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return None


def upward(edges: Graph) -> list[str]:
    """The imports of something higher."""
    return [
        f"{low} imports {high}"
        for low, names in edges.items()
        for high in sorted(names)
        if layer(high) > layer(low)
    ]


def test_every_module_has_a_layer() -> None:
    """What is new is put where it belongs, in LAYERS."""
    assert {module for module in GRAPH if module.partition(".")[0] not in LAYER} == set()
    assert set(chain(*GRAPH.values())) <= GRAPH.keys()


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circle(GRAPH) is None


def test_nothing_low_imports_something_high() -> None:
    assert upward(GRAPH) == []


@pytest.mark.parametrize(
    "text",
    [
        "from minirm.commands.score import run",
        "from minirm.commands import score",
        "import minirm.commands.score",
        "def f():\n    from minirm.commands import score",
        "if TYPE_CHECKING:\n    from minirm.commands.score import Options",
    ],
)
def test_a_wrong_import_would_be_seen(text: str) -> None:
    seen = imports(ast.parse(text), GRAPH)
    assert seen == {"commands.score"}
    assert upward({"losses": seen}) == ["losses imports commands.score"]
    assert circle({"losses": seen, "commands.score": {"pairs", "losses"}}) is not None


def test_a_name_of_the_package_is_no_module() -> None:
    assert imports(ast.parse("from minirm import Trainer, dynamics"), GRAPH) == {
        "minirm",
        "dynamics",
    }


@pytest.mark.slow
def test_importing_minirm_brings_no_plotting_and_no_notebook() -> None:
    """Nor tables, which few need. Beyond torch and transformers it should take under three seconds.

    The time is printed (``pytest -s``), not asserted: it is the machine's as much as ours.
    """
    code = """
import importlib, json, sys, time
import torch, transformers
for lazy in ("AutoModelForCausalLM", "AutoTokenizer", "PreTrainedModel"):
    getattr(transformers, lazy)
before, start = set(sys.modules), time.perf_counter()
import minirm
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps([time.perf_counter() - start, sorted(new)]))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, new = json.loads(run.stdout)
    print(f"import minirm: {seconds:.2f} s beyond torch and transformers")
    assert "minirm" in new
    assert HEAVY & set(new) == set()
