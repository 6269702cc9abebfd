"""Writes and reads the frames of Bitget's sockets: what V2 (channels) and V3 (topics) have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from .._core.base.bounded_dict import BoundedDict
from .._core.classify.code_and_status import code_of
from ..integrations.json_parser import parse_json
from ..streams.session.dialect import Arg, Message, MessageKind
from ..streams.session.order_book import BookChange
from ..telemetry.concealment import SecretText
from ..telemetry.redaction import register_secret
from .order_reports import REPORTING_CHANNELS, report_orders
from .signing import sign_login

__all__ = ["BitgetDialect", "first_mapping", "op_frame", "required_text"]

_SUCCESS_CODES = (None, "0", "00000")
_BOOKS = "books"
_MAX_IDS = 4096  # arguments of frames
_MAX_DIGITS = 40  # of a number in a string
_KINDS = {
    "login": MessageKind.LOGIN,
    "subscribe": MessageKind.ACK,
    "unsubscribe": MessageKind.ACK,
    "trade": MessageKind.TRADE,
}


class BitgetDialect:
    """The protocol of Bitget's sockets. Holds the credentials and no state of a connection, so it can be shared.

    Attributes:
        parse: parses the text of a frame.
        on_update: called with every update that is read, or None.
        account: the account whose orders the private channels report, or None if it is not known.
    """

    ping = "ping"
    name = ""
    """The field of a subscription that names its channel or topic."""
    private: frozenset[str] = frozenset()
    """Channels that belong to the socket that logs in."""

    def __init__(self, key: str = "", secret: str = "", passphrase: str = "") -> None:
        self._key, self._secret, self._passphrase = SecretText(key), SecretText(secret), SecretText(passphrase)
        self._ids: BoundedDict[Hashable, Hashable] = BoundedDict(_MAX_IDS)
        self.parse: Callable[[str], Any] = parse_json
        self.on_update: Callable[[Mapping[str, Any]], None] | None = None
        self.account: str | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def login(self, at: float) -> str:
        """Return the login frame; `at` is the venue's Unix time in seconds."""
        stamp = str(int(at))  # Bitget wants whole seconds, as a string
        # The signature is registered, so that the redactor removes it from any text that quotes the frame.
        signature = sign_login(self._secret, stamp)
        register_secret(signature, passing=True)
        arg = {"apiKey": self._key, "passphrase": self._passphrase, "timestamp": stamp, "sign": signature}
        return SecretText(op_frame("login", [arg]))

    def subscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that requests these subscriptions."""
        return op_frame("subscribe", args)

    def unsubscribe(self, args: Sequence[Arg]) -> str:
        """Return the frame that removes these subscriptions."""
        return op_frame("unsubscribe", args)

    def trade(self, request: str, action: str, params: Mapping[str, Any]) -> str:
        """Return the frame of an order request.

        Args:
            request: id of the request.
            action: such as `place-order`.
            params: Bitget's own parameters.

        Raises:
            ValueError: the parameters that name the market are missing.
        """
        raise NotImplementedError

    def order_ids(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ids of the order in the answer to an order request."""
        raise NotImplementedError

    def id(self, arg: Arg) -> Hashable:
        """Return the identity of a subscription: Bitget's echo may have more fields than the request, or `default`."""
        # V2 names the instrument `instId` or `coin`, V3 `symbol`. An echo may differ in upper and lower case.
        instrument = arg.get("instId") or arg.get("symbol") or arg.get("coin") or "default"
        fields = (arg.get("instType"), arg.get(self.name), instrument, arg.get("interval", ""))
        return tuple(str(value).upper() for value in fields)

    def _known_id(self, arg: dict[str, Any]) -> Hashable:
        """Return `id(arg)`, remembered by the argument: nearly every frame repeats one of a few."""
        fields = tuple(arg.items())
        try:
            known = self._ids.get(fields)
        except TypeError:  # a list, in a frame that is not Bitget's
            return self.id(arg)
        if known is None:
            known = self.id(arg)
            if all(isinstance(value, str) for value in arg.values()):  # 1 and True are equal, and spelled differently
                self._ids[fields] = known
        return known

    def read(self, frame: str | bytes) -> Message:
        """Parse a frame.

        Raises:
            ValueError: it is not a frame of Bitget.
        """
        # Bitget's ping and pong are text frames, and no JSON.
        if frame == "pong":
            return Message(MessageKind.PONG)
        if not isinstance(frame, str):
            raise ValueError("a binary frame")
        body = self.parse(frame)
        if not isinstance(body, dict):
            raise ValueError("not a JSON object")
        event, arg = body.get("event"), body.get("arg")
        id_ = self._known_id(arg) if isinstance(arg, dict) else None
        # Only updates have an `action` and no `event`.
        if event is None and "action" in body and id_ is not None:
            return self._read_update(body, id_, arg)
        return self._read_answer(body, str(event or ""), id_)

    def _read_answer(self, body: Mapping[str, Any], event: str, id_: Hashable) -> Message:
        code, text = code_of(body.get("code")), str(body.get("msg") or "")
        request, op = _request_id(body), str(body.get("op") or "")
        if event == "error" or code not in _SUCCESS_CODES:
            return Message(MessageKind.ERROR, body, id_, op, code or "", text, request)
        return Message(_KINDS.get(event, MessageKind.OTHER), body, id_, event, request=request)

    def _read_update(self, body: Mapping[str, Any], id_: Hashable, arg: Any) -> Message:
        if self.on_update is not None:
            self.on_update(body)
        channel = str(arg.get(self.name, ""))
        if channel in REPORTING_CHANNELS:
            report_orders(body, self.account)
        snapshot = body.get("action") == "snapshot"
        # `books5` and `books15` send full snapshots, whose numbers need not follow each other.
        if channel != _BOOKS:
            return Message(MessageKind.DATA, body, id_, snapshot=snapshot)
        rows = body.get("data")
        seq, after = _sequence_numbers(rows)
        return Message(
            MessageKind.DATA, body, id_, seq=seq, after=after, snapshot=snapshot, book=self._book_changes(rows)
        )

    def _book_changes(self, _rows: Any) -> Sequence[BookChange]:
        """Return the changes of an order book that has a checksum; none where its updates name the one before."""
        return ()

    # --- subscriptions of the user --------------------------------------------------------------------

    def validate(self, arg: Mapping[str, Any]) -> dict[str, Any]:
        """Return a subscription in the form that Bitget accepts.

        Raises:
            ValueError: a field is missing or is not a string; the message shows a correct example.
        """
        for key in ("instType", self.name):
            if not isinstance(arg.get(key), str) or not arg[key]:
                raise ValueError(f"{dict(arg)}: needs {key}, for example {self.example}")
        for key, value in arg.items():
            if not isinstance(key, str) or not isinstance(value, str) or not value:
                raise ValueError(f"{dict(arg)}: {key!r}: expected a string, got {value!r}")
        return self._complete(dict(arg))

    @property
    def example(self) -> dict[str, str]:
        """A correct subscription."""
        raise NotImplementedError

    def route(self, arg: Arg) -> str:
        """Return the name of the socket that a subscription belongs to: `private` or `public`."""
        return "private" if self._is_private(arg) else "public"

    def _is_private(self, arg: Arg) -> bool:
        return arg[self.name] in self.private

    def _complete(self, arg: dict[str, Any]) -> dict[str, Any]:
        return arg


def op_frame(op: str, args: Sequence[Arg]) -> str:
    """Return a frame with an operation and its arguments."""
    return json.dumps({"op": op, "args": [dict(arg) for arg in args]}, separators=(",", ":"), allow_nan=False)


def required_text(params: Mapping[str, Any], name: str, example: str) -> str:
    """Return a parameter that must be a string.

    Raises:
        ValueError: it is missing, empty, or not a string.
    """
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: expected a string, as in {example}, got {value!r}")
    return value


def first_mapping(rows: Any) -> Mapping[str, Any]:
    """Return the first item of a list if it is a mapping, else an empty mapping."""
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], Mapping) else {}


def _request_id(body: Mapping[str, Any]) -> str | None:
    # V3 has the id at the top, V2 in the first arg.
    return code_of(body.get("id")) or code_of(first_mapping(body.get("arg")).get("id"))


def _sequence_numbers(rows: Any) -> tuple[int | None, int | None]:
    """Return (number, number of the update before it) of an order book's update."""
    first = first_mapping(rows)
    return _number_in(first.get("seq")), _number_in(first.get("pseq"))


def _number_in(value: Any) -> int | None:
    """Return a sequence number, which may have 19 digits and more."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and len(value) <= _MAX_DIGITS else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
