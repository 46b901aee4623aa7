"""What a statement may change beside the names that it binds, as far as its text shows."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

TAKES = ("pop", "popitem", "setdefault")  # methods that change, and whose value is wanted too
QUIET = ("display", "print")  # these, and the checks, change nothing that they are given


@dataclass
class Effects:
    """Names, by what may become of them."""

    changed: set[str] = field(default_factory=set)  # what they stand for may change
    called: set[str] = field(default_factory=set)  # functions that are called
    settings: set[str] = field(default_factory=set)  # modules of which something is called


class EffectFinder(ast.NodeVisitor):
    """Visits one statement; keeps apart what happens at once, and when a function is called.

    Args:
        modules: names that stand for modules.
    """

    def __init__(self, modules: Collection[str]) -> None:
        self.modules = modules
        self.at_once, self.in_bodies = Effects(), Effects()
        self.wholes: dict[str, set[str]] = {}  # name -> what it may be, or be a part of
        self._here = self.at_once

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._decorated(node)
        self._visit_all([*node.decorator_list, node.args])
        outer, self._here = self._here, self.in_bodies
        self._visit_all(node.body)
        self._here = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        outer, self._here = self._here, self.in_bodies
        self._visit_all([ast.Expr(node.body)])
        self._here = outer

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._decorated(node)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self._here.changed.update(node.names)

    def visit_Attribute(self, node: ast.Attribute | ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load) and (name := _root(node)):
            self._here.changed.add(name)
        self.generic_visit(node)

    visit_Subscript = visit_Attribute

    def visit_Assign(self, node: ast.Assign) -> None:
        if whole := _root(node.value):
            self._part_of(node.targets, {whole})
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._part_of([node.target], _names([node.iter]))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name):
            self._here.called.add(node.func.id)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in TAKES:
            self._here.changed |= _names([node.func.value])
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """A call whose value nobody keeps is made for what it changes."""
        if isinstance(call := node.value, ast.Call) and (name := _root(call.func, methods=True)):
            parts = (*call.args, *(k.value for k in call.keywords))
            given = {root for part in parts if (root := _root(part))}
            if isinstance(call.func, ast.Name):
                if name not in QUIET and not name.startswith("check_"):
                    self._here.changed |= given
            elif name in self.modules and name != "sys":
                self._here.changed |= given
                self._here.settings.add(name)
            else:
                self._here.changed.add(name)
        self.generic_visit(node)

    def _decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        self._here.called |= {n.id for n in node.decorator_list if isinstance(n, ast.Name)}

    def _part_of(self, targets: Iterable[ast.expr], wholes: set[str]) -> None:
        for name in _names(targets):
            self.wholes.setdefault(name, set()).update(wholes)

    def _visit_all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _root(node: ast.expr, *, methods: bool = False) -> str | None:
    """``x`` of ``x``, ``x.a`` and ``x[0].b``, with ``methods`` of ``x.a().b`` too; else None."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Call):
        if not isinstance(node, ast.Call):
            node = node.value
        elif methods and isinstance(node.func, ast.Attribute):
            node = node.func
        else:
            return None
    return node.id if isinstance(node, ast.Name) else None


def _names(nodes: Iterable[ast.expr]) -> set[str]:
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name)}
