"""Builds the frames that the exchange sends, and the other actions that a connection asks of its transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["WireAction", "ack", "close", "error", "login_ack", "push", "text_frame"]

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


class WireAction(NamedTuple):
    """One action on the transport.

    Attributes:
        kind: `text` (a text frame), `binary` (a binary frame), `close` (a close frame with a code), `reset`
            (TCP reset) or `disconnect` (FIN without a close frame).
        text: of the frame.
        code: of the close frame.
    """

    kind: str
    text: str = ""
    code: int = 0


def text_frame(**fields: Any) -> WireAction:
    """Send a text frame with JSON."""
    return WireAction("text", json.dumps(fields, separators=(",", ":")))


def close(code: int) -> WireAction:
    """Close with a code; the codes that no close frame may carry (RFC 6455, 7.4.1) disconnect without one."""
    return WireAction("disconnect") if code in (1006, 1015) else WireAction("close", code=code)


def error(code: int, message: str = "", *, code_as_text: bool = False, **fields: Any) -> WireAction:
    """Send an error; `fields` are added to the frame, such as `arg` and `op`."""
    text = message or _MESSAGES.get(code, f"error {code}")
    return text_frame(event="error", **fields, code=str(code) if code_as_text else code, msg=text)


def login_ack(connection_id: str, *, code_as_text: bool) -> WireAction:
    """Acknowledge a login in one of the two forms that the real exchange sends."""
    if code_as_text:
        return text_frame(event="login", code="0", msg="")
    return text_frame(event="login", code=0, connId=connection_id)


def ack(event: str, arg: Mapping[str, Any], connection_id: str | None) -> WireAction:
    """Acknowledge a subscribe or an unsubscribe; V3 adds the id of the connection."""
    return text_frame(event=event, arg=arg, **({} if connection_id is None else {"connId": connection_id}))


def push(action: str, arg: Mapping[str, Any], rows: Any, now: float, **fields: Any) -> WireAction:
    """Send an update or a snapshot; `now` is the exchange's Unix time."""
    return text_frame(action=action, arg=arg, data=rows, ts=int(now * 1000), **fields)
