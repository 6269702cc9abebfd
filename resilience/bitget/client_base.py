"""Implements all of a Bitget client that neither sends nor waits; shared by the sync and the async client.

A request is built, stamped and signed for each attempt. When the exchange rejects a stamp, the client measures the
exchange's clock, so that the next attempt's stamp is accepted.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from .._core.base.routine import Invocation, Routine
from .._core.call.context import CurrentCall, current_call
from .._core.classify.attributes import get
from ..integrations._http_messages import HttpResponse
from ..telemetry.concealment import SecretText, clear_credentials
from ..telemetry.redaction import REDACTED
from ..venues.server_clock import ServerClock
from .client_ids import check_key
from .confirmation import find_problem
from .envelope import read_envelope
from .errors import BitgetApiError
from .lookups import listed_for
from .operations import BY_PATH, TIME
from .policy_view import PolicyView
from .signing import SECRET_HEADERS, Signer, sorted_query
from .stamp_errors import is_stamp_error, needs_time_query, server_time_of
from .undefined_parameters import drop_undefined

__all__ = ["BitgetClientBase", "SignedRequest"]


class SignedRequest(NamedTuple):
    """The request of one attempt. `timeout` is in seconds, `started_at` is a monotonic instant."""

    method: str
    path: str
    params: dict[str, Any]
    url: str
    headers: dict[str, str]
    data: bytes | None
    timeout: float = 0.0
    started_at: float = 0.0


class BitgetClientBase(PolicyView):
    """The parts of a client that neither send nor wait. Safe across threads and tasks."""

    _transmit: Callable[..., Any]  # sends one request; of the session's HTTP library

    def __init__(
        self,
        key: str = "",
        secret: str = "",
        passphrase: str = "",
        *,
        base_url: str = "https://api.bitget.com",
        strict_param_validation: bool = False,
        timeout: float = 10.0,
        receive_window: float = 30.0,
        demo: bool = False,
        locale: str = "en-US",
        session: Any = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create the client; nothing is sent.

        Args:
            key: API key; without credentials only public endpoints work.
            secret: API secret.
            passphrase: the key's passphrase.
            base_url: URL of the API.
            strict_param_validation: reject parameters that are None instead of omitting them.
            timeout: seconds of silence after which a request is given up.
            receive_window: seconds for which the exchange may accept a spot order, below 60.
            demo: the key is for demo trading.
            locale: language of the API's messages.
            session: the HTTP session to use; a new one without retries by default.
            clock: Unix time in seconds, for stamps until the exchange's clock was measured.

        Raises:
            ValueError: only some of the credentials are given, or the window is out of range.
        """
        key, secret, passphrase = SecretText(key or ""), SecretText(secret or ""), SecretText(passphrase or "")
        if not 0 < receive_window < 60:
            raise ValueError(f"receive_window: expected more than 0 and less than 60 seconds, got {receive_window!r}")
        # Paths begin with a slash.
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.receive_window = receive_window
        self.demo = demo
        self.strict_param_validation = strict_param_validation
        self.clock = ServerClock(clock)
        self._signer = Signer(key, secret, passphrase, demo=demo, locale=locale)
        self._session = self._new_session() if session is None else self._adopt_session(session)
        listed_for()  # loads the venue's file now, so that a first call need not

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {vars(self).get('base_url', 'not made yet')}>"

    @abstractmethod
    def _new_session(self) -> Any:
        """Return a new HTTP session."""

    def _adopt_session(self, session: Any) -> Any:
        """Return the caller's session with its own retries switched off: they could send an order twice."""
        return session

    # --- one attempt -----------------------------------------------------------------------------

    def _sending(self, method: str, path: str, params: Mapping[str, Any] | None) -> Routine[dict[str, Any]]:
        """Send a request and return the whole envelope."""
        request = yield from self._preparing_request(method, path, params)
        options = {"headers": request.headers, "data": request.data, "timeout": request.timeout}
        try:
            response = yield Invocation(self._transmit, (self._session, method, request.url), options)
        except BaseException as error:
            self._redact_request(error)
            raise
        try:
            return self._read_response(request, response)
        except BitgetApiError as error:
            # Without the second condition a rejected time query would query the time again, without end.
            if needs_time_query(error) and path != TIME:
                yield from self._measuring_clock()
            raise

    def _measuring_clock(self) -> Routine[None]:
        """Measure the exchange's clock; if that fails, the clock stays as it is and the caller gets the rejection."""
        sent = self.clock.monotonic()
        try:
            self.clock.measure((yield Invocation(self.server_time)), sent)
        # The caller must get the rejection of its own request, and not the error of this query.
        except Exception:
            pass

    def _preparing_request(self, method: str, path: str, params: Mapping[str, Any] | None) -> Routine[SignedRequest]:
        """Build, stamp and sign a request; an error in here says that nothing was sent, so nothing is looked up."""
        try:
            call, stamp = current_call(), int(self.clock.now() * 1000)
            request = self._build_request(method, path, params, call, stamp)
            # The stamp bounds until when the exchange may still execute this attempt; an unsigned request has none.
            if call is not None and self._signer.has_credentials:
                yield Invocation(call.record_stamp, (stamp / 1000,))
            # Asked last: an outbox takes its time to store the stamp.
            return request._replace(timeout=self._timeout(call), started_at=self.clock.monotonic())
        except Exception as error:
            # Set through `vars`: the error may be of any class, and its own `__setattr__` must not interfere.
            vars(error)["resilience_executed"] = "no"
            raise

    def _build_request(
        self, method: str, path: str, params: Mapping[str, Any] | None, call: CurrentCall | None, stamp: int
    ) -> SignedRequest:
        clean = drop_undefined(params or {}, strict=self.strict_param_validation)
        # The path without its query, as in `resilience_operation_name`: both must agree on what sends a window.
        bare_path = path.partition("?")[0]
        known = BY_PATH.get((method, bare_path))
        if method == "POST":
            check_key(call, known, bare_path, clean)
        if known is not None and known.sends_window:
            clean |= {"requestTime": str(stamp), "receiveWindow": str(int(self._window(call) * 1000))}
        query = sorted_query(clean) if method == "GET" else ""
        # The signature covers these bytes, so exactly they must be sent; NaN is not valid JSON.
        body = json.dumps(clean, separators=(",", ":"), allow_nan=False) if method == "POST" else ""
        # The query is signed unescaped and sent escaped.
        sent = "&".join(f"{quote(key)}={quote(str(clean[key]))}" for key in sorted(clean)) if method == "GET" else ""
        url = self.base_url + path + (f"?{sent}" if sent else "")
        headers = self._signer.headers(method, path, query, body, str(stamp))
        data = body.encode() if body else None
        return SignedRequest(method, path, clean, url, headers, data)

    @staticmethod
    def _redact_request(error: BaseException) -> None:
        """Remove the credentials from the request of a transport error, which was sent already, and from its frames."""
        clear_credentials(error)
        headers = get(get(error, "request"), "headers")
        for name in SECRET_HEADERS:
            if headers is not None and name in headers:
                headers[name] = REDACTED

    def _read_response(self, request: SignedRequest, response: HttpResponse) -> dict[str, Any]:
        """Return the envelope of a success; set the clock if a stamp was rejected and the response has the time.

        Raises:
            BitgetApiError: the response is not a success.
        """
        try:
            return read_envelope(response, self._redacted_options(request), find_problem=self._confirmation(request))
        except BitgetApiError as error:
            server_time = server_time_of(error)
            # Only a rejected stamp changes the clock: every response has a time, but each is off by its own delay.
            if server_time is not None and is_stamp_error(error):
                self.clock.measure(server_time, request.started_at)
            raise

    @staticmethod
    def _confirmation(request: SignedRequest) -> Callable[[Any], str | None]:
        """Return the function that says why a success does not confirm the request; a read needs no confirmation."""
        if request.method != "POST":
            return lambda _data: None
        known = BY_PATH.get((request.method, request.path.partition("?")[0]))
        return partial(find_problem, known, request.params)

    def _window(self, call: CurrentCall | None) -> float:
        """Return the policy's receive window in seconds if it sets one, else the client's own."""
        window = None if call is None else call.window
        return self.receive_window if window is None or not 0 < window < 60 else window

    def _timeout(self, call: CurrentCall | None) -> float:
        left = None if call is None else call.timeout
        # HTTP libraries take a timeout of 0 for an error or for "none at all".
        return self.timeout if left is None else max(0.001, min(self.timeout, left))

    def _redacted_options(self, request: SignedRequest) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.path,
            "params": dict(request.params),
            "base_url": self.base_url,
            "timeout": self.timeout,
            "strict_param_validation": self.strict_param_validation,
            "demo": self.demo,
            "key": "***",
            "secret": "***",
            "passphrase": "***",
        }
