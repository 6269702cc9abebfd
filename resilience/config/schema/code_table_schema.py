"""Generates the JSON schema of code tables."""

from __future__ import annotations

from typing import Any

from ..._core.policy.codes import Category
from ..codes.table_nodes import EXECUTED
from .policy_schema import DRAFT

__all__ = ["code_schema"]

Schema = dict[str, Any]
_TEXT = ["string", "number", "boolean"]


def code_schema() -> Schema:
    """Return the schema of a code table."""
    row = {"$ref": "#/$defs/row"}
    listed = {"allOf": [row], "required": ["code"]}
    return {
        "$schema": DRAFT,
        "title": "A code table of resilience",
        "description": "What the codes of one API mean: one row per code.",
        **_mapping(
            {
                "envelope": {"$ref": "#/$defs/envelope"},
                "sources": _list(
                    "Top-level packages whose exceptions carry these codes.", {"type": _TEXT}, ["ccxt"], empty=True
                ),
                "rules": _described(
                    {"anyOf": [_items(listed), {"type": "object", "additionalProperties": row}, {"type": "null"}]},
                    "The rows: a list, or a mapping from codes to the other keys of a row.",
                    [{"code": "40010", "category": "retryable", "executed": "maybe"}],
                ),
                "texts": _list(
                    "Parts of messages with the code that each means, tried in this order.",
                    {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": _TEXT}},
                    [["Insufficient balance", "43012"]],
                    empty=True,
                ),
            }
        ),
        "$defs": {"envelope": _envelope(), "row": _row()},
    }


def _row() -> Schema:
    text = {"type": _TEXT}
    # The loader reads scalars as text, so numbers and quoted switches are accepted too.
    flag = {"enum": [False, True, "false", "true"]}
    code = {"type": _TEXT, "minLength": 1}
    return _mapping(
        {
            "code": _described(code, "The API's code; write it in quotes, since leading zeros count.", "00001"),
            "names": _list("Constants or exception classes with the code's meaning.", text, ["INSUFFICIENT_BALANCE"]),
            "category": _described(
                {"enum": [*map(str, Category), None]},
                "What helps; no category for a code that means success.",
                "retryable",
                default=None,
            ),
            "executed": _described(
                {"enum": list(EXECUTED)}, "Whether the request may have taken effect.", "no", default="maybe"
            ),
            "hint": _described(text, "One word about how to try again.", "backoff", default="none"),
            "remedy": _described(text, "One sentence that tells a human what to do.", "Add funds", default=""),
            "legacy": _described(flag, "The code appears only in old tables of the API.", True, default=False),
            "duplicate": _described(
                flag, "The code means that the idempotency key was used before.", True, default=False
            ),
            "action": _described(text, "What a stream does after the code.", "reconnect", default=""),
        }
    )


def _envelope() -> Schema:
    text = {"type": _TEXT}
    failures = {
        "at": _described(text, "The keys that lead to the list of failed items.", "data.failureList"),
        "code": _described(text, "The key of an item's code.", "errorCode"),
        "message": _described(text, "The key of an item's message.", "errorMsg", default=""),
        "key": _described(text, "The key of an item's idempotency key.", "clientOid", default=""),
        "mixed": _described({"type": "boolean"}, "Successful items are in the list too.", True, default=False),
    }
    item_list = {**_mapping(failures), "required": ["at", "code"]}
    return {
        **_mapping(
            {
                "code": _described(text, "The key of the code.", "code"),
                "message": _described(text, "The key of the message.", "msg", default=""),
                "success": _list("Codes that mean success.", text, ["00000", "0"], empty=True),
                "time": _described(text, "The key of the server's time, Unix milliseconds.", "requestTime", default=""),
                "always": _list(
                    "Paths of the fields that every answer of this API has beside code and message.",
                    text,
                    ["requestTime"],
                    empty=True,
                ),
                "failures": {"anyOf": [item_list, {"type": "array", "items": item_list}]},
            }
        ),
        "description": "The keys of the API's answers. Without an envelope no body is read.",
        "required": ["code"],
    }


def _mapping(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _items(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _list(description: str, item: Schema, example: Any, *, empty: bool = False) -> Schema:
    shape: Schema = {"anyOf": [_items(item), {"type": "null"}]} if empty else _items(item)
    return _described(shape, description, example, default=[])


def _described(shape: Schema, description: str, example: Any, **default: Any) -> Schema:
    return {**shape, "description": description, "examples": [example], **default}
