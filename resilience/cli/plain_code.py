"""Explains a plain code by its row alone: neither the other tables nor the policies and patterns are loaded.

Most codes that somebody types are the number of an error which nobody may simply repeat. Its row says all there is to
say. Everything else takes the whole way (`explanation.py`), which gives the same answer for these codes, too.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from .registries import load_registry

if TYPE_CHECKING:
    from .._core.policy.codes import CodeTable, Rule

__all__ = ["FIRST_REGISTRY", "NO_RETRY", "explain_plain_code"]

FIRST_REGISTRY = "bitget"
"""The registry in which a code is looked up first, where nobody names one."""
NO_RETRY = {
    "user_fixable": "No retry: the caller gets the error at once, with the remedy. The breaker does not count it.",
    "fatal": "No retry: the caller gets the error at once. The breaker does not count it.",
}
"""What every policy does about a failure that is not retryable."""
_SHORTEST = 4  # digits; a shorter number may be an HTTP status


def explain_plain_code(text: str) -> dict[str, Any] | None:
    """Return the explanation of a code, in the shape of `explain`; None where its row alone does not decide."""
    code = text.strip()
    if len(code) < _SHORTEST or not (code.isascii() and code.isdecimal()):
        return None
    rule = _deciding_rule(code, _table(FIRST_REGISTRY))
    if rule is None:
        return None
    return {
        "code": rule.code,
        "names": list(rule.names),
        "registry": FIRST_REGISTRY,
        "known": True,
        "near": None,
        "category": str(rule.category),
        "executed": rule.executed,
        "hint": rule.hint,
        "remedy": rule.remedy,
        "retry_after": None,
        "meanings": [],
        "text": "",
        "outcome": None,
        "policy": FIRST_REGISTRY,
        "action": NO_RETRY[str(rule.category)],
        "schedule": [],
    }


@cache
def _table(name: str) -> CodeTable:
    """Return a shipped table, from its compiled form if there is one: nothing that reads YAML is imported then."""
    from .._core.policy.codes import CodeTable
    from ..config.loading.compiled_files import compiled_content

    content = compiled_content(name, (f"codes/{name}.yaml",))
    return load_registry(name) if content is None else CodeTable(name, content.pop("rules"), **content)


def _deciding_rule(code: str, table: CodeTable) -> Rule | None:
    """Return the row of a code whose meaning depends on nothing else: no scope, no retry, nothing in doubt."""
    rules = table.rules(code)
    if len(rules) != 1 or rules[0].category is None or rules[0].executed == "maybe":
        return None
    return rules[0] if rules[0].category in NO_RETRY else None
