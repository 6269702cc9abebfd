"""Finds out why a store is not safe: it forgets keys, is a replica, or forbids a command that is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["danger_of", "find_danger"]

_FORBIDDEN = re.compile(r"permissions? to (?:run|access)|ACL failure|can't run this command", re.IGNORECASE)
_COMMAND = re.compile(r"'([\w|-]+)' command")


def find_danger(client: Any) -> str:
    """Return why a store must not be used; empty where it can be used. Errors of the client pass."""
    dangers = (danger for info in _nodes(client.info()) for danger in _dangers(info))
    return next(dangers, "")


def _nodes(info: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what each node of a cluster says, or the one node."""
    return [info] if "role" in info else [node for node in info.values() if isinstance(node, Mapping)]


def _dangers(info: Mapping[str, Any]) -> Iterator[str]:
    if info.get("role") not in (None, "master"):
        yield "the store is a read-only replica"
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield f"the store's maxmemory-policy is {policy}: it must be noeviction, else it forgets what was sent"
    if int(info.get("loading") or 0):
        yield "the store is loading its data"


def danger_of(kind: str, text: str) -> str:
    """Return why an error of the store means that it must not be used; empty if it only does not answer.

    Args:
        kind: the name of the error's class.
        text: its text, of which only the name of a command is shown.
    """
    if kind == "ReadOnlyError":
        return "the store is a read-only replica"
    if kind.startswith("Authentication"):
        return "the store refuses the user or the password"
    if _FORBIDDEN.search(text) is None:
        return ""
    command = _COMMAND.search(text)
    return f"the store's user may not {f'run the command {command[1]}' if command else 'use what is needed'}"
