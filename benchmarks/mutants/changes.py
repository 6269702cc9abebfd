"""Which mistakes are made: cosmic-ray's operators, one opposite each, and two of our own.

Left out is what says nothing to a caller: annotations that nobody reads at run time, aliases of types,
`slots=`, `strict=` of a zip, `TYPE_CHECKING`, and the texts of messages. Of cosmic-ray's eleven replacements
of a binary operator only the opposite is taken (the other ten die of the same test), and of its comparisons
the reversal and the one that differs at the boundary.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.plugins import get_operator

from .patching import constant

__all__ = ["Mutant", "mutants"]

_OPPOSITES = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mod_Mul", "Pow_Mul", "BitOr_BitAnd", "BitAnd_BitOr")
_COMPARED = (
    "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE",
    "GtE_Gt", "GtE_Lt",
)  # fmt: skip
_OTHERS = (
    "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd", "NumberReplacer",
    "ExceptionReplacer", "RemoveDecorator", "ZeroIterationForLoop", "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak", "ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_USub_UAdd",
)  # fmt: skip
_NAMES = (
    *(f"ReplaceBinaryOperator_{one}" for one in _OPPOSITES),
    *(f"ReplaceComparisonOperator_{one}" for one in _COMPARED),
    *_OTHERS,
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake: where it is, what the line said and says now, and the whole source with it."""

    module: str
    line: int
    operator: str
    before: str
    after: str
    source: str

    @property
    def place(self) -> str:
        return f"{self.module}:{self.line}"


def mutants(module: str, source: str) -> list[Mutant]:
    """Return the mutants of a module that compile and differ from it, in the order of their lines."""
    found: dict[object, Mutant] = {}
    known = _meaning(source)
    for name, line, changed in (*_of_cosmic_ray(source), *_of_our_own(source)):
        meaning = _meaning(changed)
        if meaning not in (None, known) and meaning not in found:
            found[meaning] = Mutant(module, line, name, *_differing(source, changed), changed)
    return sorted(found.values(), key=lambda one: (one.line, one.operator, one.after))


def _meaning(source: str) -> object:
    """Return what a source does, places apart: `not x is None` and `x is not None` are one mutant. None if nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return _parts(compile(source, "mutant", "exec", dont_inherit=True))
    except SyntaxError:
        return None


def _parts(code: CodeType) -> tuple[object, ...]:
    consts = tuple(_parts(one) if isinstance(one, CodeType) else str(constant(one)) for one in code.co_consts)
    return code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable, consts


def _of_cosmic_ray(source: str) -> Iterator[tuple[str, int, str]]:
    silent = _silent(ast.parse(source))
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for name in _NAMES:
        operator = get_operator(f"core/{name}")()
        for node in nodes:
            if node.parent is not None and node.parent.type in ("parameters", "lambdef"):
                continue  # the star that parts parameters multiplies nothing
            for index, (start, _) in enumerate(list(operator.mutation_positions(node))):
                if not silent(start):
                    yield name, start[0], _mutated(tree, node, operator, index)


def _mutated(tree: Any, node: Any, operator: Any, index: int) -> str:
    """Return the source with one mutation; the tree is as before afterwards: parsing it anew takes long."""
    around = node.parent.children if node.parent is not None else []
    kept = [(one, getattr(one, "value", None), list(getattr(one, "children", ()))) for one in ast_nodes(node)]
    place, before = next(at for at, one in enumerate(around) if one is node), list(around)
    changed = operator.mutate(node, index)
    around[place : place + 1] = [] if changed is None else [changed]
    code = tree.get_code()
    around[:] = before
    for one, value, children in kept:
        if value is not None:
            one.value = value
        if children:
            one.children[:] = children
    return code


def _of_our_own(source: str) -> Iterator[tuple[str, int, str]]:
    """Take out statements that are there for what they do, and turn `in` round."""
    tree = ast.parse(source)
    silent = _silent(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)) and not silent(_at(node)):
            yield "Membership", node.lineno, _put(source, node, lambda text: f"(not ({text}))")
        elif _has_effect(node) and not silent(_at(node)):
            yield "RemoveStatement", node.lineno, _put(source, node, lambda text: "pass" + "\n" * text.count("\n"))


def _has_effect(node: ast.AST) -> bool:
    """Tell whether a statement calls, or sets an attribute or an item: a name that is not set is a NameError."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    told = isinstance(node, (ast.AugAssign, ast.Raise)) or (isinstance(node, ast.AnnAssign) and node.value is None)
    return told or any(isinstance(one, (ast.Attribute, ast.Subscript)) for one in targets)


def _put(source: str, node: ast.AST, change: Callable[[str], str]) -> str:
    lines = source.splitlines(keepends=True)
    start = sum(len(one) for one in lines[: node.lineno - 1]) + _column(lines[node.lineno - 1], node.col_offset)
    end = sum(len(one) for one in lines[: node.end_lineno - 1]) + _column(
        lines[node.end_lineno - 1], node.end_col_offset
    )
    return source[:start] + change(source[start:end]) + source[end:]


def _column(line: str, offset: int) -> int:
    return len(line.encode()[:offset].decode())


def _at(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _silent(tree: ast.Module) -> Callable[[tuple[int, int]], bool]:
    """Return the check of a place: does what stands there mean nothing at run time?"""
    quiet, read = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            quiet.append(node.annotation)
            if node.value is None:
                quiet.append(node.target)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            quiet.append(node.annotation)
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)) and getattr(node, "returns", None) is not None:
            quiet.append(node.returns)
        elif isinstance(node, ast.keyword) and node.arg in ("slots", "strict"):
            quiet.append(node.value)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            quiet.append(node)
        elif (
            isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
        ):
            quiet += [node.value] if node in tree.body else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Spec":
            read.append(node)

    def silent(place: tuple[int, int]) -> bool:
        return _inside(place, quiet) and not _inside(place, read)

    return silent


def _inside(place: tuple[int, int], nodes: list[ast.AST]) -> bool:
    return any(_at(one) <= place < (one.end_lineno, one.end_col_offset) for one in nodes)


def _differing(source: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ, as they were and as they are, on one line each."""
    old, new = source.splitlines(), changed.splitlines()
    first = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), 0)
    most = min(len(old), len(new)) - first
    last = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    return _joined(old[first : len(old) - last]), _joined(new[first : len(new) - last])


def _joined(lines: list[str]) -> str:
    return " ".join(one.strip() for one in lines if one.strip())
