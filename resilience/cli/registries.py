"""Loads the code tables that a command is given, and turns their rows into plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .._core.policy.codes import CodeTable, Rule

__all__ = ["load_registry", "plain_rule"]


def load_registry(name: str) -> CodeTable:
    """Return a built-in registry, or the one in a `.yaml` file.

    Raises:
        PolicyError: there is no such registry, or the file has mistakes.
    """
    from ..config.codes.code_tables import CodeRegistry, builtin_names
    from ..errors import PolicyError

    if name in builtin_names():
        return CodeRegistry.builtin(name)
    if name.endswith((".yaml", ".yml")):
        return CodeRegistry.load(name)
    available = ", ".join(sorted(builtin_names()))
    raise PolicyError(f"unknown registry {name!r}; available: {available}, or the path of a .yaml file")


def plain_rule(rule: Rule) -> dict[str, Any]:
    """Return a rule as the JSON of `codes` has it."""
    return {
        "code": rule.code,
        "names": list(rule.names),
        "category": rule.category and str(rule.category),
        "executed": rule.executed,
        "hint": rule.hint,
        "remedy": rule.remedy,
    }
