"""Defines the `stream` section of a policy: a venue's limits of a WebSocket, and the client's timeouts."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Literal, Self

from .given import Duration, Given, Keys, Number, default
from .section import Section, changed, unchecked
from .units import About, Spec

__all__ = ["MessageRate", "StreamSettings"]

_HOUR, _DAY, _MANY = 3600.0, 86400.0, 1_000_000
# The defaults below are a little under the limits of Bitget (policies/bitget-ws.yaml has them with their source).


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRate(Section):
    """A rate limit: at most `burst` in any `burst / rate` seconds."""

    rate: Given[Annotated[float, Spec("rate", 0, _MANY, "How many per second.", "8/s", above=True)], Number] = default(
        8.0
    )
    burst: Annotated[int, Spec("count", 1, _MANY, "How many at once.", "8")] = 8

    @property
    def span(self) -> float:
        """The seconds in which never more than `burst` are sent."""
        return self.burst / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings(Section):
    """A venue's limits of a WebSocket, the client's timeouts, and what happens when a reader is slow.

    Example:
        >>> StreamSettings(ping="15s").scaled(3).ping
        5.0
    """

    connects: Given[
        Annotated[
            MessageRate,
            About("New connections to one host, over all clients of the policies.", "{rate: 55/m, burst: 275}"),
        ],
        MessageRate | Keys,
    ] = default(field(default_factory=lambda: unchecked(MessageRate, {"rate": 55 / 60, "burst": 275})))
    subscribes: Given[
        Annotated[MessageRate, About("Requests to subscribe, per connection.", "{rate: 230/h, burst: 230}")],
        MessageRate | Keys,
    ] = default(field(default_factory=lambda: unchecked(MessageRate, {"rate": 230 / _HOUR, "burst": 230})))
    frames: Given[
        Annotated[MessageRate, About("Frames sent per connection, pings included.", "{rate: 8/s, burst: 8}")],
        MessageRate | Keys,
    ] = default(field(default_factory=MessageRate))
    message_bytes: Annotated[int, Spec("count", 256, _MANY, "The longest frame sent, in bytes.", "4096")] = 4096
    open_within: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "Time limit for a connection to open.", "10s", above=True)],
        Duration,
    ] = default(10.0)
    answer_within: Given[
        Annotated[
            float,
            Spec("duration", 0, _HOUR, "Time limit for the answer to a login or a subscription.", "10s", above=True),
        ],
        Duration,
    ] = default(10.0)
    ping: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "Time between two pings.", "30s", above=True)], Duration
    ] = default(30.0)
    pong_within: Given[
        Annotated[
            float, Spec("duration", 0, _HOUR, "Time limit for any frame to arrive after a ping.", "10s", above=True)
        ],
        Duration,
    ] = default(10.0)
    stale_after: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "Silence after which a ping is sent early.", "20s", above=True)],
        Duration,
    ] = default(20.0)
    steady_after: Given[
        Annotated[
            float,
            Spec(
                "duration",
                0,
                _HOUR,
                "The backoff starts again after the loss of a connection that lived this long.",
                "2s",
            ),
        ],
        Duration,
    ] = default(2.0)
    renew_after: Given[
        Annotated[float, Spec("duration", 0, 7 * _DAY, "Age at which a connection is replaced.", "23h", above=True)]
        | None,
        Duration | None,
    ] = default(23 * _HOUR)
    linger: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "How long a replaced connection is still read.", "1s")], Duration
    ] = default(1.0)
    queue: Annotated[int, Spec("count", 1, _MANY, "Updates that are kept for a slow reader.", "10000")] = 10_000
    overflow: Annotated[
        Literal["block", "drop_oldest", "latest"],
        About(
            "At a full queue: stop reading, drop the oldest update, or keep the latest of each subscription.",
            "latest",
        ),
    ] = "block"

    def scaled(self, pace: float) -> Self:
        """Return these limits for a sandbox whose clock runs `pace` times as fast."""
        scaled: dict[str, object] = {}
        for field_ in fields(self):
            value = getattr(self, field_.name)
            if isinstance(value, MessageRate):
                scaled[field_.name] = unchecked(MessageRate, {"rate": value.rate * pace, "burst": value.burst})
            elif isinstance(value, float):
                scaled[field_.name] = value / pace
        return changed(self, **scaled)
