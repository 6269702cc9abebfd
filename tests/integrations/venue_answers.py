"""Answers of exchanges that tests play back: each with its request, and with what it means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.integrations.server import Behaviour, Connection

VENUES = ("binance", "bybit", "coinbase", "gate", "hyperliquid", "kraken", "kucoin", "okx")
_FOLDER = Path(__file__).parents[1] / "data" / "venues"


class VenueAnswer(NamedTuple):
    """One answer of an exchange.

    Attributes:
        venue: the exchange.
        method: the HTTP method of the request.
        url: where it went.
        status: the HTTP status of the answer.
        headers: its headers.
        body: its body.
        code: the code in it, if any.
        category: what it means; empty for a success.
        executed: whether the request may have taken effect.
        read: the request reads, whatever its method says.
        batch: a part of a batch was refused; `category` and `executed` are those of that part.
        why: the reason, where the expectation is not the one of whoever collected the answers.
        action: what the request does, where its URL does not say it.
        ccxt: why ccxt makes something else of it.
    """

    venue: str
    method: str
    url: str
    status: int
    headers: dict[str, str]
    body: str
    code: str
    category: str
    executed: str
    read: bool = False
    batch: bool = False
    why: str = ""
    action: str = ""
    ccxt: str = ""

    @property
    def is_unproven_success(self) -> bool:
        """Whether it looks like a success, and proves none: nothing but the request itself tells."""
        return (
            self.status < 300 and not self.code and self.category == "retryable" and '"success":false' not in self.body
        )

    def play(self, connection: Connection) -> None:
        """Give this answer to any request."""
        connection.request()
        body = self.body.encode()
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        head = [f"HTTP/1.1 {self.status} Played", *lines, f"Content-Length: {len(body)}", "Connection: close", "", ""]
        connection.send("\r\n".join(head).encode() + body)

    @property
    def behaviour(self) -> Behaviour:
        """What a server does that gives this answer."""
        return self.play


def _read(venue: str, line: str) -> VenueAnswer:
    row: dict[str, Any] = json.loads(line)
    return VenueAnswer(venue, **row | row.pop("differs", {}))


def answers_of(venue: str) -> list[VenueAnswer]:
    """Return all answers of one exchange."""
    return [_read(venue, line) for line in (_FOLDER / f"{venue}.jsonl").read_text("utf-8").splitlines()]


def name_of(number: int, answer: VenueAnswer) -> str:
    """Return the name of a test."""
    path = answer.url.partition("//")[2].partition("/")[2].partition("?")[0]
    return f"{answer.venue} {number:02} {answer.method} {path} {answer.status} {answer.code}".rstrip()
