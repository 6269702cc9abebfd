"""Defines OKX's routes of public data and of the account, as far as ccxt needs them to load markets."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from ...exchange.order_rules import BALANCE, PRICES
from ...rest.endpoint import Endpoint, RequestContext
from .okx_answers import format_reply, refused
from .okx_instruments import INSTRUMENTS, SWAP_UNITS, code_of_instrument

__all__ = ["ROUTES"]

_TICK = Decimal("0.01")
_COINS = [*(symbol.removesuffix("USDT") for symbol in PRICES), "USDT"]
_TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION")


def _time(context: RequestContext) -> Any:
    return [{"ts": str(int(context.now * 1000))}]


def _instrument_row(name: str) -> dict[str, Any]:
    kind, symbol = INSTRUMENTS[name]
    swap = kind == "SWAP"
    base = symbol.removesuffix("USDT")
    coins = {"baseCcy": "" if swap else base, "quoteCcy": "" if swap else "USDT", "settleCcy": "USDT" if swap else ""}
    contract = {"ctVal": SWAP_UNITS[symbol], "ctMult": "1", "ctType": "linear", "ctValCcy": base} if swap else {}
    steps = {"lotSz": "0.01", "minSz": "0.01"} if swap else {"lotSz": "0.000001", "minSz": "0.000001"}
    return {
        "instId": name,
        "instIdCode": code_of_instrument(name),
        "instType": kind,
        "uly": f"{base}-USDT" if swap else "",
        "instFamily": f"{base}-USDT" if swap else "",
        **dict.fromkeys(("alias", "ctVal", "ctMult", "ctType", "ctValCcy", "expTime", "optType", "stk"), ""),
        **coins,
        **contract,
        **steps,
        "lever": "100" if swap else "",
        "listTime": "1606468572000",
        "maxLmtSz": "100000000",
        "maxMktSz": "100000000",
        "state": "live",
        "tickSz": str(_TICK),
    }


def _instruments(context: RequestContext) -> Any:
    kind = str(context.params.get("instType", ""))
    if kind not in _TYPES:
        raise refused("51000", "Parameter instType error", 400)
    wanted = context.params.get("instId")
    return [
        _instrument_row(name) for name, (type_, _) in INSTRUMENTS.items() if type_ == kind and wanted in (None, name)
    ]


def _ticker_row(context: RequestContext, name: str) -> dict[str, Any]:
    """Return a ticker; the price never moves."""
    kind, symbol = INSTRUMENTS[name]
    price = PRICES[symbol]
    prices = dict.fromkeys(("last", "open24h", "high24h", "low24h", "sodUtc0", "sodUtc8"), str(price))
    sides = {"bidPx": str(price - _TICK), "askPx": str(price + _TICK), "bidSz": "100", "askSz": "100", "lastSz": "1"}
    volumes = {"vol24h": "1000", "volCcy24h": str(price * 1000), "ts": str(int(context.now * 1000))}
    return {"instType": kind, "instId": name, **prices, **sides, **volumes}


def _ticker(context: RequestContext) -> Any:
    name = str(context.params.get("instId", ""))
    if name not in INSTRUMENTS:
        raise refused("51001", "Instrument ID doesn't exist.")
    return [_ticker_row(context, name)]


def _tickers(context: RequestContext) -> Any:
    kind = context.params.get("instType")
    return [_ticker_row(context, name) for name, (type_, _) in INSTRUMENTS.items() if type_ == kind]


def _currencies(_context: RequestContext) -> Any:
    return [
        {"ccy": coin, "chain": f"{coin}-{coin}", "name": coin, "canDep": True, "canWd": True, "minWd": "0.01",
         "maxWd": "1000000", "minFee": "0", "maxFee": "0", "wdTickSz": "8", "mainNet": True}
        for coin in _COINS
    ]  # fmt: skip


def _balance(context: RequestContext) -> Any:
    """Return the balances, which are large and never change."""
    stamp = str(int(context.now * 1000))
    amounts = dict.fromkeys(("eq", "availEq", "availBal", "cashBal"), str(BALANCE))
    details = [{"ccy": coin, **amounts, "frozenBal": "0", "uTime": stamp} for coin in _COINS]
    return [{"uTime": stamp, "totalEq": str(BALANCE), "details": details}]


def _account_config(_context: RequestContext) -> Any:
    return [{"uid": "1", "mainUid": "1", "acctLv": "2", "posMode": "net_mode", "perm": "read_only,trade"}]


_open = partial(Endpoint, kind="open", format_reply=format_reply)
_signed = partial(Endpoint, format_reply=format_reply)

ROUTES = {
    ("GET", "/api/v5/public/time"): _open(route=_time),
    ("GET", "/api/v5/public/instruments"): _open(route=_instruments),
    ("GET", "/api/v5/market/ticker"): _open(route=_ticker),
    ("GET", "/api/v5/market/tickers"): _open(route=_tickers),
    ("GET", "/api/v5/asset/currencies"): _signed(route=_currencies),
    ("GET", "/api/v5/account/balance"): _signed(route=_balance),
    ("GET", "/api/v5/account/config"): _signed(route=_account_config),
    ("GET", "/api/v5/account/instruments"): _signed(route=_instruments),
}
