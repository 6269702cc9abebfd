"""Reads the answer to a batch item by item: what each order became, in an answer that is about this order alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .confirmed_writes import mappings_at, orders_in
from .known_venue import Venue, WriteSettings
from .order_rows import filled

__all__ = ["ItemAnswer", "count_items", "read_items"]


class ItemAnswer(NamedTuple):
    """What the answer to a batch says of one item.

    Attributes:
        row: the order as the venue reports it, of an item that was accepted; None where it was refused.
        body: the answer as it would be to this item alone.
    """

    row: Mapping[str, Any] | None
    body: Any


def read_items(
    venue: Venue, write: WriteSettings, body: Any, wanted: Sequence[Sequence[str]]
) -> list[ItemAnswer | None]:
    """Return what an answer says of each item, in the order in which they were sent; None where it says nothing.

    Args:
        venue: what is known of the venue.
        write: what is known of the endpoint.
        body: the answer.
        wanted: the ids of each item that was sent, one of which its own part of the answer repeats.
    """
    if venue.answer.failed:
        return [_find_item(venue, write, body, ids) for ids in wanted]
    path = write.answer_items or venue.answer.order
    if not path and not isinstance(body, list):  # it refuses the batch as a whole
        return [None] * len(wanted)
    rows = list(mappings_at(body, path) if write.answer_items else orders_in(venue, body))
    results = list(mappings_at(body, venue.answer.results)) or rows
    # By position: a part that was refused has no id on most venues. A list of another length is no answer to this.
    if not len(rows) == len(results) == len(wanted):
        return [None] * len(wanted)
    answers = []
    for row, result, ids in zip(rows, results, wanted, strict=True):
        alone = {**row, **result}
        body_alone = _replaced(_replaced(body, path, row), venue.answer.results, result)
        answers.append(_read_item(venue, write, alone, body_alone, ids))
    return answers


def count_items(venue: Venue, write: WriteSettings, body: Any) -> int:
    """Return of how many items an answer speaks; of none where it is one to the batch as a whole."""
    answer = venue.answer
    path = write.answer_items or answer.order
    if not path:
        return len(body) if isinstance(body, list) else 0
    orders, results, failed = (len(list(mappings_at(body, one))) for one in (path, answer.results, answer.failed))
    return max(orders, results) + failed


def _find_item(venue: Venue, write: WriteSettings, body: Any, ids: Sequence[str]) -> ItemAnswer | None:
    """Return what an answer says of one item, where those that failed have a list of their own."""
    fields, answer = venue.orders[write.order].row, venue.answer
    for row in mappings_at(body, write.answer_items):
        if _is_named(row, (fields.id, fields.key), ids):
            return ItemAnswer(row, body) if filled(row.get(fields.id)) else None
    for row in mappings_at(body, answer.failed):
        if _is_named(row, (fields.id, fields.key), ids):
            first = answer.failed.partition(".")[0]
            return ItemAnswer(None, {**body, answer.code: row.get(answer.failed_code), first: row})
    return None


def _is_named(row: Mapping[str, Any], names: tuple[str, str], ids: Sequence[str]) -> bool:
    return any(str(row.get(name)) in ids for name in names if filled(row.get(name)))


def _read_item(
    venue: Venue, write: WriteSettings, item: Mapping[str, Any], body: Any, ids: Sequence[str]
) -> ItemAnswer | None:
    fields = venue.orders[write.order].row
    if _is_foreign(write, item, (fields.id, fields.key), ids):
        return None
    code = item.get(venue.answer.item_code)
    if filled(code) and str(code) not in venue.answer.success:
        return ItemAnswer(None, body)
    return ItemAnswer(item, body) if filled(item.get(fields.id)) else None


def _is_foreign(write: WriteSettings, item: Mapping[str, Any], names: tuple[str, str], ids: Sequence[str]) -> bool:
    """Return whether a part of the answer is about another order than the one that was sent."""
    # The venue's own id of a new order is news to everybody.
    known = names[1:] if write.action == "place" else names
    named = {str(item[name]) for name in known if filled(item.get(name))}
    return bool(ids) and bool(named) and named.isdisjoint(ids)


def _replaced(body: Any, path: str, item: Mapping[str, Any]) -> Any:
    """Return a body with one item in place of the list at a path; without a path, the body is the list."""
    if not isinstance(body, Mapping):
        return item if isinstance(body, list) else body
    if not path:
        return body
    first, _, rest = path.partition(".")
    return {**body, first: _replaced(body.get(first), rest, item) if rest else [item]}
