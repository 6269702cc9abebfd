"""The desk that every request passes: it is checked, meets its fault, and is carried out.

Routes say what an endpoint does; whether that happens, when, and what the client hears of it is
decided here alone, so that every write of every market meets the same faults.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from .answers import DROP, HANG, Reply, broken, refusal
from .book import RefusedError
from .endpoint import Endpoint, Request, Turn
from .faults import QUERY, WRITE, draw, share

if TYPE_CHECKING:
    from .server import Sandbox

__all__ = ["answer"]


def answer(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Reply:
    """Return what the client hears.

    Raises:
        RefusedError: the request is refused.
    """
    if endpoint.kind == "open":
        return endpoint.success(endpoint.act(Turn(sandbox, request, sandbox.now())), sandbox.now())
    if endpoint.kind in ("read", "query"):
        return _read(sandbox, endpoint, request)
    return _write(sandbox, endpoint, request)


def _read(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Reply:
    if endpoint.kind == "query":
        asked = endpoint.key(request)
        if draw(sandbox.seed, QUERY, asked, sandbox.attempt("query", asked), sandbox.rates):
            return DROP
    now = sandbox.now()
    left = endpoint.enter(sandbox, request, now)
    return endpoint.success(endpoint.act(Turn(sandbox, request, now)), now, left)


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
    left = endpoint.enter(sandbox, request, now)
    refused = refusal(fault, now, endpoint.tell)
    if refused is not None:
        return refused
    lag = sandbox.lag * share(sandbox.seed, "lag", name, attempt) if fault == "lag" else 0.0
    good = endpoint.success(endpoint.act(Turn(sandbox, request, now, lag)), now, left)
    return broken(fault, good, now, endpoint.tell) if fault else good


def _accept_late(sandbox: Sandbox, endpoint: Endpoint, request: Request, drawn: tuple[str, int]) -> None:
    """Deliver the request late in its window, and accept it within P after the stamp was checked."""
    received = time.monotonic()
    late = sandbox.window * (0.5 + 0.45 * share(sandbox.seed, "late", *drawn))
    work = sandbox.processing * share(sandbox.seed, "work", *drawn)

    def deliver() -> None:
        try:
            time.sleep(late)
            endpoint.enter(sandbox, request, sandbox.now())
            checked = time.monotonic()
            time.sleep(work * 0.9)
            if not endpoint.signed and checked - received > sandbox.window:
                return  # no stamp tells it, so the time since it came does
            if time.monotonic() - checked > sandbox.processing:
                return  # a busy machine must not break the bound
            endpoint.act(Turn(sandbox, request, sandbox.now()))
        except RefusedError:
            pass  # too late: nobody is there to be told
        finally:
            sandbox.under_way(-1)

    sandbox.under_way(+1)
    threading.Thread(target=deliver, daemon=True).start()
