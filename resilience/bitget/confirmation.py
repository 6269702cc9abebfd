"""Compares the success of a write with its request, because it may be the success of another one.

A gateway may deliver the answer of another request: from its cache, or over a connection that is one answer behind.
So a success counts only if it has the order's id, and if the ids that it repeats are those of the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .operations import Operation

__all__ = ["find_problem", "names_other_order"]


def find_problem(operation: Operation | None, params: Mapping[str, Any], data: Any) -> str | None:
    """Return why a success does not confirm the request, or None if it does.

    Args:
        operation: the endpoint, or None for one without a row.
        params: the parameters that were sent.
        data: the `data` of the envelope.
    """
    fields: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    if isinstance(params.get("orderList"), (list, tuple)):
        return _batch_problem(operation, params["orderList"], fields)
    needs = () if operation is None else operation.needs
    if needs and not any(fields.get(name) for name in needs):
        return f"a success without {' or '.join(needs)}"
    if names_other_order(operation, params, fields):
        return "a success of another order"
    # Only our own id can stand in for the order's id, and only where Bitget leaves that out.
    if operation is not None and operation.key and needs and not fields.get("orderId"):
        is_ours = _same(fields.get("clientOid"), params.get(operation.key))
        return None if is_ours and operation.may_lack_order_id(params) else "a success without orderId"
    return None


def names_other_order(operation: Operation | None, params: Mapping[str, Any], ids: Mapping[str, Any]) -> bool:
    """Return whether an answer repeats an id that the request did not have. An id that is missing proves nothing."""
    key = None if operation is None else operation.key
    if key is not None:
        return _differs(ids.get("clientOid"), params.get(key))
    # A cancel names its order by either id, and Bitget prefers the order id. An endpoint without a row may change an
    # order, and then returns the new client id.
    if params.get("orderId"):
        return operation is not None and _differs(ids.get("orderId"), params["orderId"])
    sent = [params[name] for name in ("clientOid", "newClientOid") if params.get(name)]
    return bool(sent) and all(_differs(ids.get("clientOid"), client_id) for client_id in sent)


def _mappings(rows: Iterable[object]) -> list[Mapping[str, Any]]:
    return [row for row in rows if isinstance(row, Mapping)]


def _client_ids(orders: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(order["clientOid"]) for order in orders if order.get("clientOid")}


def _confirms(placed: Sequence[Mapping[str, Any]], count: int) -> bool:
    """Return whether so many orders have an order id."""
    return len(placed) >= count and all(row.get("orderId") for row in placed)


def _batch_problem(operation: Operation | None, orders: Any, fields: Mapping[str, Any]) -> str | None:
    """Return why a batch does not confirm all of its orders; the orders that failed were reported before."""
    rows = fields.get("successList")
    placed = _mappings(rows) if isinstance(rows, list) else []
    sent, returned = _client_ids(_mappings(orders)), _client_ids(placed)
    # Orders without a client id of ours get one from Bitget, which cannot be compared.
    if len(sent) == len(orders) and not returned <= sent:
        return "a success of other orders"
    if operation is not None and not _confirms(placed, len(orders)):
        return "a success that does not confirm every order"
    return None


def _differs(received: Any, sent: Any) -> bool:
    return received not in (None, "") and sent not in (None, "") and str(received) != str(sent)


def _same(received: Any, sent: Any) -> bool:
    return received not in (None, "") and str(received) == str(sent)
