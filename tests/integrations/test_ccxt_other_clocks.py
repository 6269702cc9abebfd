"""A stamp that an exchange refuses: its clock is measured, and the request is signed anew once."""

from __future__ import annotations

import re
import time
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from tests.integrations.raw_server import RawServer, Seen

ORDER = ("BTC/USDT", "limit", "buy", 1, 50_000)
OFF = 90.0
"""Seconds by which the exchange's clock is ahead."""
OPTIONS = {
    "enableUnifiedAccount": True,
    "enableUnifiedMargin": False,
    "unifiedAccount": False,
    "uta": False,
    "hf": True,
}
CLOCKS: dict[str, tuple[str, Any, tuple[int, Any], Any]] = {
    # exchange: path of its time, the answer for a time in milliseconds, the refusal of a stamp, an order
    "binance": ("/time", lambda ms: {"serverTime": ms}, (400, {"code": -1021, "msg": "outside"}), {"orderId": 7}),
    "okx": (
        "/public/time",
        lambda ms: {"code": "0", "data": [{"ts": str(ms)}]},
        (401, {"code": "50102", "msg": "Timestamp request expired", "data": []}),
        {"code": "0", "data": [{"ordId": "7", "sCode": "0"}]},
    ),
    "kucoin": (
        "/timestamp",
        lambda ms: {"code": "200000", "data": ms},
        (400, {"code": "400002", "msg": "Invalid KC-API-TIMESTAMP"}),
        {"code": "200000", "data": {"orderId": "7"}},
    ),
    "bybit": (
        "/market/time",
        lambda ms: {"retCode": 0, "result": {"timeSecond": str(ms // 1000)}, "time": ms},
        (200, {"retCode": 10002, "retMsg": "invalid request, please check your timestamp"}),
        {"retCode": 0, "result": {"orderId": "7"}},
    ),
    "gate": (
        "/spot/time",
        lambda ms: {"server_time": ms},
        (400, {"label": "REQUEST_EXPIRED", "message": "gap between request Timestamp and server time exceeds 60"}),
        {"id": "7", "status": "open"},
    ),
    "cryptocom": (  # its nonce is the bare time in milliseconds
        "",
        lambda ms: {},
        (401, {"code": 40102, "message": "INVALID_NONCE"}),
        {"code": 0, "result": {"order_id": "7"}},
    ),
}
WITH_TIME = [name for name, row in CLOCKS.items() if row[0]]


class Exchange(RawServer):
    """An exchange whose clock is ahead: it refuses stamps by ours, and accepts those by its own."""

    def __init__(self, name: str, off: float = OFF) -> None:
        super().__init__(self.answer)
        self.path, self.time_of, self.refusal, self.order = CLOCKS[name]
        self.off = off

    def answer(self, seen: Seen) -> Any:
        """Return the time, or the answer to an order by its stamp."""
        now = time.time() + self.off
        if self.path and seen.path.partition("?")[0].endswith(self.path):
            return 200, self.time_of(int(now * 1000))
        return (200, self.order) if abs(stamp_of(seen) - now) < 30 else self.refusal

    @property
    def kinds(self) -> list[str]:
        """What was asked for, in order."""
        asked = [bool(self.path) and seen.path.partition("?")[0].endswith(self.path) for seen in self.seen]
        return ["time" if is_time else "order" for is_time in asked]


def stamp_of(seen: Seen) -> float:
    """Return the stamp in a request, in Unix seconds: a text of 10 or 13 digits, or a date in UTC."""
    headers = {name.lower(): value for name, value in seen.headers.items()}
    dated = headers.get("ok-access-timestamp")
    if dated is not None:
        return time.mktime(time.strptime(dated[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    given = headers.get("kc-api-timestamp") or headers.get("x-bapi-timestamp") or headers.get("timestamp")
    found = given or re.search(r"(?:timestamp=|nonce\"?: ?)\"?(\d{10,13})", f"{seen.path} {seen.body}")
    digits = found if isinstance(found, str) else found[1] if found else "0"
    return float(digits) / (1000 if len(digits) == 13 else 1)


@pytest.mark.parametrize("off", [OFF, -OFF])
@pytest.mark.parametrize("name", WITH_TIME)
def test_the_clock_is_measured_once(bots: Any, name: str, off: float) -> None:
    """Order, time, order: and later orders are signed by the exchange's clock at once."""
    waits: list[float | None] = []
    policies = Policies.builtin()
    policies.subscribe(lambda event: waits.append(event.wait_for) if event.name == "attempt_failed" else None)
    with Exchange(name, off) as exchange:
        bot = wrap(bots.at(exchange.url, name, options=OPTIONS), "ccxt", policies=policies)
        assert bot.resilience_operation_info("create_order", bot).can_resync_clock
        assert bots.call(bot.create_order, *ORDER)["id"] == "7"
        assert exchange.kinds == ["order", "time", "order"]
        assert bots.call(bot.create_order, *ORDER)["id"] == "7"
        assert exchange.kinds == ["order", "time", "order", "order"]
    assert waits == [0.0]


def test_a_nonce_that_is_the_bare_time(bots: Any) -> None:
    """Deribit's nonce follows no option of ccxt: it is corrected where it is made."""

    def reply(seen: Seen) -> Any:
        now = time.time() + OFF
        if "get_time" in seen.path:
            return 200, {"result": int(now * 1000)}
        signed = re.search(r"ts=(\d+)", seen.headers.get("Authorization", ""))
        fits = signed is not None and abs(float(signed[1]) / 1000 - now) < 30
        return (
            (200, {"result": {"order": {"order_id": "7"}}})
            if fits
            else (400, {"error": {"code": 13010, "message": "x"}})
        )

    with RawServer(reply) as server:
        plain = bots.at(server.url, "deribit")
        plain.exceptions["13010"] = ccxt.InvalidNonce
        bot = wrap(plain, "ccxt", policies=Policies.builtin())
        assert bots.call(bot.create_order, *ORDER)["id"] == "7"
        assert ["get_time" in seen.path for seen in server.seen] == [False, True, False]
        assert "timeDifference" not in plain.options or plain.options["timeDifference"] == 0


def test_an_exchange_without_a_time(bots: Any) -> None:
    """Nothing can be measured, nothing else is asked, and the caller gets ccxt's own error."""
    once = Policies.from_mapping({"policies": {"once": {"extends": "ccxt", "retry": None}}})
    with Exchange("cryptocom") as exchange:
        bot = wrap(bots.at(exchange.url, "cryptocom"), "once", policies=once)
        assert not bot.resilience_operation_info("create_order", bot).can_resync_clock
        with pytest.raises(ccxt.InvalidNonce) as caught:
            bots.call(bot.create_order, *ORDER)
        assert exchange.kinds == ["order"]
    assert failure_of(caught.value).executed == "no"


def test_a_time_that_cannot_be_had(bots: Any) -> None:
    """The question fails: the caller gets the refusal of the stamp, not the question's error."""
    once = Policies.from_mapping({"policies": {"once": {"extends": "ccxt", "retry": None}}})

    def reply(seen: Seen) -> Any:
        return None if "/time" in seen.path else CLOCKS["binance"][2]

    with RawServer(reply) as server:
        bot = wrap(bots.at(server.url, "binance"), "once", policies=once)
        with pytest.raises(ccxt.InvalidNonce) as caught:
            bots.call(bot.create_order, *ORDER)
        assert len(server.seen) == 2
    assert failure_of(caught.value).executed == "no"


@pytest.mark.slow
def test_a_clock_that_is_right_is_left_alone(bots: Any) -> None:
    """A nonce that is refused for its order, not for the time: small differences would only disturb the order."""
    with Exchange("binance", off=0.0) as exchange:
        exchange.order = CLOCKS["binance"][2][1]
        plain = bots.at(exchange.url, "binance")
        exchange.refusal, before = (400, exchange.order), plain.options.get("timeDifference")
        exchange.off = 0.0
        exchange.reply = lambda seen: (
            (200, {"serverTime": int(time.time() * 1000)}) if "/time" in seen.path else exchange.refusal
        )
        bot = wrap(plain, "ccxt", policies=Policies.builtin())
        with pytest.raises(ccxt.InvalidNonce):
            bots.call(bot.create_order, *ORDER)
        assert plain.options.get("timeDifference") == before
