"""Reads the plain rows of the shipped code tables, in a tenth of the time that YAML takes.

The tables have well over a thousand rows, nearly all of one plain form. A regular expression takes these lines out
before the rest is read as YAML, which also reads rows of any other form. A test reads each shipped table both ways
and compares. Files of users are read as YAML only, which gives the position of each mistake.
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
_CATEGORIES = {str(category): category for category in Category}


def take_rows(text: str) -> tuple[str, dict[int, Rule]]:
    """Return the text with its plain rows blanked (the lines remain), and these rows by line number."""
    rows: dict[int, Rule] = {}
    line, seen = 1, 0
    for match in _ROW.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        code, names, category, executed, hint, remedy, legacy, duplicate, action = match.groups()
        rows[line] = Rule(
            code,
            tuple(names.split(", ")) if names else (),
            _CATEGORIES[category] if category else None,
            executed,  # type: ignore[arg-type]  # the pattern allows only these words
            hint,
            remedy,
            legacy is not None,
            duplicate is not None,
            action or "",
        )
    return _ROW.sub("", text), rows
