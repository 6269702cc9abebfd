"""The JSON schema of code tables."""

from __future__ import annotations

from typing import Any

from ..._core.policy.codes import Category
from ..codes.code_tables import EXECUTED
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
        "description": "What the codes of one API mean: a row a code.",
        **_mapping(
            {
                "envelope": {"$ref": "#/$defs/envelope"},
                "sources": _list(
                    "Top-level packages whose exceptions speak these codes.", {"type": _TEXT}, ["ccxt"], empty=True
                ),
                "rules": _said(
                    {"anyOf": [_items(listed), {"type": "object", "additionalProperties": row}, {"type": "null"}]},
                    "The rows: a list, or a mapping of codes to what else a row says.",
                    [{"code": "40010", "category": "retryable", "executed": "maybe"}],
                ),
                "texts": _list(
                    "Parts of messages and the code that each means, asked in this order.",
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
    flag = {"enum": [False, True, "false", "true"]}
    code = {"type": _TEXT, "minLength": 1}
    return _mapping(
        {
            "code": _said(code, "The API's code; leading zeros count, so it stands in quotes.", "00001"),
            "names": _list("Constants or exception classes that stand for the code.", text, ["INSUFFICIENT_BALANCE"]),
            "category": _said(
                {"enum": [*map(str, Category), None]},
                "What helps; nothing for a code that means success.",
                "retryable",
                default=None,
            ),
            "executed": _said(
                {"enum": list(EXECUTED)}, "Whether the request may have taken effect.", "no", default="maybe"
            ),
            "hint": _said(text, "One word on how to try again.", "backoff", default="none"),
            "remedy": _said(text, "One sentence that a human can act on.", "Add funds", default=""),
            "legacy": _said(flag, "The code stands only in old tables of the API.", True, default=False),
            "duplicate": _said(flag, "The code says that the idempotency key is taken.", True, default=False),
            "action": _said(text, "What a stream does on the code.", "reconnect", default=""),
        }
    )


def _envelope() -> Schema:
    text = {"type": _TEXT}
    failures = {
        "at": _said(text, "Where the list of failed items is.", "data.failureList"),
        "code": _said(text, "The key of an item's code.", "errorCode"),
        "message": _said(text, "The key of an item's words.", "errorMsg", default=""),
        "key": _said(text, "The key of an item's idempotency key.", "clientOid", default=""),
        "mixed": _said({"type": "boolean"}, "Items that went well are in the list too.", True, default=False),
    }
    place = {**_mapping(failures), "required": ["at", "code"]}
    return {
        **_mapping(
            {
                "code": _said(text, "The key that holds the code.", "code"),
                "message": _said(text, "The key that holds the API's words.", "msg", default=""),
                "success": _list("Codes that mean success.", text, ["00000", "0"], empty=True),
                "time": _said(text, "The key of the server's time, Unix milliseconds.", "requestTime", default=""),
                "failures": {"anyOf": [place, {"type": "array", "items": place}]},
            }
        ),
        "description": "Where the API's answers keep their code. Without one no body is looked at.",
        "required": ["code"],
    }


def _mapping(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _items(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _list(said: str, item: Schema, example: Any, *, empty: bool = False) -> Schema:
    shape: Schema = {"anyOf": [_items(item), {"type": "null"}]} if empty else _items(item)
    return _said(shape, said, example, default=[])


def _said(shape: Schema, said: str, example: Any, **default: Any) -> Schema:
    return {**shape, "description": said, "examples": [example], **default}
