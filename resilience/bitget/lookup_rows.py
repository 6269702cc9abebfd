"""Reads the orders in a response to a lookup query, and compares them with what was requested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from .._core.call.lookup_answer import Found, InconclusiveLookupError, OtherOrderError

__all__ = ["UNKNOWN_ORDER", "check_symbol", "found_order", "newest", "orders_in", "status_of", "unix_seconds"]

UNKNOWN_ORDER = ("40109", "43001", "25204")
"""Codes that answer a query: the order is unknown, or not visible yet."""

_TEXT_FIELDS, _NUMBER_FIELDS = ("symbol", "side", "orderType"), ("size", "price")


def orders_in(answer: Mapping[str, Any], name: str = "", requested: Any = None) -> list[Mapping[str, Any]]:
    """Return the orders in a response; an unknown order is an empty list, missing data, or an error code.

    Args:
        answer: the envelope.
        name: the field by which one order was requested, if the query was for one.
        requested: the value of that field.

    Raises:
        InconclusiveLookupError: the response contains something else, and so answers nothing.
        OtherOrderError: it contains another order.
    """
    data = _listed(answer.get("data"))
    # Null data is an answer only together with a code that says so.
    if data is None and str(answer.get("code")) in UNKNOWN_ORDER:
        data = []
    if not isinstance(data, list):
        raise InconclusiveLookupError("the response to the lookup does not list orders")
    # An unreadable row must not count as "not found": the order would be sent again.
    if not all(isinstance(row, Mapping) and row.get("orderId") for row in data):
        raise InconclusiveLookupError("the response to the lookup lists something that is not an order")
    for row in data if name else ():
        _check_id(row, name, requested)
    return data


def _listed(data: Any) -> Any:
    """Return the rows inside the data of an envelope; what is neither a list nor a mapping is returned as it is."""
    if not isinstance(data, Mapping):
        return data
    # Lists are inside `entrustedList` (V2) or `list` (V3), null if there is none; one order is the data itself.
    inner = data.get("entrustedList", data.get("list", data))
    if inner is None:
        return []
    return inner if isinstance(inner, list) else [inner]


def _check_id(row: Mapping[str, Any], name: str, requested: Any) -> None:
    # A row without the id that was asked for may be any order.
    if str(row.get(name)) != str(requested):
        error = InconclusiveLookupError if row.get(name) in (None, "") else OtherOrderError
        asked = f"the lookup asked for the order with {name} {requested}"
        raise error(f"{asked}, and the response names {row.get(name)}")


def check_symbol(params: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """Check that an order belongs to the symbol of the request, where both name one.

    Raises:
        OtherOrderError: it is an order of another symbol.
    """
    wanted, actual = params.get("symbol"), row.get("symbol")
    if wanted and actual and _text(params, "symbol") != _text(row, "symbol"):
        raise OtherOrderError(f"the lookup asked for an order of {wanted}, and the response names {actual}")


def newest(params: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the row to compare with a write, of those under its client id.

    Bitget frees a client id when its order ends, so an earlier order may have had the same one.
    """
    return max(rows, key=lambda row: (_same_fields(params, row), unix_seconds(row.get("cTime")) or 0.0))


def found_order(params: Mapping[str, Any], row: Mapping[str, Any], server_time: float | None) -> Found:
    """Return the answer for an order that was found; `matches` says whether it has the requested fields."""
    return Found(row, unix_seconds(row.get("cTime")), _same_fields(params, row), server_time)


def status_of(row: Mapping[str, Any]) -> Any:
    """Return an order's status; futures call it `state`, unified accounts `orderStatus`."""
    return row.get("status") or row.get("state") or row.get("orderStatus")


def unix_seconds(milliseconds: Any) -> float | None:
    """Return a time in milliseconds, a number or a string, as Unix seconds; None if it is neither."""
    try:
        return int(milliseconds) / 1000
    except (TypeError, ValueError, OverflowError):
        return None


def _same_fields(params: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Return True if the order has the requested fields.

    A number that only one side has is not compared; a text that was requested must be there and equal.
    """
    texts_match = all(_text(params, name) == _text(row, name) for name in _TEXT_FIELDS if params.get(name))
    return texts_match and _same_numbers(params, row)


def _same_numbers(params: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Compare numbers as decimals: Bitget reports a size of "1" as "1.0000"."""
    pairs = [(params.get(name), row.get(name)) for name in _NUMBER_FIELDS]
    return all(_number(wanted) == _number(actual) for wanted, actual in pairs if wanted and actual)


def _text(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name)).lower()


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
