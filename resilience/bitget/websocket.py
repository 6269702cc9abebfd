"""Bitget's sockets: `WebsocketClientV2` and `WebsocketClientV3`.

Errors are never thrown, they are `exception` events. A connection that is lost is made again, logged in
and subscribed as before; what a private stream missed meanwhile is a `gap` event, and fetched by REST
where a REST client is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from inspect import iscoroutinefunction
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
from ..streams.blocking import BlockingStream
from ..streams.client import StreamClient
from ..streams.session.dialect import Arg
from ..streams.session.stream_failure import Gap
from ..streams.venue import Venue
from .backfill import Missed
from .frames import Frames, FramesV2, FramesV3
from .server_clock import ServerClock
from .signing import Signer
from .socket_orders import SocketOrders

__all__ = ["WebsocketClientV2", "WebsocketClientV3"]

_LIVE, _DEMO = "wss://ws.bitget.com", "wss://wspap.bitget.com"

Fetch = Callable[[Gap], Awaitable[Iterable[Any]]]
"""Fetches what a gap swallowed: an async function that returns updates."""


class _Client(StreamClient):
    """What both versions share. Belongs to one event loop."""

    _frames: type[Frames]
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
    ) -> None:
        """Set the client up; nothing is connected yet.

        Args:
            key: API key; without credentials only public subscriptions work.
            secret: API secret.
            passphrase: the key's passphrase.
            base_url: where the sockets are; Bitget's own, those of demo trading for a demo key, by default.
            demo: the key is one for demo trading.
            policy: name of a policy, or a policy; its `stream` section has the limits.
            policies: where the name is looked up; the configured ones by default.
            rest: a `BitgetClient` or an `AsyncBitgetClient`, put under the policy of `orders` unless it is wrapped
                already: fetches what was missed, and tells Bitget's time when a login's stamp is refused.
            fetch_missed: async function that takes a `Gap` and returns updates, in the place of `rest`'s.
            limits: in the place of the policy's.
            orders: name of the policy of orders over the socket, or the policy.
            pace: seconds of the venue that pass in one of ours; other than 1 for a sandbox alone.

        Raises:
            ValueError: only some of the credentials are given.
            PolicyError: there is no such policy.
        """
        signer = Signer(key, secret, passphrase, demo=demo)
        base = (base_url or (_DEMO if demo else _LIVE)).rstrip("/")
        self._can_log_in, self._dialect = signer.can, self._frames(key, secret, passphrase)
        policies = policies or configured_policies()
        if rest is not None and not isinstance(rest, Proxy):  # what is asked of REST keeps the limits of REST
            rest = wrap(rest, orders if isinstance(orders, str) else "bitget", policies=policies)
        missed = Missed(rest, self._path) if rest is not None and fetch_missed is None else None
        self._dialect.heard = None if missed is None else missed.heard
        headers = {"paptrading": "1"} if demo else {}
        clock = rest.clock if rest is not None else None
        self._server_clock: ServerClock | None = clock if isinstance(clock, ServerClock) else None
        venue = Venue(
            dialect=self._dialect,
            urls={name: f"{base}{self._path}/{name}" for name in ("public", "private")},
            route=self._dialect.route,
            connect=partial(_connected, headers=headers),
            private=frozenset({"private"}),
            registry="bitget-ws",
            account=signer.account,
            stamp=None if self._server_clock is None else self._server_clock.now,
            resync=None if self._server_clock is None else partial(self._measure, rest),
            fetch=fetch_missed if missed is None else missed.fetch,
            prime=None if missed is None else missed.prime,
        )
        super().__init__(venue, policy=policy, policies=policies, limits=limits, pace=pace)
        self._rest, self._orders_policy = rest, orders
        self._orders: SocketOrders | None = None

    async def place_order(self, **params: Any) -> dict[str, Any]:
        """Place an order over the private socket and return its ids; one in doubt is looked up by REST.

        Parameters are Bitget's own, given as keywords: V2 `instType instId side orderType size` and `force price
        clientOid`, for futures `marginMode marginCoin` too; V3 `category symbol qty side orderType`.

        Raises:
            ValueError: the client has no credentials or no `rest`, or the market is missing.
            BitgetSocketError: Bitget refused it.
            ConnectionError, TimeoutError: no answer came; the failure says whether it may have happened.
        """
        found: dict[str, Any] = await self._trading("place-order", params).place(**params)
        return found

    async def cancel_order(self, **params: Any) -> dict[str, Any]:
        """Cancel an order over the private socket, by `orderId` or `clientOid` and its market; errors as above.

        One that is over already is told with its status where the cancel was in doubt.
        """
        found: dict[str, Any] = await self._trading("cancel-order", params).cancel(**params)
        return found

    def blocking(self) -> BlockingClient:
        """Return this client in a thread of its own, for a program without an event loop."""
        return BlockingClient(self)

    def _trading(self, act: str, params: Mapping[str, Any]) -> SocketOrders:
        """Return what places orders; what is wrong is told at once, and its error says that nothing was sent."""
        try:
            frame = self._dialect.trade("0" * 32, act, params)
            if len(frame.encode()) > self.limits.message_bytes:
                raise ValueError(f"the order is longer than {self.limits.message_bytes} bytes, the most that is taken")
            if self._orders is None:
                self._orders = self._made_orders()
        except Exception as error:
            vars(error)["resilience_executed"] = "no"
            raise
        return self._orders

    def _made_orders(self) -> SocketOrders:
        if not self._can_log_in:
            raise ValueError("orders need credentials: key, secret and passphrase")
        if self._server_clock is None:
            raise ValueError(
                "orders over the socket need rest=AsyncBitgetClient(…) or BitgetClient(…): one whose answer is lost is "
                "looked up by REST before it is sent again"
            )
        theirs = self._rest.resilience_operation_info("server_time", self._rest)
        if theirs.account != self._venue.account:
            raise ValueError("rest= must have the same key as the socket: another account does not know its orders")
        host = OperationInfo(
            operation="", host=urlsplit(self._venue.urls["private"]).netloc, account=self._venue.account
        )
        pipeline = self._policies.pipeline(self._orders_policy)
        request = partial(self.request, "private")
        return SocketOrders(self._dialect, request, self._rest, pipeline, self._server_clock, host)

    def _checked(self, args: Iterable[Any]) -> list[Arg]:
        found: list[Arg] = [self._dialect.checked(arg) for arg in super()._checked(args)]
        if not self._can_log_in:
            for arg in found:
                if self._dialect.route(arg) == "private":
                    raise ValueError(f"{arg} is private: the client needs key, secret and passphrase")
        return found

    async def _measure(self, rest: Any) -> None:
        """Learn Bitget's time from its REST API."""
        clock = self._server_clock
        assert clock is not None
        began = clock.instant()
        if iscoroutinefunction(rest.server_time):
            clock.told(await rest.server_time(), began)
        else:
            clock.told(await asyncio.to_thread(rest.server_time), began)


class BlockingClient(BlockingStream):
    """A client in a thread of its own; safe to use from any thread, but for its own handlers."""

    _client: _Client

    def place_order(self, **params: Any) -> dict[str, Any]:
        """Place an order over the private socket and wait for it; see `WebsocketClientV2.place_order`."""
        return self._await(self._client.place_order(**params))

    def cancel_order(self, **params: Any) -> dict[str, Any]:
        """Cancel an order over the private socket and wait for it; see `WebsocketClientV2.cancel_order`."""
        return self._await(self._client.cancel_order(**params))


class WebsocketClientV2(_Client):
    """A client of Bitget's V2 sockets: channels. Belongs to one event loop.

    Example:
        >>> client = WebsocketClientV2()
        >>> client.subscribe({"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"})
        >>> client
        <WebsocketClientV2 public idle>
    """

    _frames, _path = FramesV2, "/v2/ws"


class WebsocketClientV3(_Client):
    """A client of Bitget's V3 sockets, those of unified accounts: topics. Belongs to one event loop.

    Example:
        >>> client = WebsocketClientV3("key", "secret", "passphrase")
        >>> client.subscribe({"instType": "UTA", "topic": "order"})
        >>> client
        <WebsocketClientV3 private idle>
    """

    _frames, _path = FramesV3, "/v3/ws"


async def _connected(url: str, *, headers: Mapping[str, str]) -> transport.Socket:
    return await transport.connect(url, headers)
