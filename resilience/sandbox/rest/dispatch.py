"""Dispatches every API request: authenticates it, applies its fault, and executes it.

Routes say what an endpoint does. Whether and when that happens, and which answer the client gets, is decided here
alone, so that the writes of every market have the same faults.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from ..exchange.faults import seeded_fraction
from ..exchange.order_store import RefusedError
from .answers import DROP, HANG, Reply, damage, rejection
from .delayed import DelayedDeliveries
from .endpoint import Endpoint, HttpRequest, RequestContext

if TYPE_CHECKING:
    from ..exchange.clock import ExchangeClock
    from ..exchange.exchange import Exchange
    from ..exchange.fault_picker import FaultPicker, PickedFault
    from ..exchange.faults import Fault
    from .endpoint import RequestAdmission

__all__ = ["RequestDispatcher", "Timing"]


@dataclass(frozen=True, slots=True)
class Timing:
    """The bounds that every fault respects, in seconds.

    Attributes:
        window: W, for which a timestamp is accepted.
        processing: P, the longest time from the check of the timestamp to acceptance.
        lag: L, the longest time from acceptance to visibility.
    """

    window: float
    processing: float
    lag: float


class RequestDispatcher:
    """Executes API requests under faults. Safe across threads.

    Attributes:
        exchange: the state of the exchange.
        clock: its clock.
        admission: checks signed requests.
        faults: picks the fault of each request.
        timing: the bounds of the faults.
        delayed: the deliveries that are under way.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: ExchangeClock,
        admission: RequestAdmission,
        faults: FaultPicker,
        timing: Timing,
    ) -> None:
        self.exchange, self.clock, self.admission = exchange, clock, admission
        self.faults, self.timing = faults, timing
        self.delayed = DelayedDeliveries()

    def dispatch(self, endpoint: Endpoint, request: HttpRequest) -> Reply:
        """Return what the client gets.

        Raises:
            RefusedError: the request is refused.
        """
        if endpoint.kind == "open":
            return endpoint.respond(RequestContext(self.exchange, request, self.clock.now()))
        if endpoint.kind in ("read", "query"):
            return self._read(endpoint, request)
        return self._write(endpoint, request)

    def _context(self, endpoint: Endpoint, request: HttpRequest) -> RequestContext:
        now = self.clock.now()
        return RequestContext(self.exchange, request, now, endpoint.authenticate(self.admission, request, now))

    def _read(self, endpoint: Endpoint, request: HttpRequest) -> Reply:
        stale = 0.0
        if endpoint.kind == "query":
            key = endpoint.key(request)
            fault = self.faults.pick("query", key).fault
            if fault.name == "query_drop":
                return DROP
            if fault.name == "query_500":
                return Reply(500, b"Internal Server Error", "text/plain")
            if fault.name == "query_restart":
                self.exchange.restarted_at = self.clock.now()
            stale = self._staleness(fault, key)
        return endpoint.respond(self._context(endpoint, request)._replace(stale=stale))

    def _staleness(self, fault: Fault, key: str) -> float:
        """Return by how many seconds the answer of a query is out of date."""
        # An infinite staleness hides every order: none was created that long ago.
        if fault.name == "query_blind" and self.faults.attempts("place", key) < (fault.amount or inf):
            return inf
        return self.timing.lag if fault.name == "query_stale" else 0.0

    def _write(self, endpoint: Endpoint, request: HttpRequest) -> Reply:
        """Execute a write, or apply the fault that was picked for it."""
        # Picked before the authentication: a request that is lost never reaches it.
        key = endpoint.key(request)
        picked = self.faults.pick(endpoint.kind, key)
        fault = picked.fault.name
        if fault == "accept_late":
            self._deliver_late(endpoint, request, picked)
        if fault in ("accept_late", "lose"):
            return HANG
        try:
            context = self._context(endpoint, request)
        except RefusedError:
            # A stamp that a busy machine let expire, say: the fault is for an attempt that gets as far as the order.
            self.faults.put_back(endpoint.kind, key)
            raise
        if not fault:
            return endpoint.respond(context)
        answer = partial(endpoint.fault_answer, context=context)
        rejected = rejection(fault, answer)
        if rejected is not None:
            return rejected
        if fault == "unclear_late":
            self._execute_later(endpoint, request, picked)
            return answer(fault)
        return damage(fault, endpoint.respond(context._replace(lag=self._lag(picked))), answer)

    def _lag(self, picked: PickedFault) -> float:
        """Return for how long an accepted order stays invisible: at most L, unless a script says otherwise."""
        if picked.fault.name != "lag":
            return 0.0
        if picked.fault.amount is not None:
            return picked.fault.amount
        return self.timing.lag * seeded_fraction(self.faults.seed, "lag", picked.name, picked.attempt)

    def _deliver_late(self, endpoint: Endpoint, request: HttpRequest, picked: PickedFault) -> None:
        """Deliver a request late in its window, and execute it within P after its timestamp was checked.

        Without a timestamp the window begins when the request arrives.
        """
        seed, received, epoch = self.faults.seed, time.monotonic(), self.delayed.epoch
        part = picked.fault.amount
        if part is None:
            # In the second half of the window, when the client has given up, but at most at 0.95 W.
            part = 0.5 + 0.45 * seeded_fraction(seed, "late", picked.name, picked.attempt)
        window = self.admission.window(request) if endpoint.signed else self.timing.window
        age = self._age(endpoint, request, window)
        delay = part * window - age
        work = self._work(picked)
        latest = received + window + self.timing.processing - age

        def deliver() -> None:
            time.sleep(max(0.0, delay))
            endpoint.authenticate(self.admission, request, self.clock.now())
            time.sleep(work)
            # On a busy machine the sleeps take longer; an acceptance after W + P would break the promised bound.
            if time.monotonic() > latest or epoch != self.delayed.epoch:
                return
            endpoint.route(RequestContext(self.exchange, request, self.clock.now()))

        self.delayed.start(deliver)

    def _execute_later(self, endpoint: Endpoint, request: HttpRequest, picked: PickedFault) -> None:
        """Execute a request that was admitted just now within P, when its answer has been sent."""
        work, epoch, latest = self._work(picked), self.delayed.epoch, time.monotonic() + self.timing.processing

        def execute() -> None:
            time.sleep(work)
            if time.monotonic() <= latest and epoch == self.delayed.epoch:
                endpoint.route(RequestContext(self.exchange, request, self.clock.now()))

        self.delayed.start(execute)

    def _work(self, picked: PickedFault) -> float:
        """Return the seconds from the check of a request's timestamp to its execution."""
        # At most 0.9 P, which leaves a tenth of P for a busy machine.
        return 0.9 * self.timing.processing * seeded_fraction(self.faults.seed, "work", picked.name, picked.attempt)

    def _age(self, endpoint: Endpoint, request: HttpRequest, window: float) -> float:
        """Return how long ago the request was stamped, by the exchange's clock; 0 without a valid timestamp."""
        stamp = self.admission.signed_at(request) if endpoint.signed else None
        if stamp is None:
            return 0.0
        age = self.clock.now() - stamp
        return age if abs(age) <= window else 0.0
