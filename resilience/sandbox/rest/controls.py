"""Answers the sandbox's own controls, which no real exchange has: ledger, status, faults, reset, sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
    answer = _CONTROLS.get((method, path))
    if answer is None:
        return _json_reply({"error": _AVAILABLE}, 404)
    try:
        return _json_reply(answer(sandbox, body))
    except ValueError as error:  # FaultError and the errors of json.loads are ValueErrors too
        return _json_reply({"error": str(error)}, 400)


def _list_ledger(sandbox: Controllable, _body: str) -> Any:
    return sandbox.ledger()


def _describe_sandbox(sandbox: Controllable, _body: str) -> Any:
    return {name: getattr(sandbox, name) for name in ("requests", "seed", "window", "rates")}


def _reset(sandbox: Controllable, _body: str) -> Any:
    sandbox.reset()
    return {}


def _change_faults(sandbox: Controllable, body: str) -> Any:
    change = json.loads(body)
    types: dict[str, Any] = {"seed": int, "rates": (dict, str, type(None)), "scripts": dict}
    valid = isinstance(change, dict) and not set(change) - set(types)
    if not valid or not all(isinstance(value, types[name]) for name, value in change.items()):
        raise FaultError('expected {"seed": 7, "rates": {"lose": 0.05}, "scripts": {"order-1": ["lag:3.0", ""]}}')
    sandbox.faults.change(**change)
    return {"seed": sandbox.seed, "rates": sandbox.rates}


def _describe_sockets(sandbox: Controllable, _body: str) -> Any:
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


_CONTROLS: Mapping[tuple[str, str], Callable[[Controllable, str], Any]] = {
    ("GET", "/sandbox/ledger"): _list_ledger,
    ("GET", "/sandbox/status"): _describe_sandbox,
    ("GET", "/sandbox/sockets"): _describe_sockets,
    ("POST", "/sandbox/faults"): _change_faults,
    ("POST", "/sandbox/reset"): _reset,
    ("POST", "/sandbox/sockets"): _change_sockets,
}
"""Method and path → what takes the request's body and returns the content of the answer."""


def _json_reply(body: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(body).encode())
