"""Reads the orders in the answer to a query, and compares them with what was requested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from .._core.call.lookup_answer import InconclusiveLookupError, OtherOrderError
from .answer_sections import AnswerSettings
from .order_sections import OrderSettings, QuerySettings

__all__ = [
    "Row",
    "Same",
    "check_envelope",
    "check_market",
    "filled",
    "newest",
    "newest_of",
    "rows_in",
    "same_fields",
    "status_of",
    "unix_seconds",
    "value_at",
]

Row = Mapping[str, Any]
Same = Callable[[Mapping[str, Any], Row], bool]
"""Whether an order has the requested fields."""


def value_at(body: Any, path: str) -> Any:
    """Return what is at a dotted path of a body, or None; a path that meets a list goes into its first item."""
    for key in filter(None, path.split(".")):
        if isinstance(body, list) and body:
            body = body[0]
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def check_envelope(answer: AnswerSettings, body: Any) -> None:
    """Check that an answer is one of the venue's own that says success.

    Raises:
        InconclusiveLookupError: it is not, and so answers nothing.
    """
    code = value_at(body, answer.code) if answer.code and isinstance(body, Mapping) else None
    # Where an answer has a code only if it failed, its absence is success.
    needs_code = bool(answer.order)
    if (code is None and not needs_code) or str(code) in answer.success:
        return
    raise InconclusiveLookupError(f"the answer to the lookup has the code {code}")


def rows_in(
    order: OrderSettings, body: Any, query: QuerySettings, *, name: str, value: Any, filtered: bool
) -> list[Row]:
    """Return the orders in the answer to a query.

    Args:
        order: the kind of order.
        body: the answer.
        query: the query, which says where its orders are.
        name: the field of the id.
        value: the id.
        filtered: the venue was asked for this id alone, so that another one is an error.

    Raises:
        InconclusiveLookupError: the answer lists something that is not an order.
        OtherOrderError: it is about another order.
    """
    found = value_at(body, query.rows) if query.rows else body
    if found is None and query.null_is_empty and isinstance(value_at(body, query.rows.rpartition(".")[0]), Mapping):
        return []
    rows = [found] if isinstance(found, Mapping) else found
    if not isinstance(rows, list):
        raise InconclusiveLookupError("the answer to the lookup lists no orders")
    # An unreadable row must not count as "not found": the order would be sent again.
    if not all(isinstance(row, Mapping) and filled(row.get(order.row.id)) for row in rows):
        raise InconclusiveLookupError("the answer to the lookup lists something that is not an order")
    if filtered:
        for row in rows:
            _check_id(row, name, value)
    return rows


def _check_id(row: Row, name: str, value: Any) -> None:
    # A row without the id that was asked for may be any order.
    if str(row.get(name)) != str(value):
        error = OtherOrderError if filled(row.get(name)) else InconclusiveLookupError
        raise error(f"the lookup asked for the order with {name} {value}, and the answer names {row.get(name)}")


def status_of(order: OrderSettings, row: Row) -> str:
    """Return the status of an order; `a|b` in the venue's data names the field of either answer."""
    return next((str(row[name]) for name in order.row.status.split("|") if filled(row.get(name))), "")


def check_market(order: OrderSettings, params: Mapping[str, Any], row: Row) -> None:
    """Check that an order is one of the market that a write names, where both name one.

    Raises:
        OtherOrderError: it is one of another market.
    """
    if not _in_market(order, params, row):
        name = order.row.market
        raise OtherOrderError(f"the lookup asked for an order of {params[name]}, and the answer names {row[name]}")


def _in_market(order: OrderSettings, params: Mapping[str, Any], row: Row) -> bool:
    wanted, actual = params.get(order.row.market), row.get(order.row.market)
    return not (filled(wanted) and filled(actual)) or str(wanted).casefold() == str(actual).casefold()


def newest_of(order: OrderSettings, params: Mapping[str, Any], rows: Sequence[Row]) -> Row:
    """Return the order that a write changes: an order that has ended frees its client id for another."""
    return newest(order, params, rows, partial(_in_market, order))


def newest(order: OrderSettings, params: Mapping[str, Any], rows: Sequence[Row], same: Same) -> Row:
    """Return the row to compare with a write; an earlier order may have had the same client id."""
    return max(rows, key=lambda row: (same(params, row), unix_seconds(row.get(order.row.created)) or 0.0))


def same_fields(compare: Mapping[str, str], params: Mapping[str, Any], row: Row) -> bool:
    """Return whether an order has the requested fields.

    A number that only one side has is not compared; a text that was requested must be there and equal.
    """
    return all(_agrees(params[name], row.get(field)) for name, field in compare.items() if filled(params.get(name)))


def _agrees(wanted: Any, actual: Any) -> bool:
    number = _number(wanted)
    if number is None:
        return str(wanted).casefold() == str(actual).casefold()
    # Venues report a size of "1" as "1.0000".
    return not filled(actual) or number == _number(actual)


def filled(value: Any) -> bool:
    """Return whether an answer gives a value; zero is one."""
    return value is not None and value != ""


def unix_seconds(milliseconds: Any) -> float | None:
    """Return Unix seconds of a time in milliseconds, a number or a string; None if it is neither."""
    try:
        return int(milliseconds) / 1000
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
