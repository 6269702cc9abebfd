"""Places and cancels orders over a socket. As with REST, an uncertain order is looked up before it is sent again.

Bitget checks no stamp in a frame. The stamp is therefore the exchange's own time, measured by REST beforehand, at the
instant at which the frame is sent. If no answer comes, it is stamped again at the instant at which the connection is
cut: after that no part of the frame can leave this machine. The window W bounds how long it may then still be on its
way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from inspect import iscoroutinefunction
from math import inf
from typing import Any
from uuid import uuid4

from .._core.call.attempt_gate import EXPIRED
from .._core.call.context import CurrentCall, clean_context, current_call
from .._core.call.lookup_answer import Found, NotFound
from .._core.call.operation_info import OperationInfo
from .._core.call.sleep_watch import DeadlineWatch
from .._core.stages.fence import Fence
from .._drivers.routine_runner import run_routine_async
from .._pipeline.pipeline import Pipeline
from ..errors import DeadlineExceededError
from ..integrations._order_lanes import lane_of
from ..streams.session.dialect import Message, MessageKind
from ..streams.session.request import NotSentError
from ..venues.server_clock import ServerClock
from .client_ids import check_client_id
from .confirmation import find_problem
from .dialect import BitgetDialect
from .errors import BitgetSocketError
from .lookups import listed_for, look_up_order
from .operations import OPERATIONS, Operation
from .socket_lookups import as_rest, by_market
from .stamp_errors import is_stamp_code
from .undefined_parameters import drop_undefined

__all__ = ["SocketOrders", "call_rest"]

_UNREADABLE = "decode_error"
_MARKETS = ("spot", "mix", "uta")
_MAX_CLOCK_SHIFT = 1.0  # seconds; a larger change of the offset means that a clock was set, or the machine slept
_MAX_AGE = 3600.0  # seconds for which a measurement is used: clocks drift by seconds per day

SendRequest = Callable[[str, str, Callable[[], None]], Awaitable[Message]]
"""Sends a frame under an id and returns the answer; the third argument is called when the frame is sent."""


class SocketOrders:
    """Places and cancels orders over a client's private socket. Belongs to one event loop.

    Attributes:
        place, cancel: the two calls, under their policy.
    """

    def __init__(
        self,
        dialect: BitgetDialect,
        send_request: SendRequest,
        rest: Any,
        pipeline: Pipeline,
        clock: ServerClock,
        info: OperationInfo,
    ) -> None:
        """Compile the two calls.

        Args:
            dialect: the protocol of the socket.
            send_request: sends a frame.
            rest: the REST client for lookups.
            pipeline: the policy of the orders.
            clock: the exchange's time.
            info: host and account of the calls.
        """
        self._dialect, self._send_request, self._rest, self._clock = dialect, send_request, rest, clock
        self._machine = pipeline.clock
        self._measurement: asyncio.Future[None] | None = None
        self._measured_at = self._offset = 0.0

        async def place_order(*, clientOid: str | None = None, **params: Any) -> Any:  # noqa: N803  # Bitget's own name
            operation = OPERATIONS[f"{by_market(params, *_MARKETS)}_place_order"]
            return await self._attempt("place-order", {**params, "clientOid": clientOid}, operation)

        async def cancel_order(**params: Any) -> Any:
            return await self._attempt("cancel-order", params, OPERATIONS["spot_cancel_order"])

        base = replace(
            info,
            registry="bitget-ws",
            classify_results=False,
            signs=True,
            can_resync_clock=True,
            fence=Fence(retention=listed_for()),
        )
        name = "socket_place_order"
        reconcile = self._reconciler("place_order")
        place = replace(base, operation=name, lane=lane_of(name), key="clientOid", reconcile=reconcile)
        name = "socket_cancel_order"
        reconcile = self._reconciler("cancel_order")
        cancel = replace(base, operation=name, lane=lane_of(name), idempotent=True, reconcile=reconcile)
        self.place = pipeline.compile(place_order, place)
        self.cancel = pipeline.compile(cancel_order, cancel)

    async def _attempt(self, action: str, params: Mapping[str, Any], operation: Operation) -> dict[str, Any]:
        """Send one request and return the ids in its answer, which must confirm it like that of the REST operation."""
        # Read before the first await: the stamp is set later, from a callback outside this task's context.
        call = current_call()
        on_send = self._on_send(call)  # before the waits: what the machine sleeps meanwhile counts
        request_id = uuid4().hex
        text = self._write_frame(call, request_id, action, drop_undefined(params, strict=False))
        await self._ensure_measured()
        try:
            message = await self._send_request(request_id, text, on_send)
        except NotSentError as error:
            # The socket gives a reason that a user can act on; "not sent" alone would not help.
            raise _not_sent(error) from None
        if message.kind is MessageKind.ERROR:
            if is_stamp_code(message.code):
                await self._measure_again()
            raise BitgetSocketError(message.code, message.text, message.body)
        ids = dict(self._dialect.order_ids(message.body))
        # Bitget confirmed something, but not this order: it is looked up like one without an answer.
        problem = find_problem(operation, params, ids)
        if problem is not None:
            raise _unreadable(message, problem)
        return ids

    def _write_frame(self, call: CurrentCall | None, request_id: str, action: str, params: Mapping[str, Any]) -> str:
        """Return the frame of an order, and report a key that it does not carry.

        Raises:
            ValueError: Bitget would reject the client id.
        """
        client_id = params.get("clientOid")
        if action == "place-order":
            with _marked_not_sent():
                check_client_id("clientOid", client_id, unified="category" in params)
            # A policy may name another parameter as the key, and lookups go by the client id.
            if call is not None and call.key is not None and call.key != str(client_id):
                call.report_key_missing()
        return self._dialect.trade(request_id, action, params)

    def _on_send(self, call: CurrentCall | None) -> Callable[[], None]:
        """Return what stamps an order when its frame is sent, and refuses to send it after its deadline.

        An order waits for the clock's measurement, for the login, and for its turn. Meanwhile the machine may sleep.
        """
        if call is None:
            return lambda: None
        left, has_left = call.deadline, False
        deadline = DeadlineWatch(self._machine, inf if left is None else self._machine.monotonic() + left)

        def stamp() -> None:
            nonlocal has_left
            if not has_left and deadline.is_over:
                raise DeadlineExceededError(f"{call.operation}: {EXPIRED}", operation=call.operation)
            has_left = True
            call.stamp(self._clock.now())

        return stamp

    async def _ensure_measured(self) -> None:
        """Measure the exchange's clock before the first order, and again when the measurement is outdated.

        With our own clock the fence could end too early, and an order that is still on its way would be sent again.
        """
        last = self._measurement
        if last is None or (last.done() and (self._failed(last) or self._outdated())):
            # Shared by several orders: it is no part of the call of the first, and does not end with it.
            loop = asyncio.get_running_loop()
            self._measurement = last = loop.create_task(self._measure_clock(), context=clean_context())
        with _marked_not_sent():
            await asyncio.shield(last)  # several orders may wait for it: cancelling one must not cancel it

    async def _measure_again(self) -> None:
        """Measure the clock after a rejected stamp; if that fails, the caller gets the rejection all the same."""
        self._measurement = None
        try:
            await self._ensure_measured()
        except Exception:
            pass

    def _outdated(self) -> bool:
        shift, age = self._clock.offset - self._offset, self._clock.monotonic() - self._measured_at
        return abs(shift) > _MAX_CLOCK_SHIFT or age > _MAX_AGE

    @staticmethod
    def _failed(measurement: asyncio.Future[None]) -> bool:
        return measurement.cancelled() or measurement.exception() is not None

    async def _measure_clock(self) -> None:
        sent = self._clock.monotonic()
        self._clock.measure(await call_rest(self._rest.server_time), sent)
        # A later change of the offset shows that one of our clocks was set, or stood still while the machine slept.
        self._measured_at, self._offset = self._clock.monotonic(), self._clock.offset

    def _reconciler(self, action: str) -> Callable[[Any], Awaitable[Found | NotFound]]:
        async def reconcile(call: Any) -> Found | NotFound:
            write = OPERATIONS[f"{by_market(call.kwargs, *_MARKETS)}_{action}"].write
            assert write is not None
            return await run_routine_async(look_up_order(write, as_rest(call.kwargs), call, self._get))

        return reconcile

    async def _get(self, path: str, params: dict[str, Any]) -> Any:
        return await call_rest(self._rest.get, path, params)


async def call_rest(method: Callable[..., Any], *args: Any) -> Any:
    """Call a method of a REST client; a sync one runs in a thread."""
    return await method(*args) if iscoroutinefunction(method) else await asyncio.to_thread(method, *args)


@contextmanager
def _marked_not_sent() -> Iterator[None]:
    """Mark the errors of what comes before an order is sent: there is nothing to look up."""
    try:
        yield
    except Exception as error:
        # Set through `vars`: the error may be of any class, and its own `__setattr__` must not interfere.
        vars(error)["resilience_executed"] = "no"
        raise


def _not_sent(error: NotSentError) -> Exception:
    """Return the error of an order that was not sent: the reason why the socket gave up, if it did."""
    if error.failure is None or error.failure.code is None:
        return error
    reason = BitgetSocketError(error.failure.code, str(error), {"code": error.failure.code})
    reason.resilience_executed = "no"
    return reason


def _unreadable(message: Message, text: str) -> BitgetSocketError:
    """Return the error of a success that does not confirm the order: its outcome stays uncertain."""
    error = BitgetSocketError("", text, message.body)
    error.resilience_code = _UNREADABLE
    return error
