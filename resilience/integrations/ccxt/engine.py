"""Makes the classes of engines: exchanges that share the original's state and change ccxt where it sends.

Nothing of ccxt is imported. What an engine has beside the original's state is its `EngineState`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from ..._core.call.context import current_call
from ..._printable import printable
from ...telemetry.redaction import redact
from .._rate_limit_headers import report_rate_limits
from .engine_requests import async_methods, sync_methods
from .exchange_facts import as_stamp_error
from .guarded_session import session_property
from .nonce_clock import clock_methods, correct_time
from .requests_sent import REQUEST, set_attribute
from .set_up_methods import as_set_up, set_up_methods
from .throttling import spare_time

__all__ = ["engine_class"]

MIN_TIMEOUT = 1.0  # milliseconds; 0 is an error to requests, and no limit at all to aiohttp
CCXT_TIMEOUT = 10_000  # milliseconds; its default, for an exchange whose timeout is None or 0
_CLASSES: dict[tuple[type, Any], type] = {}


def engine_class(original: type, methods: Callable[[type, bool], dict[str, Any]] | None, *, asynchronous: bool) -> type:
    """Return the class of engines for exchanges of this class; it is made once.

    Args:
        original: the class.
        methods: returns methods that replace those of the exchange's engines, or None.
        asynchronous: whether it is one of `ccxt.async_support`.
    """
    engine = _CLASSES.get((original, methods))
    if engine is None:
        namespace: dict[str, Any] = {
            name: getattr(original, name) for name in ("__doc__", "__module__", "__qualname__")
        }
        namespace |= {"__slots__": ("_resilience",), "__del__": _keep_open}
        namespace["timeout"] = _timeout_property(original, asynchronous)
        namespace["session"] = session_property(original, asynchronous=asynchronous)
        namespace |= clock_methods(original)
        namespace |= set_up_methods(original, asynchronous=asynchronous)
        namespace |= _common_methods(original) | (async_methods(original) if asynchronous else sync_methods(original))
        if methods is not None:
            namespace |= as_set_up(methods(original, asynchronous))
        engine = _CLASSES[original, methods] = type(original.__name__, (original,), namespace)
    return engine


def _keep_open(_self: Any) -> None:
    """Close nothing, unlike ccxt's own `__del__`: the session belongs to the original."""


def _timeout_property(original: Any, asynchronous: bool) -> property:
    """Return ccxt's `timeout`, in milliseconds: the shorter of the exchange's own and what is left of the attempt."""

    def get_timeout(self: Any) -> Any:
        own = self.__dict__.get("timeout", original.timeout)
        call = current_call()
        left = None if call is None else call.timeout
        if left is None:
            return own
        spare = spare_time(left) if asynchronous else 0.0
        return max(MIN_TIMEOUT, min(own or CCXT_TIMEOUT, (left - spare) * 1000))

    def set_timeout(self: Any, value: Any) -> None:
        self.__dict__["timeout"] = value

    return property(get_timeout, set_timeout)


def _common_methods(original: Any) -> dict[str, Callable[..., Any]]:
    """Return the methods that are the same for sync and async exchanges."""

    def sign(
        self: Any, path: Any, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any, **more: Any
    ) -> Any:
        # Here, and not where ccxt was asked to send: its own throttle may have waited in between.
        params = self._resilience.stamped_params(method, path, {} if params is None else params)
        with correct_time():
            signed = original.sign(self._resilience.signer(self), path, api, method, params, *rest, **more)
        return self._resilience.finish(signed)

    def nonce(self: Any) -> Any:
        with correct_time():
            own = original.nonce(self)
        support = self._resilience.support
        return own if support is None else support.nonce(own)

    def handle_errors(
        self: Any, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any
    ) -> Any:
        # ccxt calls this for every response. It is the one hook that gets status and headers, sync and async alike.
        request = REQUEST.get()
        if request is not None:
            request.status, request.headers, request.text = code, headers, body
            report_rate_limits(request)
        try:
            return original.handle_errors(self, code, reason, url, method, headers, body, *rest)
        except Exception as error:
            if not self._resilience.refuses_stamp(str(body)):
                raise
            own = as_stamp_error(error, self._resilience.errors.stamp)
            set_attribute(own, "resilience_executed", "no")  # a stamp is refused before anything is done
            if own is error:
                raise
            raise own from None

    def handle_http_status_code(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original.handle_http_status_code(self, *args, **kwargs)
        except Exception as error:
            set_attribute(error, "resilience_from_status", True)  # its class says no more than the status
            raise

    def handle_option_and_params(self: Any, params: Any, method: Any, option: str, default: Any = None) -> Any:
        # Where `fetch2` asks how often to retry by itself, which would send a write again without a lookup.
        value, rest = original.handle_option_and_params(self, params, method, option, default)
        if option != "maxRetriesOnFailure" or not value:
            return [value, rest]
        if not self._resilience.warned:
            self._resilience.warned = True
            message = f"ccxt would retry {value} times beneath the policy (maxRetriesOnFailure): switched off"
            warnings.warn(message, stacklevel=4)
        return [0, rest]

    def log(self: Any, *texts: Any) -> None:
        original.log(self, *(printable(redact(str(text)), keep="\n\t") for text in texts))

    return {
        "sign": sign,
        "nonce": nonce,
        "handle_errors": handle_errors,
        "handle_http_status_code": handle_http_status_code,
        "handle_option_and_params": handle_option_and_params,
        "log": log,
    }
