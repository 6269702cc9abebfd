"""Holds the state of one connection. It never waits and holds no socket; time is an argument.

Every method that returns a list returns the actions that the transport performs, in order. `now` is sandbox time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from . import connection_limits as limits
from . import frames
from .feeds import Feeds
from .frames import WireAction
from .socket_faults import SocketFault
from .topics import access_of, is_order_book

if TYPE_CHECKING:
    from ..exchange.auth import Authenticator
    from ..exchange.clock import ExchangeClock
    from ..exchange.exchange import Exchange

__all__ = ["ConnectionEnvironment", "SandboxConnection", "parse_json"]


@dataclass
class ConnectionEnvironment:
    """What all connections share.

    Attributes:
        exchange: the state of the exchange.
        clock: the exchange's clock.
        authenticator: checks logins and has the permissions of the key.
        limited: whether the limits on the rate of frames and on subscriptions apply.
        feeds: the feeds of all args.
        violations: every limit that a client exceeded, as text.
    """

    exchange: Exchange
    clock: ExchangeClock
    authenticator: Authenticator
    limited: bool = True
    feeds: Feeds = field(default_factory=Feeds)
    violations: list[str] = field(default_factory=list)


class SandboxConnection:
    """One connection of a client.

    Attributes:
        number: 1 for the first.
        path: such as `/v2/ws/private`.
        version: `v2` or `v3`.
        private: whether it is for private channels.
        logged_in: whether a login was accepted.
        subscriptions: the subscribed args, with duplicates.
        frames: the texts that the client sent.
        open: whether it is open from the exchange's point of view.
        demo: whether it was made to the demo environment.
        silent: whether it is half open: nothing is read and nothing is sent.
        mute: whether updates are withheld.
        no_pong: whether pings stay unanswered.
        deferred: the faults that wait for their event or their stage.
    """

    def __init__(
        self, number: int, path: str, shared: ConnectionEnvironment, now: float, *, demo: bool = False
    ) -> None:
        self.number, self.path, self.shared, self.demo = number, path, shared, demo
        self.version, self.private = path[1:3], path.endswith("private")
        self.logged_in, self.open = False, True
        self.silent = self.mute = self.no_pong = False
        self.subscriptions: list[dict[str, Any]] = []
        self.frames: list[str] = []
        self.deferred: list[SocketFault] = []
        self._last_ping = now
        self._ends = now + limits.MAX_AGE
        self._frame_rate = limits.RateCounter(*limits.FRAME_RATE)
        self.subscribe_rate = limits.RateCounter(*limits.SUBSCRIBE_RATE)

    @property
    def id(self) -> str:
        """The exchange's name for the connection."""
        return f"sandbox-{self.number}"

    @property
    def due(self) -> float:
        """The sandbox time at which `tick` has something to do; infinite for a half-open connection."""
        return inf if self.silent else min(self._last_ping + limits.PING_TIMEOUT, self._ends)

    def tick(self, now: float) -> list[WireAction]:
        """Close a connection that has not pinged for too long, or is too old."""
        if now < self.due:
            return []
        # 1001 is "going away" (RFC 6455, 7.4.1); codes from 4000 are for the application.
        return [frames.close(4001 if now >= self._last_ping + limits.PING_TIMEOUT else 1001)]

    def apply_faults(self, faults: tuple[SocketFault, ...], now: float) -> list[WireAction]:
        """Apply faults; a deferred one waits for the event that it affects."""
        actions: list[WireAction] = []
        for fault in faults:
            actions += self._apply(fault, now)
        return actions

    def start_script(self, faults: tuple[SocketFault, ...], now: float) -> list[WireAction]:
        """Apply the faults of a script; those of a later stage wait for it."""
        self.deferred += [fault for fault in faults if fault.stage != "open"]
        return self.apply_faults(tuple(fault for fault in faults if fault.stage == "open"), now)

    def take_fault(self, name: str) -> SocketFault | None:
        """Remove and return the deferred fault of that name, if there is one."""
        for fault in self.deferred:
            if fault.name == name and fault.stage == "open":
                self.deferred.remove(fault)
                return fault
        return None

    def reach_stage(self, stage: str, now: float) -> list[WireAction]:
        """Apply the faults that wait for this stage."""
        due = tuple(fault for fault in self.deferred if fault.stage == stage)
        self.deferred = [fault for fault in self.deferred if fault.stage != stage]
        return self.apply_faults(due, now)

    def _apply(self, fault: SocketFault, now: float) -> list[WireAction]:
        if fault.name in ("half_open", "mute", "no_pong"):
            setattr(self, "silent" if fault.name == "half_open" else fault.name, True)
            return []
        if fault.name == "upgrade":
            # A second notice must not postpone the end.
            self._ends = min(self._ends, now + limits.UPGRADE_NOTICE)
            return [frames.error(30033)]
        if fault.name == "error":
            return error_frames(fault)
        actions = {
            "drop": WireAction("reset"),
            "close": frames.close(fault.code),
            "expire": frames.close(1001),
            # Cut in the middle of a string, as a frame that was truncated.
            "malformed": WireAction("text", '{"event":"upd'),
            "binary": WireAction("binary", "\x00\x01\x02"),
        }
        if fault.name in actions:
            return [actions[fault.name]]
        self.deferred.append(fault)
        return []

    def record_violation(self, what: str) -> None:
        """Record that the client exceeded a limit."""
        self.shared.violations.append(f"connection {self.number} {self.path}: {what}")

    def admit(self, text: str, now: float) -> list[WireAction] | None:
        """Record a frame and check its limits; None means that it is a request, a list answers it completely."""
        self.frames.append(text)
        size, limited = len(text.encode()), self.shared.limited
        if self._frame_rate.exceeds(now) and limited:
            self.record_violation(f"more than {limits.FRAME_RATE[0]} frames in a second")
            return [frames.error(30007), frames.close(1008)]
        if size > limits.MAX_MESSAGE_BYTES:
            self.record_violation(f"a message of {size} bytes")
            return [frames.error(30002)]
        # The client pings with a text frame; control frames are handled by the protocol.
        if text == "ping":
            self._last_ping = now
            return [] if self.no_pong else [WireAction("text", "pong")]
        return None

    def push(self, action: str, arg: Mapping[str, Any], rows: Any, **fields: Any) -> list[WireAction]:
        """Send an update or a snapshot, unless a fault withholds it."""
        # Each condition is checked only if the earlier ones did not lose the frame: a deferred fault is used up once.
        lost = self.silent or self.mute
        if not lost and access_of(self.version, arg) == "private":
            lost = self.take_fault("lose_push") is not None
        if not lost and is_order_book(arg) and action == "update":
            lost = self.take_fault("skip_seq") is not None
        return [] if lost else [frames.push(action, arg, rows, self.shared.clock.now(), **fields)]


def error_frames(fault: SocketFault) -> list[WireAction]:
    """Return the error that a fault sends, and the end of the connection if it has that option."""
    # 1008 is "policy violation" (RFC 6455, 7.4.1).
    ending = [frames.close(1008)] if "close" in fault.options else []
    return [frames.error(fault.code, code_as_text="text" in fault.options), *ending]


def parse_json(text: str) -> dict[str, Any] | None:
    """Return a frame as a JSON object, or None."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
