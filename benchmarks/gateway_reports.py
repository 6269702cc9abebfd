"""Says what a client reported of an order, and compares that with what the exchange executed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from resilience import failure_of

from .gateway_kinds import BARE_4XX, RESENT_BY_HTTP, is_bare
from .gateway_orders import number_of

__all__ = ["COLUMNS", "Answer", "count", "is_wrong", "report_of"]

COLUMNS = ("duplicates", "lost", "misreported", "foreign", "vague", "unknown", "done", "no")
"""The figures of a row.

`foreign` were returned as a success without being this order's answer; `vague` are 400, 401, 403 and 404 without a code
in the body that were not reported as `no` although there is no reconciler.
"""
_IDS = ("orderId", "id")
_KEYS = ("clientOrderId", "clientOid")


class Answer(NamedTuple):
    """A response that a client returned: the object, its status, and its body."""

    response: Any
    status: int
    body: bytes


def report_of(outcome: Any, key: str) -> str:
    """Return `done`, `no`, `unknown` or `foreign` for what a client returned or raised."""
    if isinstance(outcome, BaseException):
        return _failed(outcome)
    if isinstance(outcome, Answer):
        order = _parse(outcome.body)
        if outcome.status >= 400:
            return _failed(outcome.response)
        if not _is_order(order, key) and failure_of(outcome.response).operation is not None:
            return _failed(outcome.response)  # a pipeline has recorded that this is no success
        outcome = order
    return "done" if _is_order(outcome, key) else "foreign"


def _failed(outcome: Any) -> str:
    return "unknown" if failure_of(outcome).executed == "maybe" else "no"


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_order(order: Any, key: str) -> bool:
    if not isinstance(order, Mapping) or not any(order.get(name) for name in _IDS):
        return False
    return any(order.get(name) == key for name in _KEYS)


def count(kind: str, reports: Mapping[str, str], executions: Mapping[str, int], *, reconciled: bool) -> Counter[str]:
    """Return the figures of the orders of one kind.

    Without a reconciler the word of HTTP counts: a second execution after 418, 421, 425 or 429 is no duplicate, and a
    `no` after a bare 4xx is no false report.
    """
    figures: Counter[str] = Counter()
    for key, report in reports.items():
        times = executions.get(key, 0)
        by_http = not reconciled and kind in RESENT_BY_HTTP | BARE_4XX
        figures["duplicates"] += times > 1 and not (not reconciled and kind in RESENT_BY_HTTP)
        figures["lost"] += report == "done" and times == 0
        figures["misreported"] += (report == "done" and times == 0) or (report == "no" and times > 0 and not by_http)
        bare = kind in BARE_4XX and is_bare(kind, number_of(key))
        figures["vague"] += not reconciled and bare and report != "no"
        figures[report] += 1
    return figures


def is_wrong(figures: Mapping[str, int], *, reconciled: bool) -> bool:
    """Return whether a row shows a fault."""
    names = ("duplicates", "lost", "misreported", *(("foreign",) if reconciled else ("vague",)))
    return any(figures.get(name) for name in names)
