"""Generates the JSON schema of code tables."""

from __future__ import annotations

from typing import Any

from ..._core.policy.codes import Category
from ..codes.node_values import MAX_CODE, MAX_TEXT
from ..codes.row_nodes import EXECUTED, MATCH
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
                "scopes": _pairs(
                    "The scope of requests by the beginning of their URL: of its path, or of host and path.",
                    {"/fapi/": "usdm"},
                ),
                "references": _pairs(
                    "The documents that rows come from, by the short names in their source.",
                    {"docs": "the error codes page of 2026-06-01"},
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
    code = {"type": _TEXT, "minLength": 1, "maxLength": MAX_TEXT}
    joined = {"type": _TEXT, "pattern": r"^[^+]+(\+[^+]+)*$"}
    # A longer one is a text, which only a message finds.
    short = {"properties": {"code": {"maxLength": MAX_CODE}}}
    return {"if": {"not": {"required": ["match"]}}, "then": short} | _mapping(
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
            "scope": _described(
                joined, "The parts of the API in which the code means this, joined by +.", "spot+margin", default="all"
            ),
            "match": _described(
                {"enum": list(MATCH)},
                "How a message finds the row, whose code is then a text: by the whole of it, or by a part of it.",
                "part",
            ),
            "source": _described(
                joined, "Where the row comes from: names of references, joined by +.", "docs+ccxt", default=""
            ),
        }
    )


def _envelope() -> Schema:
    # A dotted path: no empty key, no JSONPath.
    path = {"type": _TEXT, "pattern": r"^[^.$\[\]\s]([^.\[\]]*[^.\[\]\s])?(\.[^.\[\]\s]([^.\[\]]*[^.\[\]\s])?)*$"}
    paths = {"anyOf": [path, {"type": "array", "items": path, "minItems": 1}]}
    key = {"type": _TEXT, "pattern": r"^[^.]*$"}
    failures = {
        "at": _described(
            {"anyOf": [path, {"const": "."}]},
            "The keys that lead to the list of failed items; a dot where the body is the list.",
            "data.failureList",
        ),
        "code": _described({**key, "minLength": 1}, "The key of an item's code.", "errorCode"),
        "message": _described(key, "The key of an item's message.", "errorMsg", default=""),
        "key": _described(key, "The key of an item's idempotency key.", "clientOid", default=""),
        "mixed": _described({"type": "boolean"}, "Successful items are in the list too.", True, default=False),
        "ok": _described(key, "The key of an item's flag: true for a success.", "success", default=""),
    }
    item_list = {**_mapping(failures), "required": ["at", "code"]}
    return {
        **_mapping(
            {
                "code": _described(
                    paths, "The path of the code, or several that are tried in this order.", "error.code"
                ),
                "message": _described(
                    {"anyOf": [*paths["anyOf"], {"const": ""}]},
                    "The path of the message, or several.",
                    "msg",
                    default="",
                ),
                "success": _codes("Codes that mean success; W* means every code that begins with W.", ["00000", "0"]),
                "general": _codes("Codes that only say that something failed: another code says what.", ["1"]),
                "ok": _described(
                    key, "The key of a flag: true for a success, false for a failure.", "success", default=""
                ),
                "time": _described(
                    path, "The path of the server's time, Unix milliseconds.", "requestTime", default=""
                ),
                "always": _list(
                    "Paths of the fields that every answer of this API has beside code and message.",
                    path,
                    ["requestTime"],
                    empty=True,
                ),
                "failures": {"anyOf": [item_list, {"type": "array", "items": item_list}]},
            }
        ),
        "description": "The places of an answer: keys, or paths as error.code. Without an envelope no body is read.",
        "required": ["code"],
    }


def _codes(description: str, example: list[str]) -> Schema:
    codes = {"type": "array", "minItems": 1, "items": {"type": _TEXT, "minLength": 1, "maxLength": MAX_CODE}}
    return _described({"anyOf": [codes, {"type": "null"}]}, description, example, default=[])


def _pairs(description: str, example: Schema) -> Schema:
    pairs = {"type": "object", "additionalProperties": {"type": _TEXT, "minLength": 1}}
    return _described({"anyOf": [pairs, {"type": "null"}]}, description, example, default={})


def _mapping(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _items(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _list(description: str, item: Schema, example: Any, *, empty: bool = False) -> Schema:
    shape: Schema = {"anyOf": [_items(item), {"type": "null"}]} if empty else _items(item)
    return _described(shape, description, example, default=[])


def _described(shape: Schema, description: str, example: Any, **default: Any) -> Schema:
    return {**shape, "description": description, "examples": [example], **default}
