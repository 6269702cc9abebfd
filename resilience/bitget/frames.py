"""How Bitget's sockets talk: the frames of V2 (channels) and V3 (topics), written and read."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from .._core.classify.code_and_status import code_of
from ..streams.session.dialect import Arg, Kind, Message
from ..telemetry.redaction import register_secret
from .signing import sign_login

__all__ = ["Frames", "FramesV2", "FramesV3"]

_GOOD = (None, "0", "00000")
_BOOKS = "books"


class Frames:
    """What both versions share. Holds the credentials, and no state of a connection: safe to share.

    Attributes:
        heard: is told of every update that is read.
    """

    ping = "ping"
    name = ""
    """The key under which a subscription names what it is of."""
    private: frozenset[str] = frozenset()
    """What belongs to the socket that logs in."""

    def __init__(self, key: str = "", secret: str = "", passphrase: str = "") -> None:
        self._key, self._secret, self._passphrase = key, secret, passphrase
        self.heard: Callable[[Mapping[str, Any]], None] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def login(self, at: float) -> str:
        """Return the login frame; the stamp is in whole seconds, as a text."""
        stamp = str(int(at))
        signature = sign_login(self._secret, stamp)
        register_secret(signature, passing=True)
        told = {"apiKey": self._key, "passphrase": self._passphrase, "timestamp": stamp, "sign": signature}
        return _written("login", [told])

    def subscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that asks for these subscriptions."""
        return _written("subscribe", args)

    def unsubscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that gives these subscriptions up."""
        return _written("unsubscribe", args)

    def trade(self, request: str, act: str, params: Mapping[str, Any]) -> str:
        """Return the frame that asks for an act, such as `place-order`, with its parameters under this id.

        Raises:
            ValueError: what says of which market it is is missing.
        """
        raise NotImplementedError

    def done(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an answer says of the order: its ids."""
        raise NotImplementedError

    def id(self, arg: Arg) -> Hashable:
        """Return what tells a subscription from others: an echo may hold more than was asked, or say `default`."""
        which = arg.get("instId") or arg.get("symbol") or arg.get("coin") or "default"
        told = (arg.get("instType"), arg.get(self.name), which, arg.get("interval", ""))
        return tuple(str(one).upper() for one in told)

    def read(self, frame: str | bytes) -> Message:
        """Say what a frame means.

        Raises:
            ValueError: it is no frame of Bitget's.
        """
        if frame == "pong":
            return Message(Kind.PONG)
        if not isinstance(frame, str):
            raise ValueError("a binary frame")
        body = json.loads(frame)
        if not isinstance(body, dict):
            raise ValueError("no JSON object")
        event, arg = body.get("event"), body.get("arg")
        about = self.id(arg) if isinstance(arg, Mapping) else None
        if event is None and "action" in body and about is not None:
            return self._update(body, about, arg)
        return self._answer(body, str(event or ""), about)

    def _answer(self, body: Mapping[str, Any], event: str, about: Hashable) -> Message:
        code, told = code_of(body.get("code")), str(body.get("msg") or "")
        request, op = _request(body), str(body.get("op") or "")
        if event == "error" or code not in _GOOD:
            return Message(Kind.ERROR, body, about, op, code or "", told, request)
        kinds = {"login": Kind.LOGIN, "subscribe": Kind.ACK, "unsubscribe": Kind.ACK, "trade": Kind.TRADE}
        return Message(kinds.get(event, Kind.OTHER), body, about, event, request=request)

    def _update(self, body: Mapping[str, Any], about: Hashable, arg: Any) -> Message:
        if self.heard is not None:
            self.heard(body)
        snapshot = body.get("action") == "snapshot"
        seq, after = _numbers(body.get("data")) if str(arg.get(self.name, "")) == _BOOKS else (None, None)
        return Message(Kind.DATA, body, about, seq=seq, after=after, snapshot=snapshot)

    # --- what a user may subscribe to -----------------------------------------------------------------

    def checked(self, arg: Mapping[str, Any]) -> dict[str, Any]:
        """Return a subscription as Bitget wants it.

        Raises:
            ValueError: something is missing, or is no text; the message says what would be right.
        """
        for key in ("instType", self.name):
            if not isinstance(arg.get(key), str) or not arg[key]:
                raise ValueError(f"{dict(arg)}: needs {key}, for example {self.example}")
        for key, value in arg.items():
            if not isinstance(key, str) or not isinstance(value, str) or not value:
                raise ValueError(f"{dict(arg)}: {key!r}: expected a text, got {value!r}")
        return self._whole(dict(arg))

    @property
    def example(self) -> dict[str, str]:
        """A subscription that is right."""
        raise NotImplementedError

    def route(self, arg: Arg) -> str:
        """Return which socket a subscription belongs to."""
        return "private" if self._is_private(arg) else "public"

    def _is_private(self, arg: Arg) -> bool:
        return arg[self.name] in self.private

    def _whole(self, arg: dict[str, Any]) -> dict[str, Any]:
        return arg


class FramesV2(Frames):
    """V2: `{"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}`."""

    name = "channel"
    private = frozenset(
        {
            "account", "account-crossed", "account-isolated", "adl-notification", "equity", "fill", "orders",
            "orders-algo", "orders-crossed", "orders-isolated", "positions", "positions-history",
        }
    )  # fmt: skip

    @property
    def example(self) -> dict[str, str]:
        """A subscription that is right."""
        return {"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}

    def _whole(self, arg: dict[str, Any]) -> dict[str, Any]:
        """Add what Bitget wants of a private channel that is asked for as a whole."""
        if "instId" in arg or "coin" in arg:
            return arg
        if not self._is_private(arg):
            raise ValueError(f"{arg}: needs instId, for example {self.example}")
        return {**arg, ("coin" if arg["channel"].startswith(("account", "equity")) else "instId"): "default"}

    def trade(self, request: str, act: str, params: Mapping[str, Any]) -> str:
        """Return a trade frame: `instType` and `instId` on top, the rest beneath."""
        head = {name: _needed(params, name, "instType='SPOT', instId='BTCUSDT'") for name in ("instType", "instId")}
        rest = {name: value for name, value in params.items() if name not in head}
        return _written("trade", [{"id": request, **head, "channel": act, "params": rest}])

    def done(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ids in an answer's `arg`."""
        told = _first(body.get("arg")).get("params")
        return told if isinstance(told, Mapping) else {}


class FramesV3(Frames):
    """V3: `{"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"}`; private: `{"instType": "UTA", …}`."""

    name = "topic"

    @property
    def example(self) -> dict[str, str]:
        """A subscription that is right."""
        return {"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"}

    def trade(self, request: str, act: str, params: Mapping[str, Any]) -> str:
        """Return a trade frame: `category` on top, the rest in `args`."""
        category = _needed(params, "category", "category='spot'")
        rest = {name: value for name, value in params.items() if name != "category"}
        told = {"op": "trade", "id": request, "category": category, "topic": act, "args": [rest]}
        return json.dumps(told, separators=(",", ":"), allow_nan=False)

    def done(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ids in an answer's `args`."""
        return _first(body.get("args"))

    def _is_private(self, arg: Arg) -> bool:
        return str(arg["instType"]).upper() == "UTA"


def _written(op: str, args: Sequence[Arg]) -> str:
    return json.dumps({"op": op, "args": [dict(one) for one in args]}, separators=(",", ":"), allow_nan=False)


def _needed(params: Mapping[str, Any], name: str, example: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: expected a text, as in {example}, got {value!r}")
    return value


def _first(rows: Any) -> Mapping[str, Any]:
    """Return the first mapping of a list, or an empty one."""
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else {}


def _request(body: Mapping[str, Any]) -> str | None:
    """Return the id of the request that a frame answers: on top in V3, in the first arg in V2."""
    return code_of(body.get("id")) or code_of(_first(body.get("arg")).get("id"))


def _numbers(rows: Any) -> tuple[int | None, int | None]:
    """Return (number, number before it) of an order book's update."""
    first = _first(rows)
    seq, before = code_of(first.get("seq")), code_of(first.get("pseq"))
    return (int(seq) if seq and seq.isdecimal() else None, int(before) if before and before.isdecimal() else None)
