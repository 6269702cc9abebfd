"""Binds what is known of a venue as data to a wrapped exchange of ccxt: windows, stamps, bounds, answers.

The figures of a fence are read in each finished request, so that a window that ccxt drops on the way lengthens it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
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
from .endpoint_names import endpoint_name
from .exchange_support import ExchangeSupport, PreparedRequest, WrappedExchange
from .key_parameters import KeyParameters
from .method_names import MethodInfo
from .venue_lookup import find_message, message_params, venue_reconciler
from .venue_methods import VenueMethods

__all__ = ["VenueSupport"]

_SIGNED_BY_CCXT = ("apiKey", "timestamp", "signature")


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
        self._methods = VenueMethods(venue)
        self._keys = KeyParameters(venue)

    def describe(self, method: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for a method, beyond what its name says."""
        fields, keys = self._methods.fields_of(method), self._methods.keys_of(method)
        if keys is None:
            return fields
        return fields | keys | {"reconcile": venue_reconciler(self._exchange, self, wrapped)}

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
        params = self._keys.with_key(write, request.params, call.key)
        self._keys.check(write, params, call.key)
        return self._with_window(write, self._keys.without_stray_key(write, params, call.key), call.window)

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
        params = self._keys.without_stray_key(write, given, key)
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
