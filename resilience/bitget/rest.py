"""Bitget's REST API on `requests`: generic calls, and named ones for a spot bot.

Each call is one attempt: stamp and signature are made anew every time it runs. The client itself
never retries; `wrap(client, "bitget")` puts every call under a policy, and the client says of
itself which calls read, which write, and how a write in doubt is looked up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from .._core.deadline import CurrentCall, current_call
from .._core.plan import Binding
from .._core.reconcile import Fence
from ..integrations import requests as transport
from ..telemetry.redaction import register_secret
from .answers import opened
from .params import defined
from .reconcile import ORDER_INFO, spot_cancel, spot_order
from .signing import prehash, query_of, sign

__all__ = ["BitgetClient"]

PLACE, CANCEL = "/api/v2/spot/trade/place-order", "/api/v2/spot/trade/cancel-order"
_READS = ("server_time", "spot_ticker", "spot_balance", "spot_order", "spot_open_orders")
_PUBLIC = ("/api/v2/public/", "/api/v2/spot/market/", "/api/v2/spot/public/", "/api/v2/mix/market/", "/api/v3/market/")


class BitgetClient:
    """A client of Bitget's REST API. Safe across threads as far as its session is.

    Example:
        >>> client = BitgetClient("key", "secret", "passphrase", base_url="http://127.0.0.1:8000")
        >>> client
        <BitgetClient http://127.0.0.1:8000>
    """

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
            receive_window: seconds for which the exchange may accept an order, below 60.
            demo: the key is one for demo trading.
            locale: language of the API's messages.
            session: a `requests.Session` to send through; one without retries is made by default.
            clock: Unix time in seconds, for stamps.

        Raises:
            ValueError: only some of the credentials are given, or the window is not allowed.
        """
        given = [bool(key), bool(secret), bool(passphrase)]
        if any(given) and not all(given):
            raise ValueError("key, secret and passphrase are all needed, or none of them")
        if not 0 < receive_window < 60:
            raise ValueError(f"receive_window: allowed is more than 0 and less than 60 seconds, got {receive_window!r}")
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.receive_window = receive_window
        self.demo = demo
        self.locale = locale
        self.strict_param_validation = strict_param_validation
        self.clock = clock
        self._credentials = (key, secret, passphrase)
        self._session = session or transport.new_session()
        for one in self._credentials:
            if one:
                register_secret(one)

    def __repr__(self) -> str:
        return f"<BitgetClient {self.base_url}>"

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read from an endpoint and return the whole envelope.

        Raises:
            BitgetApiError: Bitget answered with an error.
            UndefinedParameterError: a parameter is None and validation is strict.
            requests.RequestException: there was no answer.
        """
        return self._send("GET", path, params)

    def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write to an endpoint and return the whole envelope; errors as for `get`."""
        return self._send("POST", path, params)

    def server_time(self) -> float:
        """Return the exchange's Unix time in seconds."""
        return int(self.get("/api/v2/public/time")["data"]["serverTime"]) / 1000

    def spot_ticker(self, symbol: str | None = None) -> Any:
        """Return the tickers of one symbol, or of all."""
        return self.get("/api/v2/spot/market/tickers", _given(symbol=symbol))["data"]

    def spot_balance(self, coin: str | None = None) -> Any:
        """Return the balances of one coin, or of all."""
        return self.get("/api/v2/spot/account/assets", _given(coin=coin))["data"]

    def spot_order(self, **params: Any) -> Any:
        """Return an order by `orderId` or `clientOid`, or None when the exchange does not know it."""
        data = self.get(ORDER_INFO, params)["data"]
        return data[0] if data else None

    def spot_open_orders(self, **params: Any) -> Any:
        """Return the resting orders."""
        return self.get("/api/v2/spot/trade/unfilled-orders", params)["data"]

    def spot_place_order(self, **params: Any) -> Any:
        """Place an order: `symbol side orderType size`, and `price force clientOid` where they apply."""
        return self._send("POST", PLACE, params)["data"]

    def spot_cancel_order(self, **params: Any) -> Any:
        """Cancel an order by `symbol` and `orderId` or `clientOid`."""
        return self._send("POST", CANCEL, params)["data"]

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    # --- how a policy sees this client -----------------------------------------------------------

    def resilience_route(self, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Tell generic calls apart by their path."""
        if method not in ("get", "post"):
            return method
        path = args[0] if args else kwargs.get("path", "")
        return f"{method} {str(path).partition('?')[0]}"

    def resilience_binding(self, operation: str, wrapped: Any) -> Binding | None:
        """Say how an operation takes part: what it is, where its key travels, how it is looked up."""
        if operation in _READS or operation.startswith("get "):
            return self._binding(operation, read=True)
        named = operation in ("spot_place_order", "spot_cancel_order")
        if operation in ("spot_place_order", f"post {PLACE}"):
            key = "clientOid" if named else "params.clientOid"
            return self._binding(operation, key=key, reconcile=spot_order(wrapped, _params_of))
        if operation in ("spot_cancel_order", f"post {CANCEL}"):
            return self._binding(operation, reconcile=spot_cancel(wrapped, _params_of))
        return self._binding(operation) if operation.startswith("post ") else None

    def _binding(self, operation: str, **given: Any) -> Binding:
        return Binding(
            operation=operation,
            registry="bitget",
            host=urlsplit(self.base_url).netloc,
            account=sha256(self._credentials[0].encode()).hexdigest()[:8],
            fence=Fence(window=self.receive_window),
            refusals=transport.REFUSALS,
            results=False,
            **given,
        )

    # --- one attempt -----------------------------------------------------------------------------

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        clean = defined(params or {}, strict=self.strict_param_validation)
        call, stamp = current_call(), int(self.clock() * 1000)
        if method == "POST" and path == PLACE:
            clean |= {"requestTime": str(stamp), "receiveWindow": str(int(self._window(call) * 1000))}
        query = query_of(clean) if method == "GET" else ""
        body = json.dumps(clean, separators=(",", ":")) if method == "POST" else ""
        sent = "&".join(f"{quote(key)}={quote(str(clean[key]))}" for key in sorted(clean)) if method == "GET" else ""
        answer = transport.send(
            self._session,
            method,
            self.base_url + path + (f"?{sent}" if sent else ""),
            headers=self._headers(method, path, query, body, stamp, call),
            data=body.encode() if body else None,
            timeout=self._timeout(call),
        )
        return opened(answer, self._options(method, path, clean), needs="orderId" if path == PLACE else None)

    def _headers(
        self, method: str, path: str, query: str, body: str, stamp: int, call: CurrentCall | None
    ) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "locale": self.locale}
        if self.demo:
            headers["paptrading"] = "1"
        key, secret, passphrase = self._credentials
        if not key:
            if not path.startswith(_PUBLIC):
                raise ValueError(f"{path} is private: the client needs key, secret and passphrase")
            return headers
        if call is not None:
            call.stamp(stamp / 1000)
        signature = sign(secret, prehash(str(stamp), method, path, query, body))
        register_secret(signature)
        own = {
            "ACCESS-KEY": key,
            "ACCESS-SIGN": signature,
            "ACCESS-TIMESTAMP": str(stamp),
            "ACCESS-PASSPHRASE": passphrase,
        }
        return {**headers, **own}

    def _window(self, call: CurrentCall | None) -> float:
        """Return the policy's window where it sets one, else the client's own."""
        asked = None if call is None else call.window
        return self.receive_window if asked is None or not 0 < asked < 60 else asked

    def _timeout(self, call: CurrentCall | None) -> float:
        left = None if call is None else call.timeout
        return self.timeout if left is None else max(0.001, min(self.timeout, left))

    def _options(self, method: str, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "method": method,
            "path": path,
            "params": dict(params),
            "base_url": self.base_url,
            "timeout": self.timeout,
            "strict_param_validation": self.strict_param_validation,
            "demo": self.demo,
            "key": "***",
            "secret": "***",
            "passphrase": "***",
        }


def _given(**params: Any) -> dict[str, Any]:
    """Return the parameters that the caller gave: the defaults of named calls are no undefined ones."""
    return {name: value for name, value in params.items() if value is not None}


def _params_of(call: Any) -> Mapping[str, Any]:
    """Return an order's parameters, whether they came as keywords or as a mapping."""
    params = call.kwargs.get("params", call.args[1] if len(call.args) > 1 else None)
    return params if isinstance(params, Mapping) else call.kwargs
