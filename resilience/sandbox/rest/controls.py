"""The sandbox's own controls, which no real exchange has: its ledger, its faults, a fresh start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..exchange.faults import FaultError
from .answers import Reply

if TYPE_CHECKING:
    from ..server import Sandbox

__all__ = ["control"]

_THERE_ARE = "there are GET /sandbox/{ledger,status,sockets}, POST /sandbox/{faults,reset,sockets}"


def control(sandbox: Sandbox, method: str, path: str, body: str) -> Reply:
    """Answer a request to one of the controls."""
    if (method, path) == ("GET", "/sandbox/ledger"):
        return _json(sandbox.ledger())
    if (method, path) == ("GET", "/sandbox/status"):
        told = {"requests": sandbox.requests, "seed": sandbox.seed, "window": sandbox.window, "rates": sandbox.rates}
        return _json(told)
    if (method, path) == ("POST", "/sandbox/reset"):
        sandbox.reset()
        return _json({})
    if (method, path) == ("GET", "/sandbox/sockets"):
        return _json(_sockets(sandbox))
    change = {"/sandbox/faults": _set_faults, "/sandbox/sockets": _command}.get(path)
    if method == "POST" and change:
        try:
            return _json(change(sandbox, body))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
    return _json({"error": _THERE_ARE}, 404)


def _set_faults(sandbox: Sandbox, body: str) -> Any:
    told = json.loads(body)
    parts: dict[str, Any] = {"seed": int, "rates": (dict, str, type(None)), "scripts": dict}
    whole = isinstance(told, dict) and not set(told) - set(parts)
    if not whole or not all(isinstance(value, parts[name]) for name, value in told.items()):
        raise FaultError('expected {"seed": 7, "rates": {"lose": 0.05}, "scripts": {"order-1": ["lag:3.0", ""]}}')
    sandbox.chance.change(**told)
    return {"seed": sandbox.seed, "rates": sandbox.rates}


def _sockets(sandbox: Sandbox) -> Any:
    """Return what the sockets saw."""
    names = ("number", "path", "open", "logged_in", "subscriptions")
    rows = [
        {**{name: getattr(one, name) for name in names}, "frames": len(one.frames)}
        for one in sandbox.sockets.connections
    ]
    return {"connects": sandbox.sockets.connects, "violations": sandbox.sockets.violations, "connections": rows}


def _command(sandbox: Sandbox, body: str) -> Any:
    """Let the sockets meet a script or a fault."""
    told = json.loads(body)
    if not isinstance(told, dict) or set(told) - {"path", "number"} not in ({"script"}, {"fault"}):
        raise FaultError('expected {"script": ["refuse", ""]} or {"fault": "drop", "path": "/v2/ws/private"}')
    if "fault" in told:
        return {"met": sandbox.sockets.fault(str(told.pop("fault")), **told)}
    if not isinstance(told["script"], list) or "number" in told:
        raise FaultError('script: expected a list such as ["refuse", ""]')
    sandbox.sockets.script(*told["script"], path=told.get("path"))
    return {}


def _json(told: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(told).encode())
