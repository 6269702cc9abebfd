"""Variables of the environment in a policy file: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign.

What a variable holds may be a secret that got into the wrong place: no message shows it, the variable
is named in its stead, and one that is a secret by its name or its looks is refused as one that stands in the file.
A value with a variable in it is read as if it stood there without quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from .nodes import MAX_LENGTH, Node
from .secret_values import SECRET_HINT, is_credential, looks_like_a_secret, walk_nodes

__all__ = ["fill_variables"]

_SAID = 60  # characters of what stands in the file that a message repeats
_SHORTEST = 4  # a shorter value would take half the words of a message with it, and is no secret
_PART = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\{))")


def fill_variables(root: Node, environ: Mapping[str, str], add: Callable[[Node, str, str], None]) -> dict[str, str]:
    """Put the variables' values where they are named; one that is not set and has no default is a mistake.

    Returns:
        What stands in messages for each value that was taken from the environment.
    """
    taken: dict[str, str] = {}
    for _, node, path in walk_nodes(root):
        if node.kind == "scalar" and "$" in node.value:
            _fill(node, environ, taken, partial(add, node, path))
    return {value: said for value, said in taken.items() if len(value) >= _SHORTEST}


def _fill(node: Node, environ: Mapping[str, str], taken: dict[str, str], add: Callable[[str], None]) -> None:
    text: str = node.value
    named = False

    def wrong(message: str) -> None:
        add(message)
        node.is_reported = True

    def value(found: re.Match[str]) -> str:
        nonlocal named
        dollar, name, default, broken = found.groups()
        if dollar:
            return "$"
        named = True
        if broken:
            wrong("a variable is written ${NAME} or ${NAME:-default}; $$ stands for a dollar sign")
            return ""
        if is_credential(name):
            wrong(f"the variable {name} is named like a secret; {SECRET_HINT}")
            return ""
        held = environ.get(name, "")
        if held:
            taken[held] = f"${{{name}}}"
        elif default is None:
            wrong(f"the variable {name} is not set, and has no default; one is given by ${{{name}:-default}}")
        return held or default or ""

    node.value = _PART.sub(value, text)
    if named:
        node.mask, node.quoted = f"the value of {text[:_SAID]}", False
        if looks_like_a_secret(node.value):
            wrong(f"a variable that is put in here holds what looks like a secret; {SECRET_HINT}")
    if len(node.value) > MAX_LENGTH:
        node.value = ""
        wrong(f"{node.mask} is longer than {MAX_LENGTH} characters: no setting is")
