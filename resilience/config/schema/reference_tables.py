"""The keys of policy files as tables for people, made of the schema: the reference repeats nothing by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["key_tables"]

_ORDER = (
    ("", "The file"),
    ("Policy", "A policy"),
    ("Retry", "retry"),
    ("Backoff", "retry.backoff"),
    ("Budget", "budget"),
    ("Breaker", "breaker"),
    ("HalfOpen", "breaker.half_open"),
    ("Quota", "quota, each entry"),
    ("Admission", "admission"),
    ("Lane", "admission.lanes, each lane"),
    ("Reconcile", "reconcile"),
    ("Hedge", "hedge"),
    ("Fallback", "fallback"),
    ("UnknownError", "unknown_errors"),
    ("Stream", "stream"),
    ("MessageRate", "stream.connects, stream.subscribes and stream.frames"),
    ("Operation", "operations, each entry"),
)


def key_tables(schema: Mapping[str, Any]) -> str:
    """Return a heading and a table for each part of a policy file.

    Args:
        schema: what `policy_schema` makes.
    """
    parts = []
    for name, title in _ORDER:
        part = schema["$defs"][name] if name else schema
        rows = [_row(key, one) for key, one in part["properties"].items()]
        head = ["| key | default | means | example |", "|---|---|---|---|"]
        parts.append("\n".join([f"### {title}", part["description"], "", *head, *rows]))
    return "\n\n".join(parts) + "\n"


def _row(key: str, one: Mapping[str, Any]) -> str:
    default = "" if "default" not in one else f"`{_written(one['default'])}`"
    words = _words(one)
    means = one["description"] + (f" One of {', '.join(f'`{word}`' for word in words)}." if words else "")
    unit = f" A number without a unit counts {one['unit']}." if one.get("unit") == "seconds" else ""
    cells = (f"`{key}`", default, means + unit, f"`{_written(one['examples'][0])}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _words(one: Mapping[str, Any]) -> list[str]:
    """Return the words that a key takes; `off` is no word but the want of one."""
    options = [word for option in (one, *one.get("anyOf", ())) for word in option.get("enum", ())]
    return [_written(word) for word in options if word not in (None, "off")]


def _written(value: Any) -> str:
    """Write a value as a policy file does."""
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, str) and ("*" in value or value == ""):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
