"""Tells whether the success of a write confirms it: its envelope, its items, and the ids that it gives and repeats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from .known_venue import Venue, WriteSettings
from .order_rows import filled, value_at

__all__ = ["codes_in", "find_problem", "mappings_at", "orders_in"]

Problem = tuple[Literal["unreadable", "partial"], str]


def find_problem(venue: Venue, write: WriteSettings, body: Any, key: str | None) -> Problem | None:
    """Return why an answer with a success status is not a success, or None if it is one.

    Args:
        venue: what is known of the venue.
        write: what is known of the endpoint.
        body: the answer.
        key: the client order id of the call, if it made a new order with one.
    """
    problem = _envelope_problem(venue, body)
    if problem is not None:
        return problem
    orders = list(orders_in(venue, body))
    refused = [_failed(venue, item) for item in (*orders, *mappings_at(body, venue.answer.results))]
    if any(refused) or any(mappings_at(body, venue.answer.failed)):
        # A word in place of a code says nothing that a code table explains: the write stays open.
        kind: Literal["unreadable", "partial"] = "unreadable" if any(map(str.isalpha, refused)) else "partial"
        return kind, "a part failed"
    if write.answer_id and not (orders and all(_has_id(write, order) for order in orders)):
        return "unreadable", f"a success without {write.answer_id.replace('|', ' or ')}"
    return _foreign(write, orders, key)


def _has_id(write: WriteSettings, order: Mapping[str, Any]) -> bool:
    return any(filled(value_at(order, path)) for path in write.answer_id.split("|"))


def _envelope_problem(venue: Venue, body: Any) -> Problem | None:
    answer = venue.answer
    code = value_at(body, answer.code) if answer.code and isinstance(body, Mapping) else None
    if code is None:
        return ("unreadable", "the response has no code") if answer.order else None
    return None if str(code) in answer.success else ("partial", f"the response has the code {code}")


def _failed(venue: Venue, order: Mapping[str, Any]) -> str:
    """Return the code of an item of an answer that says that it failed, else nothing."""
    code = order.get(venue.answer.item_code)
    return str(code) if filled(code) and str(code) not in venue.answer.success else ""


def _foreign(write: WriteSettings, orders: list[Mapping[str, Any]], key: str | None) -> Problem | None:
    """Return that the answer is the one of another order: a gateway may deliver the answer of another request."""
    if key is None or not write.answer_key or len(orders) != 1:
        return None
    echo = value_at(orders[0], write.answer_key)
    return ("unreadable", "a success of another order") if filled(echo) and str(echo) != key else None


def codes_in(venue: Venue, body: Any) -> set[str]:
    """Return the codes in an answer: that of its envelope, and those of the items in it."""
    answer = venue.answer
    codes = {value_at(body, answer.code)} if answer.code and isinstance(body, Mapping) else set()
    if answer.item_code:
        items = (*orders_in(venue, body), *mappings_at(body, answer.results))
        codes |= {item.get(answer.item_code) for item in items}
    return {str(code) for code in codes if filled(code)}


def orders_in(venue: Venue, body: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the orders of an answer; without a path, the answer itself is the order, or a list of them."""
    path = venue.answer.order
    return mappings_at(body, path) if path else _mappings(body)


def mappings_at(body: Any, path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the mappings at a dotted path: one, or those of a list; none without a path."""
    found = body if path else None
    for key in filter(None, path.split(".")):
        found = found.get(key) if isinstance(found, Mapping) else None
    return _mappings(found)


def _mappings(found: Any) -> Iterator[Mapping[str, Any]]:
    for one in found if isinstance(found, list) else [found]:
        if isinstance(one, Mapping):
            yield one
