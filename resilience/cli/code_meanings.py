"""Says what one code means in each part of an API, and finds the row that a message of the API names."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import ApiError
from .error_input import ErrorInput
from .registries import plain_rule

if TYPE_CHECKING:
    from .._core.policy.codes import CodeTable

__all__ = ["meanings_of", "named_by_text", "nearest_name"]

_MIN_LIKENESS = 0.75


def meanings_of(code: str | None, registry: str | None, tables: Sequence[CodeTable]) -> list[dict[str, Any]]:
    """Return the rows of a code that means several things, each with its scope; none where it means one thing."""
    table = next((table for table in tables if table.name == registry), None)
    rules = () if table is None or code is None else table.rules(code)
    return [plain_rule(rule, table) for rule in rules] if len(rules) > 1 else []


def named_by_text(error: ErrorInput, table: CodeTable) -> ErrorInput:
    """Return the input as an answer of this API, if it is a text that the table has a row for."""
    if error.code is not None or "{" in error.text or table.envelope is None:
        return error  # a code, or an answer that says more than a part of its text
    rule = table.by_text(error.text)
    if rule is None or rule.category is None:
        return error
    return error._replace(outcome=ApiError(rule.code, error.text, table.envelope.body_with(rule.code, error.text)))


def nearest_name(word: str | None, tables: Sequence[CodeTable]) -> str | None:
    """Return the constant of these tables that is most similar to a word; None for a number and for other words."""
    if word is None or not word.isidentifier():
        return None
    names = {name for table in tables for rule in table for name in rule.names if name.isupper()}
    return next(iter(get_close_matches(word.upper(), sorted(names), 1, _MIN_LIKENESS)), None)
