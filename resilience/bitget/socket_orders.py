"""Orders over a socket, under the same rule as by REST: one in doubt is looked up by REST before it is sent again.

A frame carries no stamp that the exchange checks. So its stamp is the exchange's own time, as measured
by REST beforehand, at the instant at which the frame leaves; and where no answer comes, once more at the
instant at which its connection is cut: past that nothing of it can leave this machine. The window W
bounds how long it may then still be on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any, TypeVar
from uuid import uuid4

from .._core.call.context import CurrentCall, current_call
from .._core.call.operation_info import OperationInfo
from .._core.call.reconcile import Fence, Found, NotFound
from .._pipeline.pipeline import Pipeline
from ..integrations._order_lanes import lane_of
from ..streams.session.dialect import Kind, Message
from ..streams.session.request import NotSentError
from .client_base import shaped
from .errors import BitgetSocketError
from .frames import Frames
from .lookups import MIX_INFO, SPOT_INFO, UTA_INFO, Asked, Look, aasked, cancelled, mix_order, spot_order, uta_order
from .params import defined
from .server_clock import ServerClock

__all__ = ["SocketOrders"]

_UNREADABLE = "decode_error"
_MOVED = 1.0  # seconds between our two clocks past which one was set, or stood still while the machine slept
_FRESH = 3600.0  # seconds for which a measure holds: clocks drift by seconds a day

T = TypeVar("T")
Request = Callable[[str, str, Callable[[], None]], Awaitable[Message]]
"""Sends a frame under an id and returns the answer; told what to call when it leaves."""


class SocketOrders:
    """Places and cancels orders over a client's private socket. Belongs to one event loop.

    Attributes:
        place, cancel: the two calls, under their policy.
    """

    def __init__(
        self, frames: Frames, request: Request, rest: Any, pipeline: Pipeline, clock: ServerClock, info: OperationInfo
    ) -> None:
        """Compile the two calls.

        Args:
            frames: how the socket talks.
            request: sends a frame.
            rest: the REST client by which an order in doubt is looked up.
            pipeline: the policy of the orders.
            clock: the exchange's time.
            info: host and account of the calls.
        """
        self._frames, self._request, self._rest, self._clock = frames, request, rest, clock
        self._measured: asyncio.Future[None] | None = None
        self._measured_at = self._offset = 0.0

        async def place_order(*, clientOid: str | None = None, **params: Any) -> Any:  # noqa: N803  # Bitget's own name
            return await self._sent("place-order", {**params, "clientOid": clientOid}, needs=("orderId",))

        async def cancel_order(**params: Any) -> Any:
            return await self._sent("cancel-order", params, needs=("orderId", "clientOid"))

        base = replace(info, registry="bitget-ws", classify_results=False, signs=True, fence=Fence())
        name = "socket_place_order"
        place = replace(base, operation=name, lane=lane_of(name), key="clientOid", reconcile=self._look(_order))
        name = "socket_cancel_order"
        cancel = replace(base, operation=name, lane=lane_of(name), idempotent=True, reconcile=self._look(_cancel))
        self.place = pipeline.compile(place_order, place)
        self.cancel = pipeline.compile(cancel_order, cancel)

    async def _sent(self, act: str, params: Mapping[str, Any], *, needs: tuple[str, ...]) -> dict[str, Any]:
        """Make one attempt."""
        call = current_call()
        frame_id = uuid4().hex
        text = self._frames.trade(frame_id, act, defined(params, strict=False))
        await self._measure()
        try:
            message = await self._request(frame_id, text, lambda: self._stamp(call))
        except NotSentError as error:
            raise _unsent(error) from None
        if message.kind is Kind.ERROR:
            raise BitgetSocketError(message.code, message.text, message.body)
        told = dict(self._frames.done(message.body))
        if not any(told.get(one) for one in needs):
            raise _unreadable(message, f"a success without {' or '.join(needs)}")
        mine, theirs = params.get("clientOid"), told.get("clientOid")
        if mine and theirs and str(mine) != str(theirs):
            raise _unreadable(message, "a success of another order")
        return told

    def _stamp(self, call: CurrentCall | None) -> None:
        if call is not None:
            call.stamp(self._clock.now())

    async def _measure(self) -> None:
        """Learn the exchange's clock before the first order, and now and then: by ours a fence could end too early."""
        if self._measured is None or (self._measured.done() and (self._failed(self._measured) or self._outdated())):
            self._measured = asyncio.ensure_future(self._ask_the_time())
        await asyncio.shield(self._measured)

    def _outdated(self) -> bool:
        moved, age = self._clock.offset - self._offset, self._clock.instant() - self._measured_at
        return abs(moved) > _MOVED or age > _FRESH

    @staticmethod
    def _failed(measured: asyncio.Future[None]) -> bool:
        return measured.cancelled() or measured.exception() is not None

    async def _ask_the_time(self) -> None:
        began = self._clock.instant()
        self._clock.told(await _called(self._rest.server_time), began)
        self._measured_at, self._offset = self._clock.instant(), self._clock.offset

    def _look(self, of: Callable[[Asked], Look]) -> Callable[[Any], Awaitable[Found | NotFound]]:
        async def reconcile(call: Any) -> Found | NotFound:
            asked = Asked(call.kwargs, call.key, call.sent_at)
            return shaped(await aasked(of(asked), self._get), call.key)

        return reconcile

    async def _get(self, path: str, params: dict[str, Any]) -> Any:
        return await _called(self._rest.get, path, params)


def _unsent(error: NotSentError) -> Exception:
    """Return the error of an order that was not sent: what ended the socket, where something did for good."""
    if error.failure is None or error.failure.code is None:
        return error
    refused = BitgetSocketError(error.failure.code, str(error), {"code": error.failure.code})
    refused.resilience_executed = "no"
    return refused


def _unreadable(message: Message, words: str) -> BitgetSocketError:
    """Return the error of a success that does not say that it did what was asked: it stays in doubt."""
    unclear = BitgetSocketError("", words, message.body)
    unclear.resilience_code = _UNREADABLE
    return unclear


async def _called(fn: Callable[..., Any], *args: Any) -> Any:
    """Call a REST client's method, a sync one in a thread."""
    return await fn(*args) if iscoroutinefunction(fn) else await asyncio.to_thread(fn, *args)


def _order(write: Asked) -> Look:
    """Look an order up where its market is."""
    asked = write._replace(params=_as_rest(write.params))
    return _of(write.params, spot_order, mix_order, uta_order)(asked)


def _cancel(write: Asked) -> Look:
    """Look up whether an order is over."""
    asked = write._replace(params=_as_rest(write.params))
    return cancelled(_of(write.params, SPOT_INFO, MIX_INFO, UTA_INFO))(asked)


def _of(params: Mapping[str, Any], spot: T, mix: T, uta: T) -> T:
    """Return the one for an order's market."""
    if "category" in params:
        return uta
    return spot if str(params.get("instType")).upper() == "SPOT" else mix


def _as_rest(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order's parameters in the names of the REST API."""
    names = {"instId": "symbol", "instType": "productType"}
    return {names.get(name, name): value for name, value in params.items()}
