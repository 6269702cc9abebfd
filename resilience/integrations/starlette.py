"""Answers for web services made with Starlette or FastAPI: a health endpoint, and 503 for calls that were rejected.

For services of users; nothing of the library needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import ceil, isfinite
from typing import Any

from .._entry.configured import configured_policies
from .._entry.policies import Policies
from ._missing_library import name_extra

with name_extra(__name__, library="starlette", extra="starlette"):
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

__all__ = ["answer_rejected", "health_route"]

_UNCACHED = {"Cache-Control": "no-store"}


def health_route(path: str = "/health", *, policies: Policies | None = None, needed: Iterable[str] = ()) -> Route:
    """Return a route that answers 200 while the policies that matter send calls, and 503 while one does not.

    A policy does not send while it is isolated, or while one of its breakers is open. A breaker that is half-open, or
    whose open time is over, counts as sending: it needs calls to close, and a load balancer that reads this route must
    not keep them away. Writes in doubt are counted in the body but do not make the answer 503, because a restart does
    not settle them.

    Args:
        path: the URL path of the route.
        policies: the policies; by default those that are configured at the time of each request.
        needed: the names of the policies that matter; by default all.

    Raises:
        PolicyError: a name in `needed` is not in `policies`.
        TypeError: `needed` is a single string.

    Example:
        >>> from starlette.applications import Starlette
        >>> app = Starlette(routes=[health_route("/health", needed=["bitget"])])
    """
    if isinstance(needed, str):  # each letter of it would be a name
        raise TypeError(f"needed takes a list of names, such as [{needed!r}]")
    names = tuple(needed)
    if policies is not None:
        _check_names(policies, names)

    def health(_request: Request) -> Response:  # a plain function: it runs beside the event loop
        current = configured_policies() if policies is None else policies
        _check_names(current, names)
        snapshot = current.snapshot()
        states = _states(snapshot, names)
        wait_for = _seconds_closed(snapshot, states)
        healthy = all(state == "ok" for state in states.values())
        body = {"healthy": healthy, "policies": states, "writes_in_doubt": len(snapshot["writes_in_doubt"])}
        return JSONResponse(body, 200 if healthy else 503, _UNCACHED | _retry_after(wait_for))

    return Route(path, health, methods=["GET"])


async def answer_rejected(_request: Request, error: Exception) -> Response:
    """Answer 503 for a `RejectedError`, which sent nothing, with `Retry-After` in whole seconds if that is known.

    Register it as an exception handler. The body contains `RejectedError.reason`, and no name of yours or of the API.

    Example:
        >>> from starlette.applications import Starlette
        >>> from resilience import RejectedError
        >>> app = Starlette(exception_handlers={RejectedError: answer_rejected})
    """
    body = {"detail": "temporarily unavailable, nothing was sent", "reason": getattr(error, "reason", "")}
    return JSONResponse(body, 503, _UNCACHED | _retry_after(getattr(error, "retry_after", None)))


def _check_names(policies: Policies, names: Iterable[str]) -> None:
    for name in names:
        policies.policy(name)


def _states(snapshot: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """Return `ok`, `open` or `isolated` for each policy that matters."""
    closed = {row["policy"] for row in _closed_ways(snapshot)}
    states = {}
    for row in snapshot["policies"]:
        name = row["name"]
        if name in names or not names:
            states[name] = "isolated" if row["isolated"] else "open" if name in closed else "ok"
    return states


def _closed_ways(snapshot: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the breakers that reject every call now."""
    for row in snapshot["breakers"]:
        # A trial is due where there is no `open_until`.
        is_open = row["state"] == "open" and row["open_until"] is not None
        if not row["shadow"] and (is_open or row["state"] == "isolated"):
            yield row


def _seconds_closed(snapshot: Mapping[str, Any], states: Mapping[str, str]) -> float | None:
    """Return the seconds until all policies that matter may send again; None if that is unknown."""
    if "isolated" in states.values():
        return None
    ends = [row["open_until"] for row in _closed_ways(snapshot) if row["policy"] in states]
    return None if None in ends or not ends else max(ends) - snapshot["at"]


def _retry_after(seconds: float | None) -> dict[str, str]:
    # Rounded up: who came back a moment too early would be rejected again.
    known = seconds is not None and isfinite(seconds) and seconds >= 0
    return {"Retry-After": str(max(1, ceil(seconds or 0.0)))} if known else {}
