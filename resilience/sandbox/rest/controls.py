"""Answers the sandbox's own controls, which no real exchange has: ledger, status, faults, reset, sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from ..exchange.faults import FaultError
from .answers import Reply

if TYPE_CHECKING:
    from ..exchange.fault_picker import FaultPicker
    from ..websocket.sockets import Sockets

__all__ = ["control"]

_AVAILABLE = "available: GET /sandbox/{ledger,status,sockets}, POST /sandbox/{faults,reset,sockets}"


class Controllable(Protocol):
    """The part of a sandbox that the controls use."""

    window: float
    faults: FaultPicker
    sockets: Sockets

    @property
    def requests(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def rates(self) -> dict[str, float]: ...

    def ledger(self) -> dict[str, list[dict[str, Any]]]: ...

    def reset(self) -> None: ...


def control(sandbox: Controllable, method: str, path: str, body: str) -> Reply:
    """Answer a request to one of the controls."""
    if (method, path) == ("GET", "/sandbox/ledger"):
        return _json_reply(sandbox.ledger())
    if (method, path) == ("GET", "/sandbox/status"):
        names = ("requests", "seed", "window", "rates")
        return _json_reply({name: getattr(sandbox, name) for name in names})
    if (method, path) == ("POST", "/sandbox/reset"):
        sandbox.reset()
        return _json_reply({})
    if (method, path) == ("GET", "/sandbox/sockets"):
        return _json_reply(_describe_sockets(sandbox))
    change = {"/sandbox/faults": _change_faults, "/sandbox/sockets": _change_sockets}.get(path)
    if method == "POST" and change:
        try:
            return _json_reply(change(sandbox, body))
        except ValueError as error:  # FaultError and the errors of json.loads are ValueErrors too
            return _json_reply({"error": str(error)}, 400)
    return _json_reply({"error": _AVAILABLE}, 404)


def _change_faults(sandbox: Controllable, body: str) -> Any:
    change = json.loads(body)
    types: dict[str, Any] = {"seed": int, "rates": (dict, str, type(None)), "scripts": dict}
    valid = isinstance(change, dict) and not set(change) - set(types)
    if not valid or not all(isinstance(value, types[name]) for name, value in change.items()):
        raise FaultError('expected {"seed": 7, "rates": {"lose": 0.05}, "scripts": {"order-1": ["lag:3.0", ""]}}')
    sandbox.faults.change(**change)
    return {"seed": sandbox.seed, "rates": sandbox.rates}


def _describe_sockets(sandbox: Controllable) -> Any:
    names = ("number", "path", "open", "logged_in", "subscriptions")
    rows = [
        {**{name: getattr(connection, name) for name in names}, "frames": len(connection.frames)}
        for connection in sandbox.sockets.connections
    ]
    return {"connects": sandbox.sockets.connects, "violations": sandbox.sockets.violations, "connections": rows}


def _change_sockets(sandbox: Controllable, body: str) -> Any:
    """Set a script for the next connections, or apply a fault to the open ones."""
    change = json.loads(body)
    if not isinstance(change, dict) or set(change) - {"path", "number"} not in ({"script"}, {"fault"}):
        raise FaultError('expected {"script": ["refuse", ""]} or {"fault": "drop", "path": "/v2/ws/private"}')
    if "fault" in change:
        return {"met": sandbox.sockets.fault(str(change.pop("fault")), **change)}
    if not isinstance(change["script"], list) or "number" in change:
        raise FaultError('script: expected a list such as ["refuse", ""]')
    sandbox.sockets.script(*change["script"], path=change.get("path"))
    return {}


def _json_reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode())
