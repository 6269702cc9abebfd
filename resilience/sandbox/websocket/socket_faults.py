"""The faults of sockets and how they are written: `close:1012`, `reject_login:30005:close`, `drop@subscribe`.

`+` joins several for one connection. A fault of the moment happens when the connection opens, or with
`@login` or `@subscribe` when that frame has come and before it is answered; the others lie in wait
for what they spoil, and spoil it once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..exchange.faults import FaultError

__all__ = ["ARMED", "MOMENT", "SocketFault", "faults_of", "now_of", "script_of"]

MOMENT = ("drop", "close", "half_open", "mute", "no_pong", "upgrade", "expire", "malformed", "binary", "error")
"""Faults that happen at a moment."""
ARMED = (
    "reject_login", "ack_text", "ack_number", "reject_subscribe", "early_update", "lose_push", "skip_seq",
    "trade_error", "trade_lost", "trade_unseen",
)  # fmt: skip
"""Faults that wait for a frame."""
_CODED = ("reject_login", "reject_subscribe", "error", "close", "trade_error")
_WORDS = {"reject_login": ("close", "text"), "error": ("close", "text"), "reject_subscribe": ("bare", "text")}
_STAGES = ("open", "login", "subscribe")


class SocketFault(NamedTuple):
    """One fault.

    Attributes:
        code: of the error or of the close frame; 0 where the fault has none.
        words: `close` (the connection too), `text` (the code is a text), `bare` (no `arg`, no `op`).
        at: when a fault of the moment happens: `open`, `login` or `subscribe`.
    """

    name: str
    code: int = 0
    words: frozenset[str] = frozenset()
    at: str = "open"


def faults_of(text: str) -> tuple[SocketFault, ...]:
    """Return the faults that a text such as `ack_text+drop@subscribe` names; an empty one names none.

    Raises:
        FaultError: it is no fault of sockets, or lacks its code.
    """
    return tuple(_fault(one) for one in str(text).split("+")) if text else ()


def script_of(texts: Iterable[str]) -> list[tuple[SocketFault, ...]]:
    """Return the faults of the next connections, one entry each.

    Raises:
        FaultError: one is no fault.
    """
    return [faults_of(text) for text in texts]


def now_of(text: str) -> tuple[SocketFault, ...]:
    """Return the faults that are to happen on open connections.

    Raises:
        FaultError: there are none, or one can only meet a handshake.
    """
    faults = faults_of(text)
    if not faults or any(fault.name == "refuse" for fault in faults):
        raise FaultError(f"{text!r} cannot happen on an open connection; there are {', '.join(MOMENT + ARMED)}")
    return faults


def _fault(text: str) -> SocketFault:
    told, at_sign, at = text.partition("@")
    name, *rest = told.split(":")
    if name not in (*MOMENT, *ARMED, "refuse"):
        raise FaultError(f"no fault {text!r}; there are refuse, {', '.join(MOMENT + ARMED)}")
    if at_sign and (at not in _STAGES or name not in MOMENT):
        raise FaultError(f"{text!r}: only {', '.join(MOMENT)} take a moment, one of {', '.join(_STAGES)}")
    code = 0
    if name in _CODED:
        if not rest or not rest[0].isdecimal():
            raise FaultError(f"{text!r}: expected a code, such as {name}:{1012 if name == 'close' else 30005}")
        code = int(rest.pop(0))
    unknown = set(rest) - set(_WORDS.get(name, ()))
    if unknown:
        raise FaultError(f"{text!r}: {name} takes {', '.join(_WORDS.get(name, ())) or 'nothing'} after it")
    return SocketFault(name, code, frozenset(rest), at or "open")
