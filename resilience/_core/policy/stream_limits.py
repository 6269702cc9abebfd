"""What a venue allows of a stream and how patient a client is with it: frozen settings, the `stream` section."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Literal, Self

from .section import Section
from .units import About, Spec

__all__ = ["MessageRate", "StreamSettings"]

_HOUR, _DAY, _MANY = 3600.0, 86400.0, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRate(Section):
    """How many of something a span holds: never more than `burst` in any `burst / rate` seconds."""

    rate: Annotated[float, Spec("rate", 0, _MANY, "How many a second.", "8/s", above=True)] = 8.0
    burst: Annotated[int, Spec("count", 1, _MANY, "How many at once.", "8")] = 8

    @property
    def span(self) -> float:
        """The seconds in which never more than `burst` are sent."""
        return self.burst / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings(Section):
    """The limits of a venue's sockets, a client's patience with one, and what a slow reader's queue does.

    Example:
        >>> Limits(ping="15s").scaled(3).ping
        5.0
    """

    connects: Annotated[
        MessageRate,
        About("New connections to one host, all clients of the policies together.", "{rate: 55/m, burst: 275}"),
    ] = field(default_factory=lambda: MessageRate(rate=55 / 60, burst=275))
    subscribes: Annotated[
        MessageRate, About("Requests to subscribe, on one connection.", "{rate: 230/h, burst: 230}")
    ] = field(default_factory=lambda: MessageRate(rate=230 / _HOUR, burst=230))
    frames: Annotated[
        MessageRate, About("Frames sent on one connection, pings among them.", "{rate: 8/s, burst: 8}")
    ] = field(default_factory=MessageRate)
    message_bytes: Annotated[int, Spec("count", 256, _MANY, "The longest frame sent.", "4096")] = 4096
    open_within: Annotated[float, Spec("duration", 0, _HOUR, "For one connection to open.", "10s", above=True)] = 10.0
    answer_within: Annotated[
        float, Spec("duration", 0, _HOUR, "For a login or a subscription to be answered.", "10s", above=True)
    ] = 10.0
    ping: Annotated[float, Spec("duration", 0, _HOUR, "Time between two pings.", "30s", above=True)] = 30.0
    pong_within: Annotated[
        float, Spec("duration", 0, _HOUR, "For something to come after a ping.", "10s", above=True)
    ] = 10.0
    stale_after: Annotated[
        float, Spec("duration", 0, _HOUR, "Silence after which an early ping asks for life.", "20s", above=True)
    ] = 20.0
    steady_after: Annotated[
        float, Spec("duration", 0, _HOUR, "A connection this old begins the backoff anew when it is lost.", "2s")
    ] = 2.0
    renew_after: (
        Annotated[float, Spec("duration", 0, 7 * _DAY, "Age at which a connection is replaced.", "23h", above=True)]
        | None
    ) = 23 * _HOUR
    linger: Annotated[float, Spec("duration", 0, _HOUR, "How long a replaced connection is still read.", "1s")] = 1.0
    queue: Annotated[int, Spec("count", 1, _MANY, "Updates that wait for a slow reader.", "10000")] = 10_000
    overflow: Annotated[
        Literal["block", "drop_oldest", "latest"],
        About(
            "What a full queue does: stop reading, drop the oldest update, or keep the latest of each subscription.",
            "latest",
        ),
    ] = "block"

    def scaled(self, pace: float) -> Self:
        """Return these limits where `pace` seconds pass in one: for a sandbox whose time runs faster."""
        changed: dict[str, object] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, MessageRate):
                changed[one.name] = MessageRate(rate=value.rate * pace, burst=value.burst)
            elif isinstance(value, float):
                changed[one.name] = value / pace
        return replace(self, **changed)  # type: ignore[arg-type]
