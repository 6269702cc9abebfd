"""Generates the Markdown tables of all keys of policy files from the schema, for the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["key_tables"]

_STAGES = (
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
)
_AFTER_THE_STAGES = (
    ("UnknownError", "unknown_errors"),
    ("Stream", "stream"),
    ("MessageRate", "stream.connects, stream.subscribes and stream.frames"),
    ("Operation", "operations, each entry"),
)


def key_tables(schema: Mapping[str, Any]) -> str:
    """Return a heading and a table for each part of a policy file.

    Args:
        schema: the result of `policy_schema`.
    """
    parts = []
    titled = {name for name, _ in (*_STAGES, *_AFTER_THE_STAGES)}
    # The section of a new stage needs no row above: its key is its title.
    new = [
        (name, name.lower()) for name, part in schema["$defs"].items() if name not in titled and "properties" in part
    ]
    for name, title in (*_STAGES, *new, *_AFTER_THE_STAGES):
        part = schema["$defs"][name] if name else schema
        rows = [_row(key, schema_of_key) for key, schema_of_key in part["properties"].items()]
        head = ["| key | default | means | example |", "|---|---|---|---|"]
        parts.append("\n".join([f"### {title}", part["description"], "", *head, *rows]))
    return "\n\n".join(parts) + "\n"


def _row(key: str, schema: Mapping[str, Any]) -> str:
    default = "" if "default" not in schema else f"`{_in_yaml(schema['default'])}`"
    words = _words(schema)
    means = schema["description"] + (f" One of {', '.join(f'`{word}`' for word in words)}." if words else "")
    unit = f" A number without a unit counts {schema['unit']}." if schema.get("unit") == "seconds" else ""
    cells = (f"`{key}`", default, means + unit, f"`{_in_yaml(schema['examples'][0])}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _words(schema: Mapping[str, Any]) -> list[str]:
    """Return the words that a key takes, without `off`."""
    options = [word for option in (schema, *schema.get("anyOf", ())) for word in option.get("enum", ())]
    return [_in_yaml(word) for word in options if word not in (None, "off")]


def _in_yaml(value: Any) -> str:
    """Return a value in the syntax of a policy file."""
    if value is None:
        return "off"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_in_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_yaml, value)) + "]"
    if isinstance(value, str) and ("*" in value or value == ""):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
