"""Which statements run: all that an answer needs, in their order, and no others."""

import ast
import inspect

import pytest

from minirm.classroom.slicing import needed


def sliced(*cells, names=("f",)):
    return [ast.unparse(statement.node) for statement in needed(cells, names)]


F = "def f():\n    return x"


@pytest.mark.parametrize(
    "lines",
    [
        ["x = {}", "x['scale'] = 1.0"],
        ["x = []", "x.append(1)", "x.extend([2])"],
        ["x = A()", "x.a.b = 1", "del x.a.c", "x.a += 2"],
        ["x = 1", "x += 1", "x *= 2"],
        ["x = {}", "x.setdefault('a', []).append(1)", "y = x['a'].pop()"],
        ["x = torch.ones(3)", "x.add_(1).mul_(2)"],
        ["x = 1", "y = 2", "del x, y"],
        ["x = []", "for i in range(3):\n    x.append(i)"],
        ["x = {}", "for i in range(3):\n    if i:\n        x[i] = i"],
        ["for x in range(3):\n    pass"],
        ["with open('a') as x:\n    pass"],
        ["x = []", "with A() as a:\n    x.append(a)"],
        ["try:\n    import gone as x\nexcept ImportError:\n    x = None"],
        ["x = [3, 1]", "import random", "random.shuffle(x)"],
        ["x = []", "from heapq import heappush", "heappush(x, 3)"],
        ["x = {}", "def fill(d):\n    d[0] = 1", "fill(d=x)"],
        ["x = 1", "def bump():\n    global x\n    x += 1", "bump()"],
        ["x = {}", "def g():\n    x[0] = 1", "def h():\n    g()", "y = [h() for _ in range(2)]"],
        ["x = []", "add = lambda v: x.append(v)", "_ = add(3)"],
        ["x = {'rows': []}", "y = x['rows']", "y.append(1)"],
        ["x, z = ([], [])", "for y in (x, z):\n    y.append(1)"],
        ["x = []", "def known(g):\n    x.append(g)\n    return g", "@known\ndef g():\n    pass"],
        ["class A:\n    pass", "class B(A):\n    pass", "x = B()"],
        ["a = 1", "class A:\n    b = a", "x = A.b"],
        ["n = 2", "x = [n for _ in range(3)]"],
        ["def g():\n    return h()", "def h():\n    return y", "y = 1", "x = g()", "y = 2"],
        ["if (x := 3):\n    pass"],
        ["match 3:\n    case x:\n        pass"],
        ["from math import *"],
        ["import torch as x", "x.manual_seed(0)", "x.backends.flag = True"],
        ["import sys", "sys.path.append('lib')", "from lib import x"],
        ["lib = 'lib'", "import sys", "sys.path.insert(0, lib)", "from lib import x"],
        ["x: int = 1", "x: float"],
    ],
    ids="; ".join,
)
def test_all_that_is_needed_runs(lines):
    expected = [ast.unparse(ast.parse(line)) for line in lines]
    others = ["unused = train()", "print(f())", "print(unused)", "assert unused"]
    assert sliced(*lines, F, *others) == [*expected, F]
    assert sliced("\n".join([*lines, F, *others])) == [*expected, F]


@pytest.mark.parametrize(
    "line",
    [
        "history = trainer.fit()",
        "print(x)",
        "display(x, f)",
        "with attempt():\n    check_x(f)",
        "assert f() == x",
        "y = x",
        "y = x.copy()",
        "y[x] = 1",
        "table.append(x)",
        "x == 3",
        "f()",
        "plt.plot(y)",
        "torch.allclose(y, model(x))",
        "torch.nn.Linear(y, y).to(y)",
        "A(x).fit(x)",
        "z = lambda: x.append(1)",
        "def other():\n    x.append(1)",
        "def g(x):\n    global y\n    x.append(1)\n    y = 1",
    ],
)
def test_nothing_else_runs(line):
    before = ["import torch", "import matplotlib.pyplot as plt", "y = [0]", "x = [torch.e]", F]
    assert sliced(*before, line) == ["import torch", "x = [torch.e]", F]


@pytest.mark.parametrize(
    "last",
    ["x = 2", "x: int = 2", "def x():\n    pass", "class x:\n    pass", "import x", "x, y = (1, 2)",
     "from a import x"],
)  # fmt: skip
def test_what_a_name_was_before_is_no_matter(last):
    run = sliced("x = train()\nx.fit()", "for x in range(9):\n    train(x)", last, F)
    assert run == [last, F]
    assert sliced("x = train()", F, last) == [F, last]


@pytest.mark.parametrize("last", ["x = x + 1", "x += 1", "if a:\n    x = 2", "x: int", "x.a = 3"])
def test_what_a_name_was_before_matters_where_it_may_stay(last):
    assert sliced("x = train()", last, F) == ["x = train()", last, F]


def test_a_function_sees_what_is_there_when_it_is_called():
    assert sliced("n = 1", "def g():\n    return n", "x = g()", "n = 2", F) == [
        "n = 1", "def g():\n    return n", "x = g()", "n = 2", F,
    ]  # fmt: skip
    assert sliced("n = train()", "def x():\n    return n", "n = 2", F) == [
        "def x():\n    return n", "n = 2", F,
    ]  # fmt: skip


def test_the_last_of_two_definitions_is_the_one():
    again = "def f():\n    return 2"
    assert sliced("x = train()", F, again) == [again]


def test_what_stands_further_down_counts():
    assert sliced("x = g()", F, "def g():\n    return 1") == [
        "x = g()",
        F,
        "def g():\n    return 1",
    ]


def test_the_names_of_a_call_are_needed():
    assert sliced("a = 1", "b = 2", "c = 3", names=("a", "c")) == ["a = 1", "c = 3"]


def test_future_imports_hold_for_what_follows():
    statements = needed(["from __future__ import annotations", "def f(x: Gone): pass"], ["f"])
    space = {}
    exec(statements[-1].compiled(), space)
    assert space["f"].__annotations__ == {"x": "Gone"}


def test_the_source_of_a_function_is_known():
    source = "def f():\n    # why\n    return 1\n"
    space = {}
    for statement in needed(["x = 0", "y = 1\n" + source], ["f"]):
        exec(statement.compiled(), space)
    assert inspect.getsource(space["f"]) == source
