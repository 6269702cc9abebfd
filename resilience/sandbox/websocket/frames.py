"""The frames that the exchange sends, as texts, and the acts that a connection asks of whoever holds the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Act", "ack", "close", "error", "login_ack", "push", "say"]

_MESSAGES = {
    30001: "Channel does not exist",
    30002: "Illegal request",
    30003: "Invalid op",
    30004: "User needs to log in",
    30005: "Login failed",
    30006: "Request too many",
    30007: "Request over limit, connection close",
    30011: "Invalid ACCESS_KEY",
    30012: "Invalid ACCESS_PASSPHRASE",
    30013: "Invalid ACCESS_TIMESTAMP",
    30014: "Request timestamp expired",
    30015: "Invalid sign",
    30016: "Param error",
    30033: "Service upgrade in progress, the connection will be closed",
    40099: "exchange environment is incorrect",
}


class Act(NamedTuple):
    """What is to be done on the wire.

    Attributes:
        kind: `say` (a text frame), `binary` (a binary one), `close` (a close frame with a code), `reset`
            (TCP reset) or `leave` (FIN without a close frame).
    """

    kind: str
    text: str = ""
    code: int = 0


def say(**frame: Any) -> Act:
    """Send a frame of JSON."""
    return Act("say", json.dumps(frame, separators=(",", ":")))


def close(code: int) -> Act:
    """Close with a code; those that no close frame may carry (1006, 1015) leave without one."""
    return Act("leave") if code in (1006, 1015) else Act("close", code=code)


def error(code: int, message: str = "", *, as_text: bool = False, **more: Any) -> Act:
    """Send an error; `more` are the fields that go with it, such as `arg` and `op`."""
    told = message or _MESSAGES.get(code, f"error {code}")
    return say(event="error", **more, code=str(code) if as_text else code, msg=told)


def login_ack(connection_id: str, *, as_text: bool) -> Act:
    """Acknowledge a login in one of the two spellings that were seen."""
    if as_text:
        return say(event="login", code="0", msg="")
    return say(event="login", code=0, connId=connection_id)


def ack(event: str, arg: Mapping[str, Any], connection_id: str | None) -> Act:
    """Acknowledge a subscribe or an unsubscribe; V3 tells the connection too."""
    return say(event=event, arg=arg, **({} if connection_id is None else {"connId": connection_id}))


def push(action: str, arg: Mapping[str, Any], rows: Any, now: float, **extra: Any) -> Act:
    """Send an update or a snapshot; `now` is the exchange's Unix time."""
    return say(action=action, arg=arg, data=rows, ts=int(now * 1000), **extra)
