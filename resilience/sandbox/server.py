"""The exchange on a loopback port: a thin HTTP server around the truth.

Bounds that every fault keeps, with W the stamp window: the stamp is checked when a request is
delivered, acceptance follows at most P = W/10 later, and an accepted order is visible at most
L = W/15 after that. Faults depend on (seed, client id, attempt) alone.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .exchange import Exchange
from .faults import rates_of
from .gate import Gate
from .http import Listener

__all__ = ["Sandbox"]


class Sandbox:
    """A running exchange; use it as a context manager.

    Attributes:
        rest: its base URL.
        ws: the same for WebSocket.
        key, secret, passphrase: the credentials that it knows.
        policy: path of a policy file whose `bitget` policy matches its window.
        requests: API requests seen so far.
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

        Raises:
            FaultError: the faults are none that the exchange has.
            OSError: the port is taken or not allowed.
        """
        if not 0 < window <= 3600:
            raise ValueError(f"window: expected seconds above 0 up to 3600, got {window!r}")
        self.window = window
        self.processing, self.lag = window / 10, window / 15
        self.rates = rates_of(faults)
        self.seed = seed
        self.clock_offset = 0.0
        self.key, self.secret, self.passphrase = "sandbox-key", "sandbox-secret-0123456789", "sandbox-pass"
        self.gate = Gate(self.key, self.secret, self.passphrase, window, limits, can_trade, demo, unified)
        self.exchange = Exchange(seed, hedge=hedge)
        self.requests = 0
        self._tries: dict[tuple[str, str], int] = {}
        self._late = 0
        self._changed = threading.Condition()
        self._listener = Listener(self, host, port)
        self.rest = f"http://{host}:{self._listener.port}"
        self.ws = f"ws://{host}:{self._listener.port}"
        self._folder = tempfile.mkdtemp(prefix="resilience-sandbox-")
        self.policy = str(Path(self._folder, "policy.yaml"))
        Path(self.policy).write_text(_policy(window, self.processing, self.lag), encoding="utf-8")
        self._listener.start()

    def now(self) -> float:
        """Return the exchange's own Unix time."""
        return time.time() + self.clock_offset

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return the truth: one row a client id, `executions` counts acceptances."""
        return self.exchange.ledger()

    def set_faults(self, *, seed: int | None = None, rates: str | Mapping[str, Any] | None = None) -> None:
        """Change the faults; a rate that is not given is 0.

        Raises:
            FaultError: the faults are none that the exchange has; nothing changes.
        """
        fresh = rates_of(rates)
        self.rates = fresh
        if seed is not None:
            self.seed = seed

    def reset(self) -> None:
        """Empty the ledger and begin to count attempts anew."""
        self.exchange.book.clear()
        with self._changed:
            self._tries.clear()

    def settle(self) -> None:
        """Wait until every request that is still under way was accepted or refused (at most W + P)."""
        with self._changed:
            self._changed.wait_for(lambda: self._late == 0, self.window + self.processing + 1)

    def attempt(self, kind: str, client_id: str) -> int:
        """Count and return the number of this attempt for the client id, from 1."""
        with self._changed:
            number = self._tries[kind, client_id] = self._tries.get((kind, client_id), 0) + 1
        return number

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
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _policy(window: float, processing: float, lag: float) -> str:
    """Return a policy file for this window: attempts shorter than it, a deadline that fits several fences."""
    attempt = max(0.2, min(8.0, window * 0.4))
    deadline = max(90.0, 6 * (2 * window + processing + lag))
    wait = max(0.02, min(0.5, window / 20))
    return f"""# The policy for a sandbox exchange whose stamps are accepted for {window:g} s.
version: 1
policies:
  bitget:
    extends: bitget
    deadline: {deadline * 1000:.0f}ms
    attempt_timeout: {attempt * 1000:.0f}ms
    retry: {{max_attempts: 8, backoff: {{initial: {wait * 1000:.0f}ms, max: {max(wait, window) * 1000:.0f}ms}}}}
    reconcile:
      checks: 2
      wait: {wait * 1000:.0f}ms
      window: {window * 1000:.0f}ms
      processing: {processing * 1000:.3f}ms
      lag: {lag * 1000:.3f}ms
"""
