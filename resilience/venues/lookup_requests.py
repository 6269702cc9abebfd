"""Runs an order lookup through any client, sync or async: `request(endpoint, params) -> answer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.base.routine import Invocation, Routine
from .._core.call.lookup_answer import Found, NotFound
from .._core.classify.evidence import gather_evidence
from .order_lookup import OrderLookup
from .order_queries import OrderQuery, UnknownOrder

__all__ = ["lookup_routine"]


def lookup_routine(
    lookup: OrderLookup, request: Callable[[str, dict[str, Any]], Any], code: str
) -> Routine[Found | NotFound]:
    """Run a lookup.

    Args:
        lookup: the lookup.
        request: sends a query; async where the client is.
        code: the path of the code in the bodies of errors.

    Raises:
        Exception: a query failed with an error that does not answer it, or an answer says nothing.
    """
    query = next(lookup)
    while True:
        try:
            answer = yield Invocation(request, (query.endpoint, query.params))
        except Exception as error:
            answer = _unknown_order(query, error, code)
            if answer is None:
                raise
        try:
            query = lookup.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # typed by OrderLookup


def _unknown_order(query: OrderQuery, error: Exception, code: str) -> UnknownOrder | None:
    """Return what an error says, if it is the venue's own and says that it has no such order."""
    if not query.unknown:
        return None
    evidence = gather_evidence(error, (code or "code",))
    is_said = evidence.body is not None and evidence.code in query.unknown
    return UnknownOrder(evidence.body or {}) if is_said else None
