"""What both Bitget clients share: everything but the sending.

A request is built, stamped and signed anew for each attempt. When the exchange refuses a stamp the
client learns its clock, so that signing anew helps. The client says of itself which calls read,
which write, and how a write in doubt is looked up.
"""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from .._core.call.context import CurrentCall, current_call
from .._core.call.operation_info import OperationInfo
from .._core.call.reconcile import Fence, Found, NotFound
from .._core.classify.evidence import get
from ..config.codes.code_tables import CodeRegistry
from ..integrations._http_messages import HttpResponse
from ..integrations._order_lanes import lane_of
from ..telemetry.redaction import REDACTED
from .answers import opened
from .endpoints import NamedCalls
from .errors import BitgetApiError
from .lookups import Asked
from .operations import BY_PATH, OPERATIONS, Operation, told
from .params import defined
from .server_clock import ServerClock
from .signing import SECRET_HEADERS, Signer, query_of

__all__ = ["Client", "Request"]

_STAMP_WINDOW = 30.0  # seconds for which a signed stamp is accepted where the request carries no window


class Request(NamedTuple):
    """One attempt's request, ready to be sent. `began` is a monotonic instant, `timeout` seconds."""

    method: str
    path: str
    params: dict[str, Any]
    url: str
    headers: dict[str, str]
    data: bytes | None
    timeout: float
    began: float


class Client(NamedCalls):
    """The parts of a client that neither send nor wait. Safe across threads and tasks."""

    _refusals: Mapping[type, type] = {}

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
        """Set the client up; nothing is sent.

        Args:
            key: API key; without credentials only public endpoints work.
            secret: API secret.
            passphrase: the key's passphrase.
            base_url: where the API is.
            strict_param_validation: refuse parameters that are None instead of leaving them out.
            timeout: seconds of silence after which a request is given up.
            receive_window: seconds for which the exchange may accept a spot order, below 60.
            demo: the key is one for demo trading.
            locale: language of the API's messages.
            session: the HTTP session to send through; one without retries is made by default.
            clock: Unix time in seconds, for stamps until the exchange has told its own.

        Raises:
            ValueError: only some of the credentials are given, or the window is not allowed.
        """
        if not 0 < receive_window < 60:
            raise ValueError(f"receive_window: allowed is more than 0 and less than 60 seconds, got {receive_window!r}")
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.receive_window = receive_window
        self.demo = demo
        self.strict_param_validation = strict_param_validation
        self.clock = ServerClock(clock)
        self._signer = Signer(key, secret, passphrase, demo=demo, locale=locale)
        self._session = self._new_session() if session is None else self._taken(session)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @abstractmethod
    def _new_session(self) -> Any:
        """Make the HTTP session that requests are sent through."""

    def _taken(self, session: Any) -> Any:
        """Return a session that was given, fit to be sent through: nothing in it may send an order again by itself."""
        return session

    @abstractmethod
    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        """Return the function that looks a write in doubt up, asking through the wrapped client."""

    # --- how a policy sees this client -----------------------------------------------------------

    def resilience_operation_name(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Tell generic calls apart by their path."""
        if method not in ("get", "post"):
            return method
        path = args[0] if args else kwargs.get("path", "")
        return f"{method} {str(path).partition('?')[0]}"

    def resilience_operation_info(self, name: str, wrapped: Any) -> OperationInfo | None:
        """Say how an operation takes part: what it is, where its key travels, how it is looked up."""
        verb, _, path = name.partition(" ")
        known = BY_PATH.get((verb.upper(), path)) if path else OPERATIONS.get(name)
        if known is None:
            return self._binding(name, read=verb == "get") if path else None
        key = f"params.{known.key}" if known.key and path else known.key
        look = None if known.look is None else self._reconciler(wrapped, known)
        window = self.receive_window if known.sends_window else _STAMP_WINDOW
        return self._binding(
            name,
            read=known.method == "GET",
            idempotent=known.harmless or None,
            key=key,
            reconcile=look,
            fence=Fence(window=window),
            sends_window=known.sends_window,
        )

    def _binding(self, name: str, **given: Any) -> OperationInfo:
        return OperationInfo(
            operation=name,
            registry="bitget",
            host=urlsplit(self.base_url).netloc,
            account=self._signer.account,
            lane=None if given.get("read") else lane_of(name),
            rejection_types=self._refusals,
            classify_results=False,
            can_resync_clock=True,
            signs=True,
            **given,
        )

    # --- one attempt -----------------------------------------------------------------------------

    def _request(self, method: str, path: str, params: Mapping[str, Any] | None) -> Request:
        """Build, stamp and sign a request; an error in here tells that nothing was sent, so nothing is looked up."""
        try:
            return self._built(method, path, params)
        except Exception as error:
            vars(error)["resilience_executed"] = "no"
            raise

    def _built(self, method: str, path: str, params: Mapping[str, Any] | None) -> Request:
        clean = defined(params or {}, strict=self.strict_param_validation)
        call, stamp = current_call(), int(self.clock.now() * 1000)
        known = BY_PATH.get((method, path.partition("?")[0]))  # named as `resilience_operation_name` names it
        if known is not None and known.sends_window:
            clean |= {"requestTime": str(stamp), "receiveWindow": str(int(self._window(call) * 1000))}
        query = query_of(clean) if method == "GET" else ""
        body = json.dumps(clean, separators=(",", ":"), allow_nan=False) if method == "POST" else ""
        sent = "&".join(f"{quote(key)}={quote(str(clean[key]))}" for key in sorted(clean)) if method == "GET" else ""
        url = self.base_url + path + (f"?{sent}" if sent else "")
        headers = self._signer.headers(method, path, query, body, str(stamp))
        if call is not None and self._signer.can:
            call.stamp(stamp / 1000)
        data = body.encode() if body else None
        return Request(method, path, clean, url, headers, data, self._timeout(call), self.clock.instant())

    @staticmethod
    def _hide(error: Exception) -> None:
        """Take the credentials out of the request that a transport's error carries; it was sent already."""
        headers = get(get(error, "request"), "headers")
        for name in SECRET_HEADERS:
            if headers is not None and name in headers:
                headers[name] = REDACTED

    def _opened(self, request: Request, answer: HttpResponse) -> dict[str, Any]:
        """Return the envelope of a success; a refused stamp sets the clock where the answer tells the time."""
        known = BY_PATH.get((request.method, request.path))
        needs = known.needs if known is not None else ()
        try:
            return opened(answer, self._options(request), needs=needs)
        except BitgetApiError as error:
            at = _told_at(error)
            if at is not None and _stale(error):
                self.clock.told(at, request.began)
            raise

    def _window(self, call: CurrentCall | None) -> float:
        """Return the policy's window where it sets one, else the client's own."""
        asked = None if call is None else call.window
        return self.receive_window if asked is None or not 0 < asked < 60 else asked

    def _timeout(self, call: CurrentCall | None) -> float:
        left = None if call is None else call.timeout
        return self.timeout if left is None else max(0.001, min(self.timeout, left))

    def _options(self, request: Request) -> dict[str, Any]:
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


def unclear(error: BitgetApiError) -> bool:
    """Tell whether a stamp was refused by an answer that does not tell the time: it has to be asked for."""
    return _stale(error) and _told_at(error) is None


def _told_at(error: BitgetApiError) -> float | None:
    """Return the exchange's Unix time in an error's envelope, or None; milliseconds, as a number or a text."""
    at = str(error.body.get("requestTime", "")) if isinstance(error.body, dict) else ""
    return int(at) / 1000 if at.isdecimal() and len(at) < 20 and int(at) > 0 else None


def _stale(error: BitgetApiError) -> bool:
    rule = CodeRegistry.builtin("bitget").rule(error.api_code or "")
    return rule is not None and rule.hint == "resync_clock"


def asked_of(call: Any) -> Asked:
    """Return what a call wrote, whether its parameters came as keywords or as a mapping."""
    params = call.kwargs.get("params", call.args[1] if len(call.args) > 1 else None)
    return Asked(params if isinstance(params, Mapping) else call.kwargs, call.key, call.sent_at)


def shaped(answer: Found | NotFound, key: str | None) -> Found | NotFound:
    """Return a look's answer with the order in the shape that the write returns."""
    return replace(answer, value=told(answer.value, key)) if isinstance(answer, Found) else answer
