"""Fills environment variables into a policy file: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign.

A variable may hold a secret by mistake. So messages show the variable's name and not its value, and a variable
whose name or value looks like a secret is a mistake, as a secret in the file is. A value with a variable in it is
read as if it had no quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial

from .nodes import MAX_LENGTH, Node
from .secret_values import SECRET_HINT, is_credential, resembles_a_secret, walk_nodes

__all__ = ["fill_variables"]

_MAY_BE_SECRET = ("shared.url",)
"""Paths of settings whose value may have a password, as long as it comes from the environment. No message shows it."""
_MAX_SHOWN = 60  # characters of the file's text that a message repeats
_MIN_HIDDEN = 4  # a shorter value is not a secret, and replacing it would garble ordinary words of a message
_PART = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\{))")


def fill_variables(root: Node, environ: Mapping[str, str], add: Callable[[Node, str, str], None]) -> dict[str, str]:
    """Replace the variables by their values; a missing variable without a default is a mistake.

    Args:
        root: the file's nodes, which are changed.
        environ: the environment.
        add: reports a mistake at a node, with its path and message.

    Returns:
        For each value that was taken from the environment, the text that messages show in its place.
    """
    hidden: dict[str, str] = {}
    for _, node, path in walk_nodes(root):
        if node.kind == "scalar" and "$" in node.value:
            _fill(node, environ, hidden, partial(add, node, path), may_be_secret=path in _MAY_BE_SECRET)
    return {value: mask for value, mask in hidden.items() if len(value) >= _MIN_HIDDEN}


def _fill(
    node: Node, environ: Mapping[str, str], hidden: dict[str, str], add: Callable[[str], None], *, may_be_secret: bool
) -> None:
    text: str = node.value
    has_variable = False

    def report(message: str) -> None:
        add(message)
        node.is_reported = True

    def value_of(match: re.Match[str]) -> str:
        nonlocal has_variable
        dollar, name, default, broken = match.groups()
        if dollar:
            return "$"
        has_variable = True
        if broken:
            report("write a variable as ${NAME} or ${NAME:-default}, and a dollar sign as $$")
            return ""
        if is_credential(name) and not may_be_secret:
            report(f"the variable {name} has the name of a secret; {SECRET_HINT}")
            return ""
        value = environ.get(name, "")
        if value:
            hidden[value] = f"${{{name}}}"
        elif default is None:
            report(f"the variable {name} is not set and has no default; {_hint(name, environ)}")
        return value or default or ""

    node.value = _PART.sub(value_of, text)
    if has_variable:
        node.mask, node.quoted = f"the value of {text[:_MAX_SHOWN]}", False
        if resembles_a_secret(node.value) and not may_be_secret:
            report(f"the value of a variable here looks like a secret; {SECRET_HINT}")
    # The reader has checked the text of the file, but not what the environment adds.
    if len(node.value) > MAX_LENGTH:
        node.value = ""
        report(f"{node.mask} is longer than {MAX_LENGTH} characters")


def _hint(name: str, environ: Mapping[str, str]) -> str:
    """Return the variable that was most likely meant, else how a default is written."""
    known = [other for other in environ if environ[other] and not is_credential(other)]
    near = get_close_matches(name, known, 1, 0.8)
    return f"did you mean {near[0]}, which is set?" if near else f"write ${{{name}:-default}} to give one"
