"""Generates the Markdown tables of all keys of policy files from the schema, for the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["key_tables"]


def key_tables(schema: Mapping[str, Any]) -> str:
    """Return a heading and a table for each part of a policy file.

    Args:
        schema: the result of `policy_schema`.
    """
    titles: dict[str, list[str]] = {}
    for key, below in schema["$defs"]["Policy"]["properties"].items():
        _add_titles(schema, below, key, titles)
    parts = [("The file", schema), ("A policy", schema["$defs"]["Policy"])]
    parts += [(_listed(paths), schema["$defs"][name]) for name, paths in titles.items()]
    parts += [("operations, each entry", schema["$defs"]["Operation"]), ("shared", schema["$defs"]["Shared"])]
    return "\n\n".join(_table(title, part) for title, part in parts) + "\n"


def _add_titles(schema: Mapping[str, Any], key: Mapping[str, Any], path: str, titles: dict[str, list[str]]) -> None:
    """Add the path of a key to the titles of the sections that it takes, and of those in them."""
    for option in key.get("anyOf", (key,)):
        each = option.get("items") or option.get("additionalProperties")
        if isinstance(each, Mapping):
            _add_titles(schema, each, f"{path}, each entry", titles)
        name = option.get("$ref", "").removeprefix("#/$defs/")
        if name and name != "variable":
            titles.setdefault(name, []).append(path)
            for inner, below in schema["$defs"][name]["properties"].items():
                _add_titles(schema, below, f"{path}.{inner}", titles)


def _listed(paths: list[str]) -> str:
    *others, last = paths
    return f"{', '.join(others)} and {last}" if others else last


def _table(title: str, part: Mapping[str, Any]) -> str:
    rows = [_row(key, schema_of_key) for key, schema_of_key in part["properties"].items()]
    head = ["| key | default | means | example |", "|---|---|---|---|"]
    return "\n".join([f"### {title}", part["description"], "", *head, *rows])


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
