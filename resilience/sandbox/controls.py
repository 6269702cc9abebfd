"""The sandbox's own controls, which no real exchange has: its ledger, its faults, a fresh start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .answers import Reply
from .faults import FaultError

if TYPE_CHECKING:
    from .server import Sandbox

__all__ = ["control"]

_THERE_ARE = "there are GET /sandbox/ledger, POST /sandbox/faults, POST /sandbox/reset"


def control(sandbox: Sandbox, method: str, path: str, body: str) -> Reply:
    """Answer a request to one of the controls."""
    if (method, path) == ("GET", "/sandbox/ledger"):
        return _json(sandbox.ledger())
    if (method, path) == ("POST", "/sandbox/reset"):
        sandbox.reset()
        return _json({})
    if (method, path) == ("POST", "/sandbox/faults"):
        try:
            return _json(_set_faults(sandbox, body))
        except ValueError as error:
            return _json({"error": str(error)}, 400)
    return _json({"error": _THERE_ARE}, 404)


def _set_faults(sandbox: Sandbox, body: str) -> Any:
    told = json.loads(body)
    whole = isinstance(told, dict) and isinstance(told.get("seed", 0), int)
    if not whole or set(told) - {"seed", "rates"}:
        raise FaultError('expected {"seed": 7, "rates": {"lose": 0.05}}')
    sandbox.set_faults(seed=told.get("seed"), rates=told.get("rates"))
    return {"seed": sandbox.seed, "rates": sandbox.rates}


def _json(told: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(told).encode())
