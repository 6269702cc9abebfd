"""Detects secrets in policy files: a key or value that looks like one is a mistake, and is never shown.

A policy file is read by editors, version control and logs, which must not see secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .nodes import Node

__all__ = ["SECRET_HINT", "is_credential", "refuse_secrets", "resembles_a_secret", "walk_nodes"]

SECRET_HINT = "a policy file must not contain secrets: pass them to the client, from the environment or a vault"
"""The end of each message about a secret."""
_NAMED = re.compile(
    r"secret|pass_?phrase|passwo?r?d|api[-_]?key|access[-_]?key|private[-_]?key|token|credential|mnemonic"
    r"|(?<![a-z])pwd(?![a-z])|(?<![a-z])bearer|authorization",
    re.IGNORECASE,
)
_SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"  # a key file
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}"  # a signed token
    r"|\b(?:bearer|basic) [\w+/.=-]{16,}"
    r"|://[^\s/:@]*:(?!\$\{\w+\}@)[^\s/@]+@"  # a password in a URL, which is not a variable; Redis needs no user
    r"|[?&]pass(?:wor)?d=(?!\$\{\w+\}(?:&|\Z))[^&\s]"
    r"|\b(?:sk|pk|rk)_(?:live|test)_\w{8,}|\bgh[pousr]_\w{20,}|\bxox[abprs]-[\w-]{10,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\bbg_[0-9a-f]{32}\b"
    r"|\A[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z",
    re.IGNORECASE,
)
_LOOKED_AT = 512  # characters: whatever has a shape shows it at once


def is_credential(name: str) -> bool:
    """Return whether a key has the name of a credential."""
    return _NAMED.search(name) is not None


def resembles_a_secret(text: str) -> bool:
    """Return whether a value has the form of a credential of a known kind."""
    return _SHAPES.search(text[:_LOOKED_AT]) is not None


def refuse_secrets(root: Node, add: Callable[[Node, str, str], None]) -> None:
    """Report each key or value that looks like a secret, once, and mark it so that no message shows it."""
    for key, value, path in walk_nodes(root):
        if key is not None and resembles_a_secret(str(key.value)):
            key.value = path = "[a secret]"
            add(key, path, SECRET_HINT)
        named = key is not None and value.kind != "mapping" and value.value != "" and is_credential(str(key.value))
        if named and key is not None:
            add(key, path, SECRET_HINT)
            value.is_reported = True
        elif value.kind == "scalar" and resembles_a_secret(value.value):
            add(value, path, f"this looks like a secret; {SECRET_HINT}")
            value.is_reported = True


def walk_nodes(root: Node) -> Iterator[tuple[Node | None, Node, str]]:
    """Yield (key, value, path) of every node in a tree; a node that aliases repeat comes once."""
    seen: set[int] = set()
    todo: list[tuple[Node | None, Node, str]] = [(None, root, "")]
    while todo:
        key, node, path = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield key, node, path
        todo += reversed(_inside(node, path))


def _inside(node: Node, path: str) -> list[tuple[Node | None, Node, str]]:
    """Return (key, value, path) of the nodes directly in a node."""
    if node.kind == "mapping":
        return [(key, value, f"{path}.{key.value}" if path else str(key.value)) for key, value in node.value]
    if node.kind == "list":
        return [(None, item, f"{path}[{index}]") for index, item in enumerate(node.value)]
    return []
