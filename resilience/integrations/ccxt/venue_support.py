"""Binds what is known of a venue as data to a wrapped exchange of ccxt: keys, windows, stamps, answers, lookups.

The figures of a fence are read in each finished request, so that a window that ccxt drops on the way lengthens it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Literal, NamedTuple

from ..._core.call.context import current_call
from ..._core.stages.fence import Fence
from ...venues import confirmed_writes
from ...venues.known_venue import Venue, WriteSettings
from ...venues.limit_waits import limit_wait
from ...venues.order_rows import unix_seconds, value_at
from ...venues.server_clock import ServerClock
from ...venues.signed_requests import expiry_header, parsed, stamp_in, window_in
from .batch_log import BATCH
from .endpoint_names import endpoint_name
from .exchange_support import ExchangeSupport, PreparedRequest, WrappedExchange
from .method_names import MethodInfo, is_socket_call
from .venue_lookup import batch_items, find_message, message_params, venue_reconciler

__all__ = ["VenueSupport"]

_EDITS = re.compile(r"edit_(?:\w+_)?order(?:_\w+)?")
_SIGNED_BY_CCXT = ("apiKey", "timestamp", "signature")
_CANCELS = re.compile(r"cancel_(?!all_)(?:\w+_)?order(?:_\w+)?")


class _Parts(NamedTuple):
    """Headers, parameters and stamp of a request, or what a message over a socket has in their place."""

    headers: object
    params: object
    stamp: float | None


class VenueSupport(ExchangeSupport):
    """What is known of a venue, for one exchange of ccxt. Safe across threads and tasks."""

    reads_by_get = True

    def __init__(self, venue: Venue, exchange: WrappedExchange) -> None:
        self.venue = venue
        self.registry = venue.id
        self.hook: Any = import_module(venue.hook) if venue.hook else None
        self._exchange = exchange
        self._clock = ServerClock(time.time)
        self._measured = False
        self._shape = re.compile(venue.key.shape)
        self._by_name = {name.lower(): write for write in venue.writes for name in write.endpoints}

    def describe(self, method: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for a method, beyond what its name says."""
        is_socket = is_socket_call(method.operation)
        fields: dict[str, Any] = {
            "can_resync_clock": not is_socket, "signs": not is_socket, "fence": self._fence(method),
            "sends_window": self._sends_window(method),
        }  # fmt: skip
        shown = self._keys_of(method)
        if shown is None:
            return fields
        key = self.venue.key
        if key.prefix or key.digits != 32:
            fields["make_key"] = lambda: f"{key.prefix}{secrets.token_hex(16)[: key.digits]}"
        return fields | shown | {"reconcile": venue_reconciler(self._exchange, self, wrapped)}

    def _keys_of(self, method: MethodInfo) -> dict[str, Any] | None:
        """Return key and idempotency of a method that can be looked up, else None."""
        key = self.venue.key
        unified = f"params.{'|'.join(key.parameters)}"
        twin = method.operation.removesuffix("_ws")
        known = self._known(method)
        if known is not None and not self.venue.orders[known.order].queries:
            return None
        if known is not None:
            is_new = known.action in ("place", "replace")
            own = f"params.{known.key}" if known.key and is_new and not known.items else None
            return {"idempotent": not is_new, "key": own} if own or not is_new else None
        if method.key is not None:
            return {"key": unified}
        if _EDITS.fullmatch(twin):
            replacing = f"params.{'|'.join(key.replacing or key.parameters)}"
            return {"key": replacing} if self.venue.amends_by_key else {"idempotent": True}
        return {} if _CANCELS.fullmatch(twin) else None

    def _known(self, method: MethodInfo) -> WriteSettings | None:
        """Return what is known of the endpoint of an implicit method, or None."""
        return self._by_name.get(method.operation.replace("_", "").lower())

    def _sends_window(self, method: MethodInfo) -> bool:
        """Return whether every request that a method may send carries the window of the policy."""
        known = self._known(method)
        return all(write.expires for write in (self.venue.writes if known is None else (known,)))

    def _fence(self, method: MethodInfo) -> Fence:
        """Return bounds that hold for every order that a method may be about, for a request whose own are not known."""
        known = self._known(method)
        kinds = self.venue.orders.values() if known is None else (self.venue.orders[known.order],)
        lags = [order.lag for order in kinds]
        return Fence(
            window=max(self.venue.expiry.send, self.venue.expiry.without),
            processing=max(order.processing for order in kinds),
            # A read proves nothing. One that finds no order is sent once more, and its caller should not wait for long.
            lag=min(lags) if method.read else max(lags),
        )

    def write_of(self, request: Any) -> WriteSettings | None:
        """Return what is known of the endpoint of a request, or None."""
        if request is None or request.path is None:
            return None
        if request.method == "WS":
            return find_message(self.venue, str(request.api))
        name = endpoint_name(type(self._exchange.engine), request.api, request.method, request.path)
        return None if name is None else self.venue.write(name)

    def prepare(self, request: PreparedRequest) -> Any:
        """Return the parameters to send, with the window of the policy where the venue takes it as a parameter.

        Raises:
            ValueError: the client order id is not the call's key, or the venue would refuse it.
        """
        write, call = self.write_of(request), current_call()
        if write is None or call is None:
            return request.params
        params = self._with_key(write, request.params, call.key)
        self._check_key(write, params, call.key)
        return self._with_window(write, self._without_stray_key(write, params, call.key), call.window)

    def _with_key(self, write: WriteSettings, params: Any, key: str | None) -> Any:
        """Return the parameters with the key by its own name, where ccxt does not know it or passes another one on."""
        own = self.venue.key
        if key is None or write.items or not isinstance(params, Mapping) or params.get(write.key) is not None:
            return params
        if write.action == "replace":
            passed_on = [name for name in own.replacing if params.get(name) == key]
            rest = {name: value for name, value in params.items() if name not in passed_on}
            return {**rest, write.key: key} if passed_on else params
        return {**params, write.key: key} if write.action == "place" and write.key not in own.parameters else params

    def _check_key(self, write: WriteSettings, params: Any, key: str | None) -> None:
        if write.action not in ("place", "replace"):
            return
        items, batch = batch_items(write, params), BATCH.get()
        if key is None and batch is not None and batch.keys:
            _check_keys_of_items([item.get(write.key) for item in items], batch.keys)
        if key is None:
            return
        sent = items[0].get(write.key) if len(items) == 1 else key
        # Under another id the lookup would not find the order, and it would be sent again.
        if sent != key:
            raise ValueError(f"{write.key}: {sent!r} would be sent, but the key of this call is {key!r}")
        if not self._shape.fullmatch(key):
            raise ValueError(f"{write.key}: {self.venue.name} would reject {key!r}: expected {self.venue.key.shape}")

    def _without_stray_key(self, write: WriteSettings, params: Any, key: str | None) -> Any:
        """Return the parameters without a key that was made for a new order, where an order is changed in place."""
        if key is None or write.action != "amend" or not isinstance(params, Mapping):
            return params
        # The id of an order that is changed by it stays; one that was made for a new order names none that is there.
        names = {*self.venue.key.replacing, *((write.key,) if params.get(write.id) else ())}
        return {name: value for name, value in params.items() if name not in names or value != key}

    def _with_window(self, write: WriteSettings, params: Any, wanted: float | None) -> Any:
        expiry = self.venue.expiry
        milliseconds = self._milliseconds(wanted)
        if not write.expires or milliseconds <= 0:
            return params
        takes = expiry.carrier == "parameter" and isinstance(params, Mapping) and expiry.name not in params
        return {**params, expiry.name: self._shorter(milliseconds, wanted)} if takes else params

    def _milliseconds(self, wanted: float | None) -> int:
        expiry = self.venue.expiry
        return int(min(expiry.send if wanted is None else wanted, expiry.most) * 1000)

    def signing_options(self, request: Any) -> Mapping[str, Any]:
        """Return options of ccxt for signing this request alone: the window of the policy, where it is one of them."""
        expiry, call = self.venue.expiry, current_call()
        if expiry.carrier != "option" or call is None or call.window is None:
            return {}
        write = self.write_of(request)
        return {expiry.option: self._milliseconds(call.window)} if write is not None and write.expires else {}

    def _shorter(self, milliseconds: int, wanted: float | None) -> int:
        """Return the window to send: the user's own option where it is shorter, and the policy says nothing."""
        own = self._exchange.engine.options.get(self.venue.expiry.name)
        return min(own, milliseconds) if wanted is None and isinstance(own, int) and own > 0 else milliseconds

    def stamped_params(self, method: str, path: str, params: Any) -> Any:  # noqa: ARG002
        """Return the parameters to sign, with the stamp beside the window where the venue wants one."""
        expiry = self.venue.expiry
        if not expiry.stamp or not isinstance(params, Mapping) or expiry.name not in params:
            return params
        return {**params, expiry.stamp: str(int(self._exchange.engine.nonce()))}

    def finish(self, request: Any, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a signed request, with the header that lets it expire."""
        expiry, write, call = self.venue.expiry, self.write_of(request), current_call()
        if expiry.carrier != "header" or write is None or not write.expires or call is None:
            return signed
        stamp, headers = self.stamp_of(signed), dict(signed.get("headers") or {})
        if stamp is None or any(str(name).casefold() == expiry.name.casefold() for name in headers):
            return signed
        window = self._milliseconds(call.window) / 1000
        return {**signed, "headers": {**headers, expiry.name: expiry_header(expiry, stamp, window)}}

    def finish_message(self, request: Any, message: Any) -> float | None:
        """Add to a message over a socket what lets it expire; return its stamp."""
        expiry, write, call = self.venue.expiry, self.write_of(request), current_call()
        if write is None or call is None:
            return None
        self._drop_stray_key(write, message, call.key)
        stamp = self._message_parts(message).stamp
        if stamp is not None and expiry.carrier == "header" and write.expires:
            message.setdefault(expiry.name, expiry_header(expiry, stamp, self._milliseconds(call.window) / 1000))
        inner, options = message.get("header"), self.signing_options(request)
        if isinstance(inner, dict) and options:
            # Nothing signs a message: what an option would change in a request is written here.
            inner[expiry.name] = str(options[expiry.option])
        return stamp

    def _drop_stray_key(self, write: WriteSettings, message: Any, key: str | None) -> None:
        """Take a key that was made for a new order out of a message that changes one, and sign it anew."""
        given = message.get("params")
        params = self._without_stray_key(write, given, key)
        if params is not given:
            signed = {name: value for name, value in params.items() if name not in _SIGNED_BY_CCXT}
            message["params"] = self._exchange.engine.sign_params(signed)

    def _message_parts(self, message: Mapping[str, Any]) -> _Parts:
        """Return headers, parameters and stamp of a message; one that is not stamped is as old as this moment."""
        inner, params = message.get("header"), message_params(message)
        headers = {**message, **(inner if isinstance(inner, Mapping) else {})}
        stamp = stamp_in(self.venue.clock, "", headers, params)
        return _Parts(headers, params, self._now() if stamp is None else stamp)

    def stamp_of(self, signed: Mapping[str, Any]) -> float | None:
        """Return the stamp of a signed request in Unix seconds, or None."""
        return stamp_in(self.venue.clock, signed.get("url"), signed.get("headers"), signed.get("body"))

    def fence_of(self, request: Any, url: object, headers: object, body: object) -> Fence | None:
        """Return the bounds of a finished request; None where nothing is known of its endpoint."""
        write = self.write_of(request)
        if write is None:
            return None
        expiry, order = self.venue.expiry, self.venue.orders[write.order]
        if request.method == "WS" and isinstance(body, Mapping):
            parts = self._message_parts(body)
        else:
            parts = _Parts(headers, body, stamp_in(self.venue.clock, url, headers, body))
        window = window_in(expiry, parts.stamp, url, parts.headers, parts.params)
        return Fence(expiry.without if window is None else window, order.processing, order.lag)

    def has_key(self, request: Any) -> bool:
        """Return whether a request is one that the key of the call belongs into."""
        write = self.write_of(request)
        if write is None or write.action in ("place", "replace"):
            return True
        # What cannot be looked up does not wait for lookups: it counts as a write whose key is missing.
        return not self.venue.orders[write.order].queries

    def _now(self) -> float:
        return self._clock.now() if self._measured else self._exchange.engine.milliseconds() / 1000

    def nonce(self, own: Any) -> Any:
        """Return the venue's time in milliseconds if it was measured, else ccxt's own nonce."""
        return int(self._clock.now() * 1000) if self._measured else own

    def wait_of(self, status: int | None, body: str, headers: Mapping[str, Any]) -> tuple[str, float | None] | None:
        """Return what a refusal by a limit or a ban keeps from being sent, and for how long; None for others."""
        waits, answer = self.venue.limits.waits, parsed(body)
        if str(status) not in waits and not any(code in body for code in waits):
            return None
        answered = unix_seconds(value_at(answer, self.venue.answer.time)) if self.venue.answer.time else None
        now = self._now() if answered is None else answered
        return limit_wait(self.venue, status, confirmed_writes.codes_in(self.venue, answer), headers, now)

    def refuses_stamp(self, body: str) -> bool:
        """Return whether an answer refuses a stamp."""
        codes = self.venue.clock.codes
        # Most answers have none of them, and need not be parsed.
        if not any(code in body for code in codes):
            return False
        return not confirmed_writes.codes_in(self.venue, parsed(body)).isdisjoint(codes)

    def learn_rejection(self, body: str, sent_at: float) -> bool:
        """Measure the venue's clock from an answer that refuses a stamp; return whether it does without its time."""
        if not self.refuses_stamp(body):
            return False
        path = self.venue.answer.time
        milliseconds = str(value_at(parsed(body), path)) if path else ""
        if not milliseconds.isdecimal() or len(milliseconds) >= 20 or int(milliseconds) == 0:
            return True
        self.learn_time(int(milliseconds), sent_at)
        return False

    def learn_time(self, milliseconds: Any, sent_at: float) -> None:
        """Set the venue's clock from the answer to a request that was sent at a monotonic instant."""
        self._clock.measure(int(milliseconds) / 1000, sent_at)
        self._measured = True

    def problem(self, request: Any, response: Any) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Return why a response with a success status is not a success, or None if it is one."""
        write, call = self.write_of(request), current_call()
        if write is None:
            return None
        key = call.key if call is not None and write.action in ("place", "replace") else None
        return confirmed_writes.find_problem(self.venue, write, response, key)


def _check_keys_of_items(sent: list[Any], keys: Sequence[str]) -> None:
    """Check that each order of a batch carries its own client order id, which ccxt may take from elsewhere."""
    if not set(sent) <= set(keys) or len(set(sent)) < len(sent):
        raise ValueError(f"the client order ids {sent!r} would be sent, but those of this batch are {list(keys)!r}")
