"""Runs an order lookup through any client, sync or async.

A lookup is a generator without I/O. It yields a query, is sent the envelope of the response, and returns `Found` with
the order as Bitget reports it, or `NOT_FOUND` with the server's own time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, NamedTuple, Self

from .._core.base.routine import Invocation, Routine
from .._core.call.lookup_answer import Found, InconclusiveLookupError, NotFound
from .._core.classify.evidence import gather_evidence
from .._drivers.routine_runner import run_routine, run_routine_async
from .lookup_rows import UNKNOWN_ORDER

__all__ = ["LookupQuery", "LookupRequest", "OrderLookup", "lookup_routine", "run_lookup", "run_lookup_async"]


class LookupQuery(NamedTuple):
    """A GET request to send."""

    path: str
    params: dict[str, Any]


class LookupRequest(NamedTuple):
    """What is known of the write: its parameters, its key, and the stamp of its first attempt in Unix seconds."""

    params: Mapping[str, Any]
    key: str | None
    sent_at: float | None = None

    @classmethod
    def of_call(cls, call: Any) -> Self:
        """Return the request for a call, whether its parameters are keywords or a mapping."""
        params = call.kwargs.get("params", call.args[1] if len(call.args) > 1 else None)
        return cls(params if isinstance(params, Mapping) else call.kwargs, call.key, call.sent_at)


OrderLookup = Generator[LookupQuery, Mapping[str, Any], Found | NotFound]
"""A lookup under way."""


def lookup_routine(lookup: OrderLookup, ask: Callable[[str, dict[str, Any]], Any]) -> Routine[Found | NotFound]:
    """Run a lookup through a client's `ask(path, params) -> envelope`, sync or async.

    Raises:
        Exception: a query failed with an error that does not answer it.
        InconclusiveLookupError: a response answers nothing.
    """
    query = next(lookup)
    while True:
        try:
            answer = yield Invocation(ask, query)
        except Exception as error:
            answer = _envelope_of_unknown_order(error)
        try:
            query = lookup.send(_checked(answer))
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # typed by OrderLookup


def run_lookup(lookup: OrderLookup, ask: Callable[[str, dict[str, Any]], Any]) -> Found | NotFound:
    """Run a lookup through a client that blocks; errors as for `lookup_routine`."""
    return run_routine(lookup_routine(lookup, ask))


async def run_lookup_async(
    lookup: OrderLookup, ask: Callable[[str, dict[str, Any]], Awaitable[Any]]
) -> Found | NotFound:
    """Run a lookup through an async client; errors as for `lookup_routine`."""
    return await run_routine_async(lookup_routine(lookup, ask))


def _checked(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise InconclusiveLookupError(f"the response to the lookup is a {type(answer).__name__}, not an envelope")
    return answer


def _envelope_of_unknown_order(error: Exception) -> Mapping[str, Any]:
    """Return the envelope in an error that says the order is unknown; raise every other error again."""
    evidence = gather_evidence(error, ("code",))
    if evidence.body is None or evidence.code not in UNKNOWN_ORDER:
        raise error
    return evidence.body
