"""The exchange on a loopback port: a thin HTTP server around the truth.

Bounds that every fault keeps, with W the stamp window: the stamp is checked when a request is
delivered, acceptance follows at most P = W/10 later, and an accepted order is visible at most
L = W/15 after that; without a stamp, W begins when the request comes. A stale query is L behind and
no more. Only a script can ask for more. Faults depend on (seed, client id, attempt) alone.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .exchange.auth import Gate
from .exchange.exchange import Exchange
from .exchange.fault_picker import Chance
from .exchange.order_store import MIX, PLAIN, SPOT
from .rest.http_listener import Listener
from .scaled_policy import policy_for
from .websocket import Sockets

__all__ = ["Sandbox"]

_MARKETS = {one.name: one for one in (SPOT, MIX, PLAIN)}


class Sandbox:
    """A running exchange; use it as a context manager.

    Attributes:
        rest: its base URL.
        sockets: what its WebSocket saw, and what it is to do.
        key, secret, passphrase: the credentials that it knows.
        policy: path of a policy file whose `bitget` policy matches its window.
        requests: API requests seen since the last reset.
        chance: its seed, rates and scripts.
        epoch: how often it was reset.
        clock_offset: seconds by which its clock is ahead of ours.

    Example:
        >>> with Sandbox(window=1.0) as exchange:
        ...     exchange.ledger()
        {'orders': []}
    """

    def __init__(
        self,
        port: int = 0,
        *,
        seed: int = 0,
        window: float = 30.0,
        faults: str | Mapping[str, Any] | None = None,
        host: str = "127.0.0.1",
        limits: bool = True,
        can_trade: bool = True,
        demo: bool = False,
        unified: bool = False,
        hedge: bool = False,
        pace: float = 1.0,
    ) -> None:
        """Begin to listen.

        Args:
            port: TCP port; 0 takes any free one.
            seed: of the faults.
            window: seconds W for which a stamp is accepted; P and L scale with it.
            faults: a named mix, or rates by fault; None is calm.
            host: address to listen on.
            limits: whether the real exchange's rate limits hold.
            can_trade: whether the key may place orders.
            demo: whether the key is a demo key.
            unified: whether the account is a unified one.
            hedge: whether the futures account is in hedge mode.
            pace: seconds that pass for the sockets in one real second.

        Raises:
            FaultError: the faults are none that the exchange has.
            OSError: the port is taken or not allowed.
        """
        if not 0 < window <= 3600:
            raise ValueError(f"window: expected seconds above 0 up to 3600, got {window!r}")
        if not 0 < pace <= 10_000:
            raise ValueError(f"pace: expected a number above 0 up to 10000, got {pace!r}")
        self.window = window
        self.processing, self.lag = window / 10, window / 15
        self.chance = Chance(seed, faults)
        self.clock_offset = 0.0
        self.key, self.secret, self.passphrase = "sandbox-key", "sandbox-secret-0123456789", "sandbox-pass"
        self.gate = Gate(self.key, self.secret, self.passphrase, window, limits, can_trade, demo, unified)
        self.exchange = Exchange(seed, hedge=hedge)
        self.requests = 0
        self.epoch = 0
        self._late = 0
        self._changed = threading.Condition()
        self._listener = Listener(self, host, port)
        self.rest = f"http://{host}:{self._listener.port}"
        self.sockets = Sockets(self, host, pace, limits)
        self._host = host
        self.exchange.book.watch = self.sockets.tell_order
        self._folder = tempfile.mkdtemp(prefix="resilience-sandbox-")
        self.policy = str(Path(self._folder, "policy.yaml"))
        Path(self.policy).write_text(policy_for(window, self.processing, self.lag, limits=limits), encoding="utf-8")
        self._listener.start()

    @property
    def ws(self) -> str:
        """The base URL of its WebSocket, on a port of its own.

        Raises:
            ModuleNotFoundError: `websockets` (extra `streams`) is not installed, so nothing listens.
        """
        return f"ws://{self._host}:{self.sockets.port}"

    def now(self) -> float:
        """Return the exchange's own Unix time."""
        return time.time() + self.clock_offset

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return the truth: one row a client id, `executions` counts acceptances."""
        return self.exchange.ledger()

    @property
    def seed(self) -> int:
        """The seed of the faults."""
        return self.chance.seed

    @property
    def rates(self) -> dict[str, float]:
        """The rate of each fault."""
        return self.chance.rates

    def set_faults(self, *, seed: int | None = None, rates: str | Mapping[str, Any] | None = None) -> None:
        """Change the faults; a rate that is not given is 0.

        Raises:
            FaultError: the faults are none that the exchange has; nothing changes.
        """
        self.chance.change(seed, rates)

    def script(self, client_id: str, faults: Iterable[str]) -> None:
        """Say which faults the attempts 1, 2, 3 … under a client id meet, whatever the rates.

        Args:
            client_id: of the order; `cancel:ID` and `query:ID` are for its cancels and its queries.
            faults: one an attempt, an empty text for none; attempts after the last meet none. `lag:3.0` is 3 s,
                beyond L too; `accept_late:0.9` is delivered at 0.9 W after the stamp.

        Raises:
            FaultError: one is no fault of such requests; nothing changes.
        """
        self.chance.change(scripts={client_id: faults})

    def plant(self, client_id: str, market: str = "spot", **params: Any) -> str:
        """Put somebody else's order under a client id and return its order id; the ledger does not count it.

        Args:
            client_id: the id, or the key of a plain order.
            market: `spot`, `mix` or `plain`.
            params: fields of the order as they are to be shown; `status` is `pending`, `filled` (usual) or
                `cancelled`, `age` the seconds since it was created.
        """
        return self.exchange.plant(_MARKETS[market], client_id, params, self.now()).order_id

    def reset(self) -> None:
        """Empty the ledger, forget requests under way, and begin to count attempts and requests anew."""
        with self._changed:
            self.epoch += 1
            self.requests = 0
        self.exchange.book.clear()
        self.chance.forget_tries()

    def settle(self) -> None:
        """Wait until every request that is still under way was accepted or refused (at most 2 W + P)."""
        with self._changed:
            self._changed.wait_for(lambda: self._late == 0, 2 * self.window + self.processing + 1)

    def counted(self) -> None:
        """Count one API request."""
        with self._changed:
            self.requests += 1

    def under_way(self, change: int) -> None:
        """Note that a late request begins (+1) or ends (-1)."""
        with self._changed:
            self._late += change
            self._changed.notify_all()

    def close(self) -> None:
        """Stop listening and remove the policy file."""
        self._listener.stop()
        self.sockets.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
