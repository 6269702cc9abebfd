"""Builds the bytes of the 24 kinds of answers that a gateway gives after it has, or has not, passed an order on.

18 kinds are statuses; the number of the order chooses the body and the headers. Six are other faults: bodies that are
cut, connections that are reset, another order's answer, a 1xx before the answer, redirects, and a 2xx without an order.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from typing import Any, NamedTuple

__all__ = ["BARE_4XX", "GROUPS", "KINDS", "RESENT_BY_HTTP", "Wire", "answer", "is_bare", "is_readable", "message"]

STATUSES = (
    "400", "401", "403", "404", "408", "409", "418", "421", "425", "429", "444", "460", "499", "500", "502", "503",
    "504", "520",
)  # fmt: skip
KINDS = (*STATUSES, "cut", "reset", "crossed", "early hints", "redirect", "no order")
RESENT_BY_HTTP = frozenset({"418", "421", "425", "429"})
"""The statuses after which a write is sent again without a reconciler, by the word of HTTP."""
BARE_4XX = frozenset({"400", "401", "403", "404"})
"""The statuses that mean "not executed" without a reconciler, by the word of HTTP."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "4xx, fatal": tuple(sorted(BARE_4XX)),
    "4xx, sent again": tuple(sorted(RESENT_BY_HTTP)),
    "4xx, no proof": ("408", "409", "444", "460", "499"),
    "5xx": ("500", "502", "503", "504", "520"),
    "broken answer": ("cut", "reset", "early hints"),
    "wrong answer": ("crossed", "redirect", "no order"),
}
_BODIES = 10  # variants of the body of a status
_PAGE = b"<html><body>The request could not be processed.</body></html>"


class Wire(NamedTuple):
    """What is written to a connection, and what happens to it then: keep, close or reset."""

    data: bytes
    then: str = "keep"


def message(status: int, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    """Return an HTTP/1.1 response; an underscore in the name of a header stands for a hyphen."""
    fields = {"Content-Type": kind, "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(kind: str, number: int, success: bytes, other: bytes, idless: bytes, target: str) -> Wire:
    """Return the answer of this kind.

    Args:
        kind: one of `KINDS`.
        number: the number of the order; it chooses the variant.
        success: the body that the API gives for this order.
        other: the body that the API gave for another order.
        idless: the body of a success without an order in it.
        target: the path and query of the request, where a redirect leads.
    """
    if kind in STATUSES:
        return _status(int(kind), number)
    return _FAULTS[kind](number, success, other, idless, target)


def is_readable(kind: str, number: int) -> bool:
    """Return whether the answer is the exchange's own success, so that the order must have been passed on."""
    return kind == "early hints" and number % 3 != 2


def is_bare(kind: str, number: int) -> bool:
    """Return whether the answer is a status without any code in its body."""
    return kind in STATUSES and number % _BODIES in (0, 1, 6, 9)


def _status(status: int, number: int) -> Wire:
    wait = _hold(number)
    return _choose(
        number,
        lambda: Wire(message(status, _PAGE, "text/html", **wait)),
        lambda: Wire(message(status, _json({"error": "not processed"}), **wait)),
        lambda: Wire(message(status, _json({"code": 429 if status != 429 else 400, "msg": "busy"}), **wait)),
        lambda: Wire(message(status, _json({"code": -1000, "msg": "unknown error"}), **wait)),
        lambda: Wire(message(status, _json({"code": 14, "message": "unavailable"}), **wait)),
        lambda: Wire(message(status, _json({"code": str(status), "msg": "of the gateway"}), **wait)),
        lambda: Wire(message(status, b"", "text/plain", **wait)),
        lambda: Wire(message(status, _json({"error": {"code": 429, "message": "busy"}}), **wait)),
        lambda: Wire(message(status, _json({"retCode": 10006, "retMsg": "busy", "result": {}}), **wait)),
        lambda: Wire(message(status, b"429 Too Many Requests", "text/plain", **wait)),
    )


def _hold(number: int) -> dict[str, str]:
    """Return the header that asks for a wait of a second: none, in seconds, none, or as a date."""
    part = number // _BODIES % 4
    if part in (0, 2):
        return {}
    return {"Retry_After": "1" if part == 1 else formatdate(time.time() + 1, usegmt=True)}


def _cut(number: int, success: bytes, *_: Any) -> Wire:
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _choose(
        number,
        lambda: Wire(message(200, gzip.compress(success)[:-20], Content_Encoding="gzip")),
        lambda: Wire(message(200, success, Content_Length=str(len(success) + 20)), "close"),
        lambda: Wire(message(200, success, Content_Length=str(len(success) - 9))),  # the rest stays on the connection
        lambda: Wire(chunked + b"%x\r\n%s" % (len(success), success[:-9]), "close"),
    )


def _reset(number: int, success: bytes, *_: Any) -> Wire:
    whole = message(200, success)
    return _choose(
        number,
        lambda: Wire(whole[: -len(success) // 2], "reset"),
        lambda: Wire(whole[:20], "reset"),
        lambda: Wire(b"", "reset"),
        lambda: Wire(b"", "close"),
    )


def _crossed(number: int, _success: bytes, other: bytes, *_: Any) -> Wire:
    return _choose(
        number,
        lambda: Wire(message(200, other)),
        lambda: Wire(message(201, other)),
        lambda: Wire(message(200, _json({"orders": [json.loads(other)], "time": time.time()}))),  # that of a lookup
        lambda: Wire(message(200, _json({"bid": "50000", "ask": "50001"}))),
    )


def _early_hints(number: int, success: bytes, *_: Any) -> Wire:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    page = message(502, _PAGE, "text/html")
    return _choose(
        number,
        lambda: Wire(hint + message(200, success)),
        lambda: Wire(b"HTTP/1.1 102 Processing\r\n\r\n" + hint + message(200, success)),
        lambda: Wire(hint + page),
    )


def _redirect(number: int, _success: bytes, _other: bytes, _idless: bytes, target: str) -> Wire:
    statuses = (301, 302, 303, 307, 308)
    where = {} if number % 2 else {"Location": target}
    return Wire(message(statuses[number // 2 % len(statuses)], b"", "text/html", **where))


def _no_order(number: int, success: bytes, _other: bytes, idless: bytes, _target: str) -> Wire:
    return _choose(
        number,
        lambda: Wire(message(200, b"")),
        lambda: Wire(message(200, _PAGE, "text/html")),
        lambda: Wire(b"HTTP/1.1 204 No Content\r\n\r\n"),
        lambda: Wire(message(200, idless)),
        lambda: Wire(message(200, b"null")),
        lambda: Wire(message(202, b"{}")),
        lambda: Wire(message(200, b"[]")),
        lambda: Wire(message(200, _json({"code": "429", "msg": "busy"}))),
        lambda: Wire(message(200, _json({"orderId": None, "clientOrderId": None}))),
        lambda: Wire(message(200, success[:-4])),
    )


_FAULTS: Mapping[str, Callable[..., Wire]] = {
    "cut": _cut,
    "reset": _reset,
    "crossed": _crossed,
    "early hints": _early_hints,
    "redirect": _redirect,
    "no order": _no_order,
}


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _choose(number: int, *variants: Callable[[], Wire]) -> Wire:
    chosen: Sequence[Callable[[], Wire]] = variants
    return chosen[number % len(chosen)]()
