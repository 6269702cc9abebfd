"""Whether a write happened: the questions to ask Bitget, and what the answers mean.

A look is a generator without I/O: it yields a question, is sent the envelope of the answer, and
returns `Found` with the order as Bitget shows it, or `NOT_FOUND` with the server's own time. Every
client asks by its own means: `asked` and `aasked` look alike on purpose.

An unknown order is an empty list (spot) or an error code (mix); both are answers. Any other error
of a look is none: it goes on to the caller, for whom it means "ask again".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from .._core.call.reconcile import NOT_FOUND, Found, NotFound
from .._core.classify.evidence import gather_evidence

__all__ = [
    "MIX_INFO", "SPOT_INFO", "UTA_INFO", "Asked", "Look", "Question", "aasked", "asked", "cancelled", "mix_order",
    "replaced", "spot_order", "status_of", "uta_order",
]  # fmt: skip

SPOT_INFO = "/api/v2/spot/trade/orderInfo"
MIX_INFO = "/api/v2/mix/order/detail"
UTA_INFO = "/api/v3/trade/order-info"
_PAST = ("/api/v2/spot/trade/unfilled-orders", "/api/v2/spot/trade/history-orders")
_UNKNOWN = ("40109", "43001", "25204")
"""Codes that answer a query: the order is not known, or not visible yet."""
_BLIND_AFTER = 2 * 3600 - 300.0  # a spot query by client id finds nothing after two hours
_PAGE, _MOST_PAGES = 100, 20
_WORDS, _NUMBERS = ("symbol", "side", "orderType"), ("size", "price")
_CANCELLED = ("cancelled", "canceled")
_OVER = ("filled", *_CANCELLED)
_SETTLED = 5.0  # seconds after its cancel (P + L) past which the order that replaces one would be visible


class Question(NamedTuple):
    """A GET to make."""

    path: str
    params: dict[str, Any]


class Asked(NamedTuple):
    """What is known of the write: its parameters, its key, and the first stamp in Unix seconds."""

    params: Mapping[str, Any]
    key: str | None
    sent_at: float | None = None


Look = Generator[Question, Mapping[str, Any], Found | NotFound]


def asked(look: Look, ask: Callable[[str, dict[str, Any]], Any]) -> Found | NotFound:
    """Run a look through a client's blocking `ask(path, params) -> envelope`."""
    question = next(look)
    while True:
        try:
            answer = ask(*question)
        except Exception as error:
            answer = _unknown(error)
        try:
            question = look.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # a look returns nothing else


async def aasked(look: Look, ask: Callable[[str, dict[str, Any]], Awaitable[Any]]) -> Found | NotFound:
    """Run a look through a client's async `ask(path, params) -> envelope`."""
    question = next(look)
    while True:
        try:
            answer = await ask(*question)
        except Exception as error:
            answer = _unknown(error)
        try:
            question = look.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # a look returns nothing else


def spot_order(write: Asked) -> Look:
    """Look for a spot order by its client id; after two hours among the open and the past ones."""
    answer = yield Question(SPOT_INFO, {"clientOid": write.key})
    seen = _seconds(answer.get("requestTime"))
    rows = _rows(answer, "clientOid", write.key)
    if rows:
        return _found(write, rows[0], seen)
    if write.sent_at is not None and (seen is None or seen - write.sent_at > _BLIND_AFTER):
        return (yield from _past(write, seen))
    return NOT_FOUND(server_time=seen)


def mix_order(write: Asked) -> Look:
    """Look for a futures order by its client id."""
    answer = yield Question(MIX_INFO, {**_market(write.params), "clientOid": write.key})
    seen = _seconds(answer.get("requestTime"))
    rows = _rows(answer, "clientOid", write.key)
    return _found(write, rows[0], seen) if rows else NOT_FOUND(server_time=seen)


def uta_order(write: Asked) -> Look:
    """Look an order of a unified account up by its client id."""
    answer = yield Question(UTA_INFO, {"clientOid": write.key})
    seen = _seconds(answer.get("requestTime"))
    rows = _rows(answer, "clientOid", write.key)
    if not rows:
        return NOT_FOUND(server_time=seen)
    return _found(write._replace(params=_as_v2(write.params)), _as_v2(rows[0]), seen)


def _as_v2(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order of V3, asked for or shown, with what V2 calls by other names."""
    names = {"qty": "size", "createdTime": "cTime", "updatedTime": "uTime", "orderStatus": "status"}
    return {names.get(name, name): value for name, value in fields.items()}


def replaced(order: Callable[[Asked], Look], path: str) -> Callable[[Asked], Look]:
    """Return the look for an amendment that replaces an order: the new client id, the new size and price.

    Where the new order is not found, the old one, asked for at `path`, tells whether the amendment stopped halfway.
    """

    def look(write: Asked) -> Look:
        given = write.params
        fresh = {"size": given.get("newSize", given.get("size")), "price": given.get("newPrice", given.get("price"))}
        market = {name: given[name] for name in ("symbol", "productType", "marginCoin") if given.get(name)}
        answer = yield from order(Asked({**market, **fresh}, write.key, write.sent_at))
        return answer if isinstance(answer, Found) else (yield from _halfway(path, given, answer))

    return look


def _halfway(path: str, given: Mapping[str, Any], missing: NotFound) -> Look:
    """Judge a new order that is not found by the old one.

    As long as that lives, or is filled, nothing happened. Once it is cancelled the new one may still
    appear, and after that nobody can tell who cancelled it: not "not found", and not to be sent again.
    """
    name = "orderId" if given.get("orderId") else "clientOid"
    if not given.get(name):
        return missing
    market = _market(given) if path == MIX_INFO else {}
    answer = yield Question(path, {**market, name: given[name]})
    rows = _rows(answer, name, given[name])
    if not rows or status_of(rows[0]) not in _CANCELLED:
        return missing
    seen, over = _seconds(answer.get("requestTime")), _seconds(rows[0].get("uTime"))
    if seen is None or over is None or seen <= over + _SETTLED:
        raise LookupError("the old order is cancelled, and the new one is not visible yet")
    return Found(rows[0], matches=False, server_time=seen)


def cancelled(path: str) -> Callable[[Asked], Look]:
    """Return the look for a cancel: the order is over (canceled, or filled after all), or it still rests."""

    def look(write: Asked) -> Look:
        params = write.params
        name = "orderId" if params.get("orderId") else "clientOid"
        market = _market(params) if path == MIX_INFO else {}
        answer = yield Question(path, {**market, name: params.get(name)})
        rows = _rows(answer, name, params.get(name))
        if not rows:
            raise LookupError("the order to cancel is not visible")
        seen = _seconds(answer.get("requestTime"))
        return Found(rows[0], server_time=seen) if status_of(rows[0]) in _OVER else NOT_FOUND(server_time=seen)

    return look


def status_of(row: Mapping[str, Any]) -> Any:
    """Return an order's status; futures call it state, unified accounts orderStatus."""
    return row.get("status") or row.get("state") or row.get("orderStatus")


def _past(write: Asked, seen: float | None) -> Look:
    """Look through the open and the past orders since the first stamp, page by page."""
    since = {"startTime": str(int((write.sent_at or 0.0) * 1000) - 60_000), "limit": str(_PAGE)}
    symbol = {"symbol": write.params["symbol"]} if write.params.get("symbol") else {}
    for path in _PAST:
        page: dict[str, Any] = {**symbol, **since}
        for _ in range(_MOST_PAGES):
            answer = yield Question(path, page)
            rows = _rows(answer)
            for row in rows:
                if row.get("clientOid") == write.key:
                    return _found(write, row, seen)
            if len(rows) < _PAGE:
                break
            page = {**page, "idLessThan": rows[-1].get("orderId")}
        else:
            raise LookupError(f"more than {_PAGE * _MOST_PAGES} orders since: the look did not reach the end")
    return NOT_FOUND(server_time=seen)


def _unknown(error: Exception) -> Mapping[str, Any]:
    """Return the answer in an error that says that the order is not known; raise every other error on."""
    evidence = gather_evidence(error, ("code",))
    if evidence.body is None or evidence.code not in _UNKNOWN:
        raise error
    return evidence.body


def _rows(answer: Mapping[str, Any], name: str = "", asked_for: Any = None) -> list[Mapping[str, Any]]:
    """Return the orders in an answer; an unknown one is an empty list, no data, or a code.

    Args:
        answer: the envelope.
        name: the field by which one order was asked for, where it was one.
        asked_for: its value.

    Raises:
        LookupError: it holds something else, or somebody else's order: that answers nothing.
    """
    data = answer.get("data")
    if isinstance(data, Mapping):
        inner = data.get("entrustedList", data)
        data = [] if inner is None else inner if isinstance(inner, list) else [inner]
    if data is None and str(answer.get("code")) in _UNKNOWN:
        data = []
    if not isinstance(data, list):
        raise LookupError("the answer lists no orders")
    if not all(isinstance(row, Mapping) and row.get("orderId") for row in data):
        raise LookupError("the answer lists what is no order")  # something is there: that is not "not found"
    if any(name and row.get(name) and str(row[name]) != str(asked_for) for row in data):
        raise LookupError("the answer is about another order")
    return data


def _market(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: params[name] for name in ("symbol", "productType") if params.get(name)}


def _found(write: Asked, row: Mapping[str, Any], seen: float | None) -> Found:
    return Found(row, _seconds(row.get("cTime")), _same(write.params, row), seen)


def _same(params: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Tell whether the order found has the fields that were asked for."""
    words = all(_word(params, name) == _word(row, name) for name in _WORDS if params.get(name))
    pairs = [(params.get(name), row.get(name)) for name in _NUMBERS]
    return words and all(_number(wanted) == _number(got) for wanted, got in pairs if wanted and got)


def _word(fields: Mapping[str, Any], name: str) -> str:
    return str(fields.get(name)).lower()


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _seconds(milliseconds: Any) -> float | None:
    try:
        return int(milliseconds) / 1000
    except (TypeError, ValueError):
        return None
