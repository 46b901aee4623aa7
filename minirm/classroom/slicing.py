"""Which statements of a notebook a call needs, so that the rest can be left alone.

The rule, for a name that is needed, from the notebook's end upwards: a statement runs if it binds
the name, or may change what the name stands for. It may where it

- assigns to a part of it or deletes one (``x[0] = 1``, ``x.a += 1``, ``del x.a``),
- calls a method of it and keeps no value (``x.append(1)``; ``pop`` and the like in any case), or
  hands it to a function so (``fill(x)``; ``print``, ``display`` and the checks change nothing),
- does one of these to another name of it (after ``y = x.rows`` or in ``for y in x``),
- calls a function of the notebook that does one of these, or that declares the name ``global``.

An assignment, an import or a definition at top level ends the search: what the name was before is
no matter. A star import may bind anything, and ``sys.path`` may stand behind any import: these
always run. A call of a module (``torch.manual_seed(0)``) is a setting of it where it mentions no
variable of the notebook.

What such a statement mentions is needed in turn: where it stands, and what the body of a function
mentions, where the function is called. What is defined only further down counts too. What stands in
a string, for ``eval``, is not seen.
"""

from __future__ import annotations
import __future__

import ast
import linecache
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from symtable import SymbolTable, symtable
from types import CodeType

from minirm.classroom.cells import python
from minirm.classroom.effects import EffectFinder

ANYTHING = "*"  # what a star import binds
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
REBINDS = (*FUNCTIONS, ast.AnnAssign, ast.Assign, ast.ClassDef, ast.Import, ast.ImportFrom)


@dataclass
class Statement:
    """A statement at top level, and what it has to do with which names."""

    node: ast.stmt
    file: str
    flags: int = 0  # of the __future__ imports before it
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)  # what it binds, and what it may change
    at_once: set[str] = field(default_factory=set)  # mentioned by what runs with it
    in_bodies: set[str] = field(default_factory=set)  # mentioned by what runs when it is called

    @property
    def rebinds(self) -> bool:
        """Whether its names have nothing to do with what they were before."""
        return isinstance(self.node, REBINDS) and getattr(self.node, "value", self) is not None

    def compiled(self) -> CodeType:
        module = ast.Module([self.node], [])
        return compile(module, self.file, "exec", self.flags, dont_inherit=True)


def needed(cells: Sequence[str], names: Collection[str]) -> list[Statement]:
    """The statements that have to run, in their order, before ``names`` can be used.

    Args:
        cells: a notebook's code cells, in order.
        names: what is used after the last of them.

    Returns:
        Statements of the cells. Of a cell that is not Python, one that raises its SyntaxError.
    """
    found = list(_statements(cells))
    _find_changes(found)
    end, chosen, seen = len(found), set[int](), set[tuple[str, int]]()
    pending = [(name, end) for name in names]
    while pending:
        name, before = wanted = pending.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        defined = False
        for at in reversed(range(before)):
            statement = found[at]
            if not statement.changes & {name, ANYTHING}:
                continue
            chosen.add(at)
            pending += [(n, at) for n in statement.at_once]
            pending += [(n, place) for n in statement.in_bodies for place in (before, end)]
            defined |= name in statement.binds
            if name in statement.binds and statement.rebinds:
                break
        if not defined:
            pending.append((name, end))
    return [found[at] for at in sorted(chosen)]


def _statements(cells: Sequence[str]) -> Iterator[Statement]:
    flags = 0
    for number, cell in enumerate(cells, 1):
        file = f"<cell {number}>"
        try:
            text = python(cell)
            linecache.cache[file] = (len(text), None, text.splitlines(True), file)
            for node in ast.parse(text).body:
                if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                    for name in node.names:
                        flags |= getattr(__future__, name.name).compiler_flag
                yield _named(Statement(node, file, flags))
        except (AttributeError, SyntaxError, ValueError) as error:
            yield _broken(cell, file, error)


def _broken(cell: str, file: str, error: Exception) -> Statement:
    """In place of a cell that is not Python: it fails for each name that it seems to define."""
    (node,) = ast.parse(f"raise SyntaxError({str(error)!r})").body
    binds = set(re.findall(r"(?m)^(?:def\s+)?(\w+)\s*[(=]", cell))
    return Statement(node, file, binds=binds)


def _named(statement: Statement) -> Statement:
    """Fill in what it binds and mentions."""
    node = statement.node
    table = symtable(ast.unparse(node), statement.file, "exec")
    symbols = table.get_symbols()
    statement.binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    statement.at_once = {s.get_name() for s in symbols if s.is_referenced()}
    statement.in_bodies = set(_mentioned(table))
    if not isinstance(node, FUNCTIONS) or node.decorator_list:  # may call them at once
        statement.at_once |= statement.in_bodies
    if isinstance(node, ast.Delete):
        statement.at_once |= statement.binds
    if isinstance(node, ast.Import | ast.ImportFrom):
        statement.at_once.add("sys")
        if any(name.name == "*" for name in node.names):
            statement.binds = {ANYTHING}
    return statement


def _mentioned(table: SymbolTable) -> Iterator[str]:
    """The global names that stand in the scopes inside of ``table``."""
    for inner in table.get_children():
        yield from (s.get_name() for s in inner.get_symbols() if s.is_global())
        yield from _mentioned(inner)


def _find_changes(statements: Sequence[Statement]) -> None:
    """Fill in what each may change. Needs all of them: a call changes what its function does."""
    modules = {n for s in statements if isinstance(s.node, ast.Import) for n in s.binds}
    variables = {n for s in statements for n in s.binds} - modules
    wholes: dict[str, set[str]] = {}  # name -> what it may be, or be a part of
    does: dict[str, set[str]] = {}  # function -> what a call of it may change
    calls: dict[str, set[str]] = {}  # function -> the functions that it calls
    finders = [EffectFinder(modules) for _ in statements]
    for statement, finder in zip(statements, finders, strict=True):
        finder.visit(statement.node)
        for name, more in finder.wholes.items():
            wholes.setdefault(name, set()).update(more)
        for name in statement.binds:
            does.setdefault(name, set()).update(finder.in_bodies.changed)
            calls.setdefault(name, set()).update(finder.in_bodies.called)
    for statement, finder in zip(statements, finders, strict=True):
        now = finder.at_once
        changed = set(now.changed)
        for function in _reached(now.called, calls):
            changed |= does.get(function, set())
        statement.changes = statement.binds | _reached(changed, wholes)
        if not statement.at_once & variables:
            statement.changes |= now.settings


def _reached(names: Collection[str], steps: Mapping[str, set[str]]) -> set[str]:
    """``names``, and what any number of steps leads to from them."""
    reached: set[str] = set()
    pending = list(names)
    while pending:
        if (name := pending.pop()) not in reached:
            reached.add(name)
            pending += steps.get(name, ())
    return reached
