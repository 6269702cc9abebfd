"""Finds the items of a batch that failed, in an answer that says success as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..policy.answer_envelope import Envelope, ItemList
from .code_and_status import code_of

__all__ = ["failed_items", "first_failed_item"]


def failed_items(
    body: Mapping[Any, Any] | None, envelope: Envelope | None
) -> tuple[ItemList, list[Mapping[Any, Any]]] | None:
    """Return the items that a body says have failed, and the list of the envelope they are in; None for none."""
    if envelope is None:
        return None
    for item_list in envelope.failures:
        items = _items(body, item_list)
        failed = [item for item in items if not item_list.mixed or _has_failed(item, item_list, envelope.success)]
        if failed:
            return item_list, failed
    return None


def first_failed_item(item_list: ItemList, failed: Sequence[Mapping[Any, Any]]) -> tuple[str, str]:
    """Return code and message of the first item that failed."""
    first = failed[0]
    message = first.get(item_list.message)
    return code_of(first.get(item_list.code)) or "partial", message if isinstance(message, str) else ""


def _items(body: Mapping[Any, Any] | None, item_list: ItemList) -> list[Mapping[Any, Any]]:
    inner: Any = body
    for name in item_list.at:  # the path of keys to the list, such as ("data", "failure")
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return [item for item in inner if isinstance(item, Mapping)] if isinstance(inner, list) else []


def _has_failed(item: Mapping[Any, Any], item_list: ItemList, success: frozenset[str]) -> bool:
    """Return whether an item of a mixed list has failed: its code is not a success code and it has a message."""
    code = code_of(item.get(item_list.code))
    return code is not None and code not in success and item_list.message in item
