"""The desk that every request passes: it is checked, meets its fault, and is carried out.

Routes say what an endpoint does; whether that happens, when, and what the client hears of it is
decided here alone, so that every write of every market meets the same faults.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .answers import DROP, HANG, Reply, Tell, broken, envelope, refusal
from .book import RefusedError
from .faults import QUERY, WRITE, draw, share

if TYPE_CHECKING:
    from .exchange import Exchange
    from .server import Sandbox

__all__ = ["Endpoint", "Request", "Turn", "answer", "key_of"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was read; the names of its headers are in lower case."""

    method: str
    path: str
    query: str
    body: str
    params: dict[str, Any]
    headers: Mapping[str, str]


def key_of(request: Request) -> str:
    """Return the id by which an order is named: the client's, else the exchange's."""
    return str(request.params.get("clientOid") or request.params.get("orderId") or "")


class Turn(NamedTuple):
    """What an endpoint has to carry a request out: `now` is the exchange's, `lag` how long the change stays unseen."""

    sandbox: Sandbox
    request: Request
    now: float
    lag: float = 0.0

    @property
    def exchange(self) -> Exchange:
        """The exchange's truth."""
        return self.sandbox.exchange

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the request."""
        return self.request.params


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What one endpoint does.

    Attributes:
        act: carries the request out and returns the data of the answer.
        kind: what is counted and which faults it meets: `open` (public), `read`, `query` (of one order),
            `place` or `cancel`.
        key: the id by which its faults are drawn.
        good: HTTP status of success.
    """

    act: Callable[[Turn], Any]
    kind: str = "read"
    key: Callable[[Request], str] = key_of
    tell: Tell = envelope
    good: int = 200


def answer(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Reply:
    """Return what the client hears.

    Raises:
        RefusedError: the request is refused.
    """
    if endpoint.kind == "open":
        return _good(endpoint, endpoint.act(Turn(sandbox, request, sandbox.now())), sandbox.now())
    if endpoint.kind in ("read", "query"):
        return _read(sandbox, endpoint, request)
    return _write(sandbox, endpoint, request)


def _read(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Reply:
    if endpoint.kind == "query":
        asked = endpoint.key(request)
        if draw(sandbox.seed, QUERY, asked, sandbox.attempt("query", asked), sandbox.rates):
            return DROP
    now = sandbox.now()
    left = _enter(sandbox, request, now)
    return _good(endpoint, endpoint.act(Turn(sandbox, request, now)), now, left)


def _write(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Reply:
    """Carry a write out, or let the fault happen that was drawn for it."""
    key = endpoint.key(request)
    name = f"cancel:{key}" if endpoint.kind == "cancel" else key
    attempt = sandbox.attempt(endpoint.kind, key)
    fault = draw(sandbox.seed, WRITE, name, attempt, sandbox.rates) or ""
    if fault == "accept_late":
        _accept_late(sandbox, endpoint, request, (name, attempt))
    if fault in ("accept_late", "lose"):
        return HANG
    now = sandbox.now()
    left = _enter(sandbox, request, now)
    refused = refusal(fault, now, endpoint.tell)
    if refused is not None:
        return refused
    lag = sandbox.lag * share(sandbox.seed, "lag", name, attempt) if fault == "lag" else 0.0
    good = _good(endpoint, endpoint.act(Turn(sandbox, request, now, lag)), now, left)
    return broken(fault, good, now, endpoint.tell) if fault else good


def _accept_late(sandbox: Sandbox, endpoint: Endpoint, request: Request, drawn: tuple[str, int]) -> None:
    """Deliver the request late in its window, and accept it within P after the stamp was checked."""
    late = sandbox.window * (0.5 + 0.45 * share(sandbox.seed, "late", *drawn))
    work = sandbox.processing * share(sandbox.seed, "work", *drawn)

    def deliver() -> None:
        try:
            time.sleep(late)
            _enter(sandbox, request, sandbox.now())
            time.sleep(work * 0.9)
            endpoint.act(Turn(sandbox, request, sandbox.now()))
        except RefusedError:
            pass  # too late: nobody is there to be told
        finally:
            sandbox.under_way(-1)

    sandbox.under_way(+1)
    threading.Thread(target=deliver, daemon=True).start()


def _enter(sandbox: Sandbox, request: Request, now: float) -> int:
    sandbox.gate.check(request.method, request.path, request.query, request.body, request.headers, now)
    sandbox.gate.check_window(request.params, now)
    return sandbox.gate.spend(request.path, now)


def _good(endpoint: Endpoint, data: Any, now: float, left: int | None = None) -> Reply:
    return endpoint.tell("00000", "success", data, now, endpoint.good)._replace(left=left)
