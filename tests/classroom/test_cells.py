"""A notebook's code: of every format and encoding, and without what is IPython's own."""

import ast
import json

import pytest

from minirm.classroom.cells import code_cells, python

CODE = ["import torch", "def f(x):\n    return 'é'"]


def new(code):
    text = [{"cell_type": "markdown", "source": ["# f"]}]
    return {"cells": [*text, *({"cell_type": "code", "source": c} for c in code)], "nbformat": 4}


def old(code):
    """Of format 3: worksheets, and the code is input."""
    cells = [{"cell_type": "code", "input": c.splitlines(keepends=True)} for c in code]
    sheets = [
        {"cells": cells[:1]},
        {"cells": [{"cell_type": "heading", "source": "x"}, *cells[1:]]},
    ]
    return {"worksheets": sheets, "nbformat": 3}


@pytest.mark.parametrize("format", [new, old])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_formats_and_encodings(tmp_path, format, encoding):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(format(CODE), ensure_ascii=False), encoding)
    assert code_cells(path) == CODE


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{}", '{"cells": [{}]}', '{"cells": [3]}'])
def test_what_is_no_notebook(tmp_path, text):
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises((ValueError, KeyError, TypeError)):
        code_cells(path)


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("%matplotlib inline", "pass"),
        ("x = 1\n  \n%load_ext a\ny = 2", "x = 1\n  \npass\ny = 2"),
        ("!pip install it's", "pass"),
        ("!pip install \\\n  --quiet \\\n  torch\nx = 1", "pass\n\n\nx = 1"),
        ('!echo """\nx = 1', "pass\nx = 1"),
        ("!echo \\\n  it's", "pass\n"),
        ("if x:\n    !ls (\n    %cd ..\nelse:\n    !!rm 08",
         "if x:\n    pass\n    pass\nelse:\n    pass"),
        ("t = %time f(2)", "t = f(2)"),
        ("%time y = f(2)", "y = f(2)"),
        ("%time\ny = 1", "pass\ny = 1"),
        ("a.b = c = %pwd", "a.b = c = None"),
        ("%timeit f(2)", "pass"),
        ("?f", "pass"),
        ("f.a??\nx = 1", "pass\nx = 1"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%capture out --no-stderr\n%%time\n%who\nx = 1", "\n\n\npass\nx = 1"),
        ("%%bash\nls", ""),
        ("%%timeit\nx = 1", ""),
        ("%%timer\nx = 1", ""),
        ("    x = 1\n    if x:\n        y = 2", "x = 1\nif x:\n    y = 2"),
        ("x = 1\r\n%who\r\ny = 2", "x = 1\npass\ny = 2"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_is_ipython_s(cell, plain):
    assert python(cell) == plain
    ast.parse(plain)


@pytest.mark.parametrize(
    "cell",
    [
        'def f():\n    """\n    % of all\n!ls\n?f\n    """',
        'text = """\n%%time\n%matplotlib inline"""',
        "x = (7\n% 4)",
        "x = 7 \\\n% 4",
        "s = '%d' % 3",
        "x != 3",
        "def f():\n    '''\n    !a\n    '''\n    return 1  # %time?",
    ],
)
def test_what_is_python_s_stays(cell):
    assert python(cell) == cell


def test_a_string_beside_a_magic_stays():
    doc = 'def f():\n    """\n    %s and\n    !not\n    """\n'
    assert python(f"%who\n{doc}!ls\n") == f"pass\n{doc}pass\n"


def test_the_output_of_a_shell_command_is_its_lines():
    space = {}
    exec(python("lines = !printf 'a b\\nc'"), space)
    assert space["lines"] == ["a b", "c"]


@pytest.mark.parametrize("cell", ["def f(:", "x = (1", "%time y = f(x", "x = = 1", "a b", "x ? y"])
def test_what_is_neither(cell):
    with pytest.raises(SyntaxError):
        python(cell)
