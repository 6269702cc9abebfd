"""Requests that are delivered long after they were sent, when their client has given up."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from ..exchange.faults import share
from ..exchange.order_store import RefusedError
from .endpoint import Endpoint, Request, Turn

if TYPE_CHECKING:
    from ..exchange.fault_picker import Met
    from ..server import Sandbox

__all__ = ["accept_late"]


def accept_late(sandbox: Sandbox, endpoint: Endpoint, request: Request, met: Met) -> None:
    """Deliver the request late in its window, and carry it out within P after the stamp was checked.

    Without a stamp the window begins when the request comes.
    """
    seed, received, epoch = sandbox.chance.seed, time.monotonic(), sandbox.epoch
    part = met.fault.amount
    if part is None:
        part = 0.5 + 0.45 * share(seed, "late", met.name, met.attempt)
    age = _age(sandbox, endpoint, request)
    late = part * sandbox.window - age
    work = 0.9 * sandbox.processing * share(seed, "work", met.name, met.attempt)

    def deliver() -> None:
        try:
            time.sleep(max(0.0, late))
            endpoint.enter(sandbox, request, sandbox.now())
            time.sleep(work)
            if age + time.monotonic() - received > sandbox.window + sandbox.processing or epoch != sandbox.epoch:
                return  # a busy machine must not break the bound, nor the past a fresh ledger
            endpoint.act(Turn(sandbox, request, sandbox.now()))
        except RefusedError:
            pass  # too late: nobody is there to be told
        finally:
            sandbox.under_way(-1)

    sandbox.under_way(+1)
    threading.Thread(target=deliver, daemon=True).start()


def _age(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> float:
    """Return how long ago the request was stamped, by the exchange's clock; 0 where no good stamp is."""
    stamp = request.headers.get("access-timestamp", "") if endpoint.signed else ""
    if not (stamp.isdecimal() and len(stamp) == 13):
        return 0.0
    age = sandbox.now() - int(stamp) / 1000
    return age if abs(age) <= sandbox.window else 0.0
