"""Bots on an exchange's SDK: the wrapped client keeps its class, errors their codes, and an order is placed once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.conftest import ScriptedApi
from tests.programs.conftest import require, run


def test_python_binance(api: ScriptedApi, tmp_path: Path) -> None:
    """An order whose answer is lost is looked up; a code of the user's own table has its remedy."""
    require("python_binance_bot")

    def order(key: str) -> dict[str, Any]:
        return {
            "symbol": "BTCUSDT",
            "clientOrderId": key,
            "status": "FILLED",
            "time": round(time.time() * 1000) + 5_000,
        }

    api.on("/api/v3/ticker/price", (503, "busy"), {"symbol": "BTCUSDT", "price": "60000"})
    gone = (400, {"code": -2013, "msg": "Order does not exist."})
    api.on(
        "/api/v3/order", "drop", order("b-1"), (429, {"code": -1003, "msg": "Too many requests"}), order("b-2"), gone
    )
    api.on("/api/v3/account", (400, {"code": -1021, "msg": "Timestamp outside of the recvWindow."}))
    process = run_with_folder("python_binance_bot", tmp_path, BINANCE_URL=api.rest)
    ticker, first, second, missing, clock = process
    assert ticker["price"] == "60000"
    assert (first["clientOrderId"], second["clientOrderId"]) == ("b-1", "b-2")
    assert (missing["code"], missing["remedy"]) == ("-2013", "There is no such order")
    assert (clock["code"], clock["attempts"], clock["remedy"]) == ("-1021", 4, "Set this machine's clock")
    methods = [
        (method, sent.get("newClientOrderId") or sent["origClientOrderId"])
        for method, path, sent in api.seen
        if path == "/api/v3/order"
    ]
    assert methods == [("POST", "b-1"), ("GET", "b-1"), ("POST", "b-2"), ("POST", "b-2"), ("GET", "nobody")]


def test_pybit(api: ScriptedApi, tmp_path: Path) -> None:
    """An order whose answer is lost is looked up; one that is refused is sent again under the same id."""
    require("pybit_bot")

    def answer(result: Any, code: int = 0, text: str = "OK") -> dict[str, Any]:
        return {"retCode": code, "retMsg": text, "result": result, "time": round(time.time() * 1000) + 5_000}

    def found(key: str) -> dict[str, Any]:
        row = {"orderLinkId": key, "orderStatus": "Filled", "createdTime": str(round(time.time() * 1000) + 5_000)}
        return answer({"list": [row]})

    api.on("/v5/market/time", (503, "busy"), answer({"timeSecond": "1"}))
    refused = answer({}, 10006, "Too many visits!")
    poor = answer({}, 110007, "ab not enough for new order")
    api.on("/v5/order/create", "drop", refused, answer({"orderLinkId": "y-2"}), poor)
    api.on("/v5/order/realtime", found("y-1"), answer({"list": []}))  # refused without a status: looked up once
    clock, first, second, last = run_with_folder("pybit_bot", tmp_path, BYBIT_URL=api.rest)
    assert clock == {"timeSecond": "1"}
    assert first["list"][0]["orderLinkId"] == "y-1"
    assert second == {"orderLinkId": "y-2"}
    assert last == ["110007", "no", 1, "Deposit funds, or order less"]
    keys = [sent["orderLinkId"] for sent in api.sent_to("/v5/order/create")]
    assert keys == ["y-1", "y-2", "y-2", "y-3"]


def run_with_folder(program: str, folder: Path, **settings: str) -> list[Any]:
    """Run a program that writes its policy file into a folder."""
    results, errors = run(program, str(folder), **settings)
    assert "Traceback" not in errors
    return results
