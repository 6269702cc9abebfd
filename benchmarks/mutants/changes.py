"""Makes the mutants of a module: with the operators of cosmic-ray, and two operators of our own.

Changes that a caller cannot notice are left out: annotations, aliases of types, `slots=`, `strict=` of a zip,
`TYPE_CHECKING`, and the texts of messages. Of cosmic-ray's eleven replacements of a binary operator only the opposite
is used (the same test kills the other ten), and of its comparisons the reversal and the one that differs at the
boundary.
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

from .patching import comparable

__all__ = ["Mutant", "mutants"]

_OPPOSITES = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mod_Mul", "Pow_Mul", "BitOr_BitAnd", "BitAnd_BitOr")
_COMPARISONS = (
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
    *(f"ReplaceComparisonOperator_{one}" for one in _COMPARISONS),
    *_OTHERS,
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    Attributes:
        module: such as `stages.budget`.
        line: of the change.
        operator: the name of the operator that made it.
        before, after: the lines that differ.
        source: the whole source of the mutant.
    """

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
    unique: dict[object, Mutant] = {}
    original = _meaning(source)
    for name, line, changed in (*_cosmic_ray_changes(source), *_own_changes(source)):
        meaning = _meaning(changed)
        # Two operators often make the same mutant; the first one keeps it.
        if meaning not in (None, original) and meaning not in unique:
            unique[meaning] = Mutant(module, line, name, *_differing(source, changed), changed)
    return sorted(unique.values(), key=lambda mutant: (mutant.line, mutant.operator, mutant.after))


def _meaning(source: str) -> object:
    """Return the compiled code without positions, so that `not x is None` equals `x is not None`; None if invalid."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return _parts(compile(source, "mutant", "exec", dont_inherit=True))
    except SyntaxError:
        return None


def _parts(code: CodeType) -> tuple[object, ...]:
    consts = tuple(_parts(one) if isinstance(one, CodeType) else str(comparable(one)) for one in code.co_consts)
    return code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable, consts


def _cosmic_ray_changes(source: str) -> Iterator[tuple[str, int, str]]:
    silent = _silent(ast.parse(source))
    tree = get_ast(source)
    nodes = list(ast_nodes(tree))
    for name in _NAMES:
        operator = get_operator(f"core/{name}")()
        for node in nodes:
            if node.parent is not None and node.parent.type in ("parameters", "lambdef"):
                continue  # the star between parameters is not a multiplication
            for index, (start, _) in enumerate(list(operator.mutation_positions(node))):
                if not silent(start):
                    yield name, start[0], _mutated(tree, node, operator, index)


def _mutated(tree: Any, node: Any, operator: Any, index: int) -> str:
    """Return the source with one mutation, and restore the tree: parsing it again would take long."""
    around = node.parent.children if node.parent is not None else []
    saved = [(item, getattr(item, "value", None), list(getattr(item, "children", ()))) for item in ast_nodes(node)]
    index_in_parent, before = next(at for at, item in enumerate(around) if item is node), list(around)
    changed = operator.mutate(node, index)
    around[index_in_parent : index_in_parent + 1] = [] if changed is None else [changed]
    code = tree.get_code()
    around[:] = before
    for item, value, children in saved:
        if value is not None:
            item.value = value
        if children:
            item.children[:] = children
    return code


def _own_changes(source: str) -> Iterator[tuple[str, int, str]]:
    """Remove statements that have an effect, and invert `in`."""
    tree = ast.parse(source)
    silent = _silent(tree)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Compare)
            and isinstance(node.ops[0], (ast.In, ast.NotIn))
            and not silent(_position(node))
        ):
            yield "Membership", node.lineno, _replace(source, node, lambda text: f"(not ({text}))")
        elif _has_effect(node) and not silent(_position(node)):
            yield "RemoveStatement", node.lineno, _replace(source, node, lambda text: "pass" + "\n" * text.count("\n"))


def _has_effect(node: ast.AST) -> bool:
    """Return whether a statement calls something, or sets an attribute or an item.

    An assignment to a name is left out: without it the next use of the name is a NameError.
    """
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    always = isinstance(node, (ast.AugAssign, ast.Raise)) or (isinstance(node, ast.AnnAssign) and node.value is None)
    return always or any(isinstance(one, (ast.Attribute, ast.Subscript)) for one in targets)


def _replace(source: str, node: ast.AST, change: Callable[[str], str]) -> str:
    lines = source.splitlines(keepends=True)
    start = sum(len(one) for one in lines[: node.lineno - 1]) + _column(lines[node.lineno - 1], node.col_offset)
    end = sum(len(one) for one in lines[: node.end_lineno - 1]) + _column(
        lines[node.end_lineno - 1], node.end_col_offset
    )
    return source[:start] + change(source[start:end]) + source[end:]


def _column(line: str, offset: int) -> int:
    return len(line.encode()[:offset].decode())


def _position(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _silent(tree: ast.Module) -> Callable[[tuple[int, int]], bool]:
    """Return a function that says whether the code at a position has no effect at run time."""
    without_effect, with_effect = [], []
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            without_effect.append(node.annotation)
            if node.value is None:
                without_effect.append(node.target)
        elif isinstance(node, ast.arg) and node.annotation is not None:
            without_effect.append(node.annotation)
        elif isinstance(node, (ast.FunctionDef, ast.Lambda)) and getattr(node, "returns", None) is not None:
            without_effect.append(node.returns)
        elif isinstance(node, ast.keyword) and node.arg in ("slots", "strict"):
            without_effect.append(node.value)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            without_effect.append(node)
        elif (
            isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr)
        ):
            without_effect += [node.value] if node in tree.body else []
        # Validation reads what `Spec(...)` in an annotation says, so that part of an annotation has an effect.
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Spec":
            with_effect.append(node)

    def silent(position: tuple[int, int]) -> bool:
        return _inside(position, without_effect) and not _inside(position, with_effect)

    return silent


def _inside(position: tuple[int, int], nodes: list[ast.AST]) -> bool:
    return any(_position(one) <= position < (one.end_lineno, one.end_col_offset) for one in nodes)


def _differing(source: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ, before and after, each joined to one line."""
    old, new = source.splitlines(), changed.splitlines()
    first = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), 0)
    most = min(len(old), len(new)) - first
    last = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    return _joined(old[first : len(old) - last]), _joined(new[first : len(new) - last])


def _joined(lines: list[str]) -> str:
    return " ".join(one.strip() for one in lines if one.strip())
