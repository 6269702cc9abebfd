"""Finds the items of a batch that failed, in an answer that says success as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, NamedTuple

from ..base.abstract_classes import is_mapping
from ..policy.answer_envelope import Envelope, ItemList
from .code_and_status import code_of

__all__ = ["FailedItems", "failed_items", "message_of"]


class FailedItems(NamedTuple):
    """The items that an answer says have failed.

    Attributes:
        item_list: the list of the envelope that they are in.
        items: the failed items, at least one.
        all_failed: the list has all items of the batch, and none succeeded.
    """

    item_list: ItemList
    items: list[Mapping[Any, Any]]
    all_failed: bool

    @property
    def code(self) -> str | None:
        """The code of the first failed item."""
        return code_of(self.items[0].get(self.item_list.code))

    @property
    def message(self) -> str:
        """The message of the first failed item."""
        return message_of(self.items[0], self.item_list)


def message_of(item: Mapping[Any, Any], item_list: ItemList) -> str:
    """Return the message of an item, or an empty string."""
    message = item.get(item_list.message)
    return message if isinstance(message, str) else ""


def failed_items(
    body: Mapping[Any, Any] | None, envelope: Envelope | None, longest_batch: float = inf
) -> FailedItems | None:
    """Return the items that a body says have failed; None for none.

    Args:
        body: the answer.
        envelope: of its API.
        longest_batch: a list that may have successful items too is data if it has more items than this.
    """
    if envelope is None:
        return None
    for item_list in envelope.failures:
        items = _items(body, item_list)
        if not items or (item_list.mixed and len(items) > longest_batch):
            continue
        # The class comes first: `isinstance` takes a microsecond for an abstract class.
        mappings = [item for item in items if item.__class__ is dict or is_mapping(item)]
        failed = [item for item in mappings if not item_list.mixed or _has_failed(item, item_list, envelope)]
        if failed:
            return FailedItems(item_list, failed, item_list.mixed and len(failed) == len(items))
    return None


def _items(body: Mapping[Any, Any] | None, item_list: ItemList) -> list[Any]:
    inner: Any = body
    for name in item_list.at:  # the path of keys to the list, such as ("data", "failure")
        if inner.__class__ is not dict and not is_mapping(inner):
            return []
        inner = inner.get(name)
    return inner if isinstance(inner, list) else []


def _has_failed(item: Mapping[Any, Any], item_list: ItemList, envelope: Envelope) -> bool:
    """Return whether an item of a mixed list has failed: by its flag, else by a code that is no success."""
    flag = item.get(item_list.ok) if item_list.ok else None
    if isinstance(flag, bool):
        return not flag
    if item_list.has_texts:
        return bool(message_of(item, item_list))
    code = code_of(item.get(item_list.code))
    return code is not None and not envelope.is_success(code) and _has_message(item, item_list)


def _has_message(item: Mapping[Any, Any], item_list: ItemList) -> bool:
    """Return whether an item has its message: rows of data may have a code too, and nothing beside it."""
    return not item_list.message or item_list.message in item
