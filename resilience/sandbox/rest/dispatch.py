"""The desk that every request passes: it is checked, meets its fault, and is carried out.

Routes say what an endpoint does; whether that happens, when, and what the client hears of it is
decided here alone, so that every write of every market meets the same faults.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ..exchange.faults import share
from .answers import DROP, HANG, Reply, broken, refusal
from .delayed import accept_late
from .endpoint import Endpoint, Request, Turn

if TYPE_CHECKING:
    from ..exchange.fault_picker import Met
    from ..server import Sandbox

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
    stale = 0.0
    if endpoint.kind == "query":
        key = endpoint.key(request)
        fault = sandbox.chance.meet("query", key).fault
        if fault.name == "query_drop":
            return DROP
        if fault.name == "query_500":
            return Reply(500, b"Internal Server Error", "text/plain")
        blind = fault.name == "query_blind" and sandbox.chance.tried("place", key) < (fault.amount or inf)
        stale = inf if blind else sandbox.lag if fault.name == "query_stale" else 0.0
    now = sandbox.now()
    left = endpoint.enter(sandbox, request, now)
    return endpoint.success(endpoint.act(Turn(sandbox, request, now, stale=stale)), now, left)


def _write(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Reply:
    """Carry a write out, or let the fault happen that is due to it."""
    met = sandbox.chance.meet(endpoint.kind, endpoint.key(request))
    fault = met.fault.name
    if fault == "accept_late":
        accept_late(sandbox, endpoint, request, met)
    if fault in ("accept_late", "lose"):
        return HANG
    now = sandbox.now()
    left = endpoint.enter(sandbox, request, now)
    refused = refusal(fault, now, endpoint.tell)
    if refused is not None:
        return refused
    data = endpoint.act(Turn(sandbox, request, now, _lag(sandbox, met)))
    good = endpoint.success(data, now, left)
    return broken(fault, good, now, endpoint.tell) if fault else good


def _lag(sandbox: Sandbox, met: Met) -> float:
    """Return for how long what is accepted stays unseen: at most L, unless a script says otherwise."""
    if met.fault.name != "lag":
        return 0.0
    if met.fault.amount is not None:
        return met.fault.amount
    return sandbox.lag * share(sandbox.chance.seed, "lag", met.name, met.attempt)
