"""Parses the faults of sockets, such as `close:1012`, `reject_login:30005:close` or `drop@subscribe`.

`+` joins several faults of one connection. An immediate fault happens when the connection opens, or with `@login` or
`@subscribe` when that frame has arrived and before it is answered. A deferred fault waits for the event that it
affects, and happens once.
"""

from __future__ import annotations

from typing import NamedTuple

from ..exchange.faults import FaultError

__all__ = ["DEFERRED", "IMMEDIATE", "SocketFault", "parse_open_connection_faults", "parse_socket_faults"]

IMMEDIATE = ("drop", "close", "half_open", "mute", "no_pong", "upgrade", "expire", "malformed", "binary", "error")
"""Faults that happen at once, or at a stage of the connection."""
DEFERRED = (
    "reject_login", "ack_text", "ack_number", "reject_subscribe", "early_update", "lose_push", "skip_seq",
    "trade_error", "trade_lost", "trade_unseen",
)  # fmt: skip
"""Faults that wait for the event that they affect."""
_WITH_CODE = ("reject_login", "reject_subscribe", "error", "close", "trade_error")
_OPTIONS = {"reject_login": ("close", "text"), "error": ("close", "text"), "reject_subscribe": ("bare", "text")}
_STAGES = ("open", "login", "subscribe")


class SocketFault(NamedTuple):
    """One fault.

    Attributes:
        code: of the error or of the close frame; 0 where the fault has none.
        options: `close` (close the connection too), `text` (send the code as a string), `bare` (leave out `arg` and
            `op`).
        stage: when an immediate fault happens: `open`, `login` or `subscribe`.
    """

    name: str
    code: int = 0
    options: frozenset[str] = frozenset()
    stage: str = "open"


def parse_socket_faults(text: str) -> tuple[SocketFault, ...]:
    """Return the faults that a string such as `ack_text+drop@subscribe` names; an empty one names none.

    Raises:
        FaultError: a name is not a fault of sockets, or its code is missing.
    """
    return tuple(_parse_fault(part) for part in str(text).split("+")) if text else ()


def parse_open_connection_faults(text: str) -> tuple[SocketFault, ...]:
    """Return the faults that are applied to open connections.

    Raises:
        FaultError: there are none, or one applies to handshakes only.
    """
    faults = parse_socket_faults(text)
    if not faults or any(fault.name == "refuse" for fault in faults):
        raise FaultError(f"{text!r} cannot happen on an open connection (available: {', '.join(IMMEDIATE + DEFERRED)})")
    return faults


def _pop_code(text: str, name: str, options: list[str]) -> int:
    if not options or not options[0].isdecimal():
        raise FaultError(f"{text!r}: expected a code, such as {name}:{1012 if name == 'close' else 30005}")
    return int(options.pop(0))


def _parse_fault(text: str) -> SocketFault:
    description, at_sign, stage = text.partition("@")
    name, *options = description.split(":")
    if name not in (*IMMEDIATE, *DEFERRED, "refuse"):
        raise FaultError(f"unknown fault {text!r} (available: refuse, {', '.join(IMMEDIATE + DEFERRED)})")
    # Only immediate faults have a stage; a deferred one waits for its own event.
    if at_sign and (stage not in _STAGES or name not in IMMEDIATE):
        raise FaultError(f"{text!r}: only {', '.join(IMMEDIATE)} take a stage, one of {', '.join(_STAGES)}")
    code = _pop_code(text, name, options) if name in _WITH_CODE else 0
    unknown = set(options) - set(_OPTIONS.get(name, ()))
    if unknown:
        raise FaultError(f"{text!r}: {name} takes {', '.join(_OPTIONS.get(name, ())) or 'nothing'} after it")
    return SocketFault(name, code, frozenset(options), stage or "open")
