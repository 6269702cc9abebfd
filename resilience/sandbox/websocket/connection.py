"""One connection: what it said, what it is told. It waits for nothing and holds no socket; time comes as an argument.

Every method returns the acts that the wire is to carry out, in order. `now` is sandbox time.
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
from .frames import Act
from .socket_faults import SocketFault
from .topics import kind_of, takes_updates

if TYPE_CHECKING:
    from ..server import Sandbox

__all__ = ["Connection", "Shared"]


@dataclass
class Shared:
    """What all connections share.

    Attributes:
        limits: whether the limits on how much may be sent are held and counted.
    """

    sandbox: Sandbox
    limits: bool = True
    feeds: Feeds = field(default_factory=Feeds)
    violations: list[str] = field(default_factory=list)


class Connection:
    """One connection of a client.

    Attributes:
        number: 1 for the first.
        path: such as `/v2/ws/private`.
        version: `v2` or `v3`.
        private: whether it is for private channels.
        logged_in: whether a login was accepted.
        subscriptions: the args that it is subscribed to, duplicates kept.
        frames: the texts that it sent.
        open: whether it is open, as far as the exchange can tell.
        demo: whether it came to the demo environment.
        silent: whether it is half open: nothing is read, nothing is said.
    """

    def __init__(self, number: int, path: str, shared: Shared, now: float, *, demo: bool = False) -> None:
        self.number, self.path, self.shared, self.demo = number, path, shared, demo
        self.version, self.private = path[1:3], path.endswith("private")
        self.logged_in, self.open = False, True
        self.silent = self.mute = self.no_pong = False
        self.subscriptions: list[dict[str, Any]] = []
        self.frames: list[str] = []
        self.armed: list[SocketFault] = []
        self._pinged = now
        self._ends = now + limits.DAY
        self._rate = limits.Tally(*limits.FRAMES)
        self.subscribes = limits.Tally(*limits.SUBSCRIBES)

    @property
    def id(self) -> str:
        """The exchange's name for the connection."""
        return f"sandbox-{self.number}"

    @property
    def due(self) -> float:
        """The sandbox time of the next thing that happens by itself; never, on a half-open connection."""
        return inf if self.silent else min(self._pinged + limits.PATIENCE, self._ends)

    def tick(self, now: float) -> list[Act]:
        """Return what time asks for: the end of a connection that never pings, or is a day old."""
        if now < self.due:
            return []
        return [frames.close(4001 if now >= self._pinged + limits.PATIENCE else 1001)]

    def meet(self, faults: tuple[SocketFault, ...], now: float) -> list[Act]:
        """Let faults happen, or lie in wait for what they spoil."""
        acts: list[Act] = []
        for fault in faults:
            acts += self._happen(fault, now)
        return acts

    def wait_for(self, faults: tuple[SocketFault, ...], now: float) -> list[Act]:
        """Meet the faults of a script, those of a later stage when it comes."""
        self.armed += [fault for fault in faults if fault.at != "open"]
        return self.meet(tuple(fault for fault in faults if fault.at == "open"), now)

    def take(self, name: str) -> SocketFault | None:
        """Return the fault of that name that lies in wait, and forget it."""
        for fault in self.armed:
            if fault.name == name and fault.at == "open":
                self.armed.remove(fault)
                return fault
        return None

    def reach(self, stage: str, now: float) -> list[Act]:
        """Let the faults happen that wait for this stage."""
        due = tuple(fault for fault in self.armed if fault.at == stage)
        self.armed = [fault for fault in self.armed if fault.at != stage]
        return self.meet(due, now)

    def _happen(self, fault: SocketFault, now: float) -> list[Act]:
        if fault.name in ("half_open", "mute", "no_pong"):
            setattr(self, "silent" if fault.name == "half_open" else fault.name, True)
            return []
        if fault.name == "upgrade":
            self._ends = min(self._ends, now + limits.NOTICE)
            return [frames.error(30033)]
        if fault.name == "error":
            ending = [frames.close(1008)] if "close" in fault.words else []
            return [frames.error(fault.code, as_text="text" in fault.words), *ending]
        plain = {
            "drop": Act("reset"),
            "close": frames.close(fault.code),
            "expire": frames.close(1001),
            "malformed": Act("say", '{"event":"upd'),
            "binary": Act("binary", "\x00\x01\x02"),
        }
        if fault.name in plain:
            return [plain[fault.name]]
        self.armed.append(fault)
        return []

    def violate(self, what: str) -> None:
        """Remember that a limit was exceeded."""
        self.shared.violations.append(f"connection {self.number} {self.path}: {what}")

    def admit(self, text: str, now: float) -> list[Act] | None:
        """Note a frame; None lets it in, acts answer it at once."""
        self.frames.append(text)
        size, counts = len(text.encode()), self.shared.limits
        if self._rate.over(now) and counts:
            self.violate(f"more than {limits.FRAMES[0]} frames in a second")
            return [frames.error(30007), frames.close(1008)]
        if size > limits.MOST_BYTES:
            self.violate(f"a message of {size} bytes")
            return [frames.error(30002)]
        if text == "ping":
            self._pinged = now
            return [] if self.no_pong else [Act("say", "pong")]
        return None

    def push(self, action: str, arg: Mapping[str, Any], rows: Any, **extra: Any) -> list[Act]:
        """Tell a subscriber; what it misses by a fault is lost."""
        lost = self.silent or self.mute
        if not lost and kind_of(self.version, arg) == "private":
            lost = self.take("lose_push") is not None
        if not lost and takes_updates(arg) and action == "update":
            lost = self.take("skip_seq") is not None
        return [] if lost else [frames.push(action, arg, rows, self.shared.sandbox.now(), **extra)]


def read(text: str) -> dict[str, Any] | None:
    """Return a frame as JSON, or None."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
