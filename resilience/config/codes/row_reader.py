"""Reads the rows of the shipped code tables at a tenth of what YAML costs.

The tables hold well over a thousand rows, nearly all of one plain shape. Such lines are taken out before the rest is
read as YAML; a row of any other shape is left to it. A test reads every shipped table both ways and compares.
Files of users are read as YAML alone, which knows every mistake's place.
"""

from __future__ import annotations

import re

from ..._core.policy.codes import Category, Rule

__all__ = ["take_rows"]

_ROW = re.compile(
    r'^  - \{code: "([^"\\]+)"(?:, names: \[([\w., ]*)\])?(?:, category: (retryable|user_fixable|fatal))?'
    r', executed: (no|maybe|n_a), hint: ([a-z]\w*), remedy: "([^"\\]*)"(, legacy: true)?(, duplicate: true)?'
    r"(?:, action: ([a-z]\w*))?\}$",
    re.MULTILINE,
)
_CATEGORIES = {str(one): one for one in Category}


def take_rows(text: str) -> tuple[str, dict[int, Rule]]:
    """Return the text with its plain rows blanked, lines kept, and those rows by line number."""
    rows: dict[int, Rule] = {}
    line, seen = 1, 0
    for found in _ROW.finditer(text):
        line += text.count("\n", seen, found.start())
        seen = found.start()
        code, names, category, executed, hint, remedy, legacy, duplicate, action = found.groups()
        rows[line] = Rule(
            code,
            tuple(names.split(", ")) if names else (),
            _CATEGORIES[category] if category else None,
            executed,  # type: ignore[arg-type]  # the pattern allows these words alone
            hint,
            remedy,
            legacy is not None,
            duplicate is not None,
            action or "",
        )
    return _ROW.sub("", text), rows
