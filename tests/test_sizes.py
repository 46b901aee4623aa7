"""A file has one subject and 300 lines, a function 50; who needs more has a reason in pyproject."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
FILES = sorted(
    path
    for folder in ("minirm", "book/_claims", "book/_editions", "book/_ext")
    for path in (ROOT / folder).rglob("*.py")
)
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 300, 50
LIMITS = ("C901", "PLR0912", "PLR0913", "PLR0915")


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, int]]:
    """Every function by its qualified name, with its number of lines beside the docstring."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from functions(node, inside)
            continue
        name = f"{inside}{node.name}"
        if not isinstance(node, ast.ClassDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            yield name, lines
        yield from functions(node, f"{name}.")


def too_long(path: Path) -> dict[str, int]:
    """What is over the limit in a file, by the name that pyproject would give it."""
    text = path.read_text(encoding="utf-8")
    file = path.relative_to(ROOT).as_posix()
    found = {file: n} if (n := len(text.splitlines())) > LINES_OF_A_FILE else {}
    for name, lines in functions(ast.parse(text)):
        if lines > LINES_OF_A_FUNCTION:
            found[f"{file}:{name}"] = lines
    return found


def test_files_and_functions_are_short_and_no_exception_is_idle() -> None:
    found = {name: lines for path in FILES for name, lines in too_long(path).items()}
    excepted = TOOLS["minirm"]["long"]  # by "file" or "file:function"
    assert {name: n for name, n in found.items() if name not in excepted} == {}, "too long"
    assert sorted(excepted.keys() - found) == [], "[tool.minirm.long]: no longer needed"


def test_a_function_is_measured_without_its_docstring_and_with_what_it_holds() -> None:
    text = 'class A:\n    def f(self):\n        """One.\n\n        Two.\n        """\n'
    text += "        def g():\n            return 1\n\n        return g\n"
    assert dict(functions(ast.parse(text))) == {"A.f": 5, "A.f.g": 2}


def test_no_exception_from_ruffs_limits_is_idle() -> None:
    """Without the exceptions ruff finds just what they except."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json",
         "--select", ",".join(LIMITS), "--config", "lint.per-file-ignores = {}", "."],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    hits = {(Path(hit["filename"]).relative_to(ROOT).as_posix(), hit["code"])
            for hit in json.loads(run.stdout)}  # fmt: skip
    excepted = {
        (file, code)
        for file, codes in TOOLS["ruff"]["lint"]["per-file-ignores"].items()
        for code in codes
        if code in LIMITS
    }
    assert excepted == hits


def test_no_two_test_files_have_one_name():
    """Pytest knows a test file by its bare name: of two that share one it reads only the first."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []
