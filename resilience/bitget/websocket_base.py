"""Implements what Bitget's V2 and V3 WebSocket clients share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._core.policy.stream_limits import StreamSettings
from .._entry.configured import configured_policies
from .._entry.policies import Policies
from .._entry.proxy import Proxy
from .._entry.public_functions import wrap
from ..integrations import websockets as transport
from ..streams.client import StreamClient
from ..streams.session.dialect import Arg
from ..streams.session.stream_failure import Gap
from ..streams.venue import StreamVenue
from ..telemetry.concealment import SecretText
from ..venues.server_clock import ServerClock
from .backfill import Backfill
from .dialect import BitgetDialect
from .order_reports import reporting
from .signing import Signer
from .socket_orders import SocketOrders, call_rest
from .websocket_blocking import BlockingWebsocketClient

__all__ = ["WebsocketClient"]

_LIVE_URL, _DEMO_URL = "wss://ws.bitget.com", "wss://wspap.bitget.com"

Fetch = Callable[[Gap], Awaitable[Iterable[Any]]]
"""Fetches what a gap hid: an async function that returns updates."""


class WebsocketClient(StreamClient):
    """A client of Bitget's sockets, without a version. Belongs to one event loop."""

    _dialect_class: type[BitgetDialect]
    _path: str

    def __init__(
        self,
        key: str = "",
        secret: str = "",
        passphrase: str = "",
        *,
        base_url: str | None = None,
        demo: bool = False,
        policy: str | Policy = "bitget-ws",
        policies: Policies | None = None,
        rest: Any = None,
        fetch_missed: Fetch | None = None,
        limits: StreamSettings | None = None,
        orders: str | Policy = "bitget",
        pace: float = 1.0,
        parse: Callable[[str], Any] | None = None,
    ) -> None:
        """Create the client; nothing is connected yet.

        Args:
            key: API key; without credentials only public subscriptions work.
            secret: API secret.
            passphrase: the key's passphrase.
            base_url: base URL of the sockets; by default Bitget's own, or those of demo trading for a demo key.
            demo: the key is for demo trading.
            policy: name of a policy, or a policy; its `stream` section has the limits.
            policies: where the name is looked up; the configured policies by default.
            rest: a `BitgetClient` or an `AsyncBitgetClient`, put under the policy of `orders` unless it is wrapped
                already. It fetches missed orders, and returns Bitget's time when a login's stamp is rejected.
            fetch_missed: async function that takes a `Gap` and returns updates; replaces the fetch through `rest`.
            limits: limits to use instead of the policy's.
            orders: name of the policy of orders over the socket, or the policy.
            pace: how many seconds of the venue pass per real second; other than 1 only for a sandbox.
            parse: parses the text of a frame, as `json.loads` does; by default `msgspec` where it is installed, which
                gives the same values as `json.loads`, and else that.

        Raises:
            ModuleNotFoundError: the library `websockets` (extra `streams`) is not installed.
            ValueError: only some of the credentials are given.
            PolicyError: there is no such policy.
        """
        key, secret, passphrase = SecretText(key or ""), SecretText(secret or ""), SecretText(passphrase or "")
        transport.require_websockets()
        signer = Signer(key, secret, passphrase, demo=demo)
        self._has_credentials, self._dialect = signer.has_credentials, self._dialect_class(key, secret, passphrase)
        if parse is not None:
            self._dialect.parse = parse
        self._dialect.account = signer.account if signer.has_credentials else None
        policies = policies or configured_policies()
        if rest is not None and not isinstance(rest, Proxy):  # its requests must keep the limits of the REST API
            rest = wrap(rest, orders if isinstance(orders, str) else "bitget", policies=policies)
        backfill = Backfill(rest, self._path) if rest is not None and fetch_missed is None else None
        fetch = fetch_missed if backfill is None else backfill.fetch
        # The backfill sees every update before the consumers do, even those that a full queue drops later.
        self._dialect.on_update = None if backfill is None else backfill.record
        # A wrapped client passes the attribute through; only our own clock can be measured.
        clock = rest.clock if rest is not None else None
        self._server_clock: ServerClock | None = clock if isinstance(clock, ServerClock) else None
        base = (base_url or (_DEMO_URL if demo else _LIVE_URL)).rstrip("/")
        venue = self._new_venue(base, signer.account, fetch, backfill, demo=demo)
        super().__init__(venue, policy=policy, policies=policies, limits=limits, pace=pace)
        policies.load_used(orders)  # here and not in the event loop, where the first order is placed
        self._rest, self._orders_policy = rest, orders
        self._orders: SocketOrders | None = None

    def _new_venue(
        self, base: str, account: str, fetch: Fetch | None, backfill: Backfill | None, *, demo: bool
    ) -> StreamVenue:
        clock = self._server_clock
        return StreamVenue(
            dialect=self._dialect,
            urls={name: f"{base}{self._path}/{name}" for name in ("public", "private")},
            route=self._dialect.route,
            connect=partial(_connect, headers={"paptrading": "1"} if demo else {}),
            private=frozenset({"private"}),
            registry="bitget-ws",
            account=account,
            stamp=None if clock is None else clock.now,
            resync=None if clock is None else self._measure_clock,
            cannot_resync="pass rest=AsyncBitgetClient(…) or BitgetClient(…), which asks Bitget for its time",
            fetch=None if fetch is None else reporting(fetch, self._dialect.account),
            prime=None if backfill is None else backfill.prime,
        )

    async def place_order(self, **params: Any) -> dict[str, Any]:
        """Place an order over the private socket and return its ids; an uncertain order is looked up by REST.

        Parameters are keywords with Bitget's own names: V2 `instType instId side orderType size` and `force price
        clientOid`, for futures also `marginMode marginCoin`; V3 `category symbol qty side orderType`.

        Raises:
            ValueError: the client has no credentials or no `rest`, or the market is missing.
            BitgetSocketError: Bitget rejected it.
            ConnectionError, TimeoutError: no answer came; the failure says whether it may have been executed.
        """
        result: dict[str, Any] = await self._socket_orders("place-order", params).place(**params)
        return result

    async def cancel_order(self, **params: Any) -> dict[str, Any]:
        """Cancel an order over the private socket, by `orderId` or `clientOid` and its market.

        If the outcome of the cancel was uncertain and the order has ended, the result contains the order's status.
        Errors as for `place_order`.
        """
        result: dict[str, Any] = await self._socket_orders("cancel-order", params).cancel(**params)
        return result

    def blocking(self) -> BlockingWebsocketClient:
        """Return this client in its own thread, for a program without an event loop."""
        return BlockingWebsocketClient(self)

    def _socket_orders(self, action: str, params: Mapping[str, Any]) -> SocketOrders:
        """Return the object that places orders.

        Wrong parameters raise here, before the policy sees the call. The error says that nothing was sent.
        """
        try:
            frame = self._dialect.trade("0" * 32, action, params)  # with an id as long as the real ones
            limit = self.limits.message_bytes
            if len(frame.encode()) > limit:
                raise ValueError(f"the order's frame is longer than the limit of {limit} bytes")
            if self._orders is None:
                self._orders = self._build_socket_orders()
        except Exception as error:
            # Set through `vars`: the error may be of any class, and its own `__setattr__` must not interfere.
            vars(error)["resilience_executed"] = "no"
            raise
        return self._orders

    def _build_socket_orders(self) -> SocketOrders:
        if not self._has_credentials:
            raise ValueError("orders need credentials: key, secret and passphrase")
        if self._server_clock is None:
            raise ValueError(
                "orders over the socket need rest=AsyncBitgetClient(…) or BitgetClient(…): an order whose answer is "
                "lost is looked up by REST before it is sent again"
            )
        # A lookup through another account would not find the order, and it would be sent a second time.
        rest_info = self._rest.resilience_operation_info("server_time", self._rest)
        if rest_info.account != self._venue.account:
            raise ValueError("rest= must have the same key as the socket: another account does not know its orders")
        host = urlsplit(self._venue.urls["private"]).netloc
        info = OperationInfo(operation="", host=host, account=self._venue.account)
        pipeline = self._policies.pipeline(self._orders_policy)
        send_request = partial(self.request, "private")
        return SocketOrders(self._dialect, send_request, self._rest, pipeline, self._server_clock, info)

    def _validate(self, args: Iterable[Any]) -> list[Arg]:
        valid: list[Arg] = [self._dialect.validate(arg) for arg in super()._validate(args)]
        if not self._has_credentials:
            for arg in valid:
                if self._dialect.route(arg) == "private":
                    raise ValueError(f"{arg} is private: the client needs key, secret and passphrase")
        return valid

    async def _measure_clock(self) -> None:
        """Measure Bitget's clock through its REST API."""
        clock = self._server_clock
        assert clock is not None
        sent = clock.monotonic()
        clock.measure(await call_rest(self._rest.server_time), sent)


async def _connect(url: str, *, headers: Mapping[str, str]) -> transport.Socket:
    return await transport.connect(url, headers)
