"""Names the right form of what people who are new to policy files write: tabs, unquoted variables, other templates."""

from __future__ import annotations

import re

__all__ = ["syntax_hint", "variable_hint"]

_VARIABLE_IN_BRACES = re.compile(r"""[\[{,:]\s*\$\{[A-Za-z_]""")
_OTHER_TEMPLATES = re.compile(
    r"\$([A-Za-z_]\w*)|\$\(([A-Za-z_]\w*)\)|\$?\{\{\s*([A-Za-z_]\w*)\s*\}\}|%([A-Za-z_]\w*)%|\{([A-Za-z_]\w*)\}"
)


def syntax_hint(problem: str, line: str) -> str:
    """Return what was most likely meant by a line that is not YAML; empty if it cannot be guessed.

    Args:
        problem: what the parser says.
        line: the text of the line where it stopped. The hint repeats none of it: it may hold a secret.
    """
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab in the indentation; YAML allows only spaces there"
    if _VARIABLE_IN_BRACES.search(line) and "{" in line.split("${", maxsplit=1)[0]:
        return 'inside { } a variable needs quotes, as in {deadline: "${NAME}"}'
    if problem == "did not find expected key":
        return "the lines of one mapping must begin in the same column"
    return ""


def variable_hint(text: str) -> str:
    """Return how a variable is written, for a wrong value that has the form of other templates; empty for others."""
    match = _OTHER_TEMPLATES.fullmatch(text.strip())
    if match is None:
        return ""
    name = next(filter(None, match.groups()))
    return f"; a variable is written ${{{name}}}"
