"""Runs the sandbox exchange on loopback ports and holds its parts together.

Every fault keeps these bounds, where W is the timestamp window. The timestamp is checked when a request is delivered;
acceptance follows at most P = W/10 later; an accepted order is visible at most L = W/15 after that. Without a
timestamp, W begins when the request arrives. A stale query is L behind. Only a script can exceed these bounds. Faults
depend on (seed, client id, attempt) alone.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from .ccxt_urls import point, urls_of
from .dialects import DIALECTS
from .exchange.auth import Authenticator
from .exchange.clock import ExchangeClock
from .exchange.exchange import Exchange
from .exchange.fault_picker import FaultPicker
from .rest.controls import control
from .rest.dispatch import RequestDispatcher, Timing
from .rest.http_listener import Listener
from .rest.rest_dialect import RestDialect
from .rest.routes import Router
from .scaled_policy import policy_for
from .websocket import Sockets
from .websocket.order_sockets import OrderSockets, SocketEnvironment

__all__ = ["Sandbox"]

_T = TypeVar("_T")

_RETENTION_WINDOW = 30.0
"""The window, in seconds, with which orders are remembered for as long as at the real exchange."""


class Sandbox:
    """A running exchange; use it as a context manager. Safe across threads.

    Attributes:
        venue: the exchange whose API it speaks, by its name in ccxt.
        rest: base URL of its REST API.
        sockets: its WebSocket connections, and the controls of their faults.
        key: the API key that it accepts.
        secret: the secret of that key.
        passphrase: the passphrase of that key.
        policy: path of a policy file that fits its `window`. It has the policy `bitget`, or `ccxt` for another venue.
        window: W, the seconds for which it accepts a timestamp.
        processing: P, the most seconds from a valid timestamp until an order is accepted.
        lag: L, the most seconds until a query sees an accepted order.
        exchange: the state of the exchange.
        clock: the exchange's clock.
        authenticator: the checks of private requests.
        faults: the seed, rates and scripts of its faults.

    Example:
        >>> with Sandbox(window=1.0) as exchange:
        ...     exchange.ledger()
        {'orders': []}
    """

    def __init__(
        self,
        port: int = 0,
        *,
        venue: str = "bitget",
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
        """Start to listen.

        Args:
            port: TCP port; 0 takes any free one.
            venue: whose API it speaks, by its name in ccxt: `bitget`, `binance`, `okx` or `bybit`.
            seed: the seed of the faults: the same seed gives the same faults.
            window: W, the seconds for which a timestamp is accepted; P and L scale with it. A request may ask for
                less. Other venues than Bitget forget orders after the real times, multiplied by W / 30 s.
            faults: `calm`, `ordinary`, `harsh`, or a rate for each fault; None means no faults.
            host: address to listen on.
            limits: whether the real exchange's rate limits apply.
            can_trade: whether the key may place orders.
            demo: whether the key is a demo key (Bitget only, as are the next two).
            unified: whether the account is a unified one.
            hedge: whether the futures account is in hedge mode.
            pace: seconds that pass for the sockets per real second.

        Raises:
            FaultError: a fault is unknown.
            OSError: the port is taken or not allowed.
            ValueError: the venue is unknown or has no such account, or `window` or `pace` is out of range.
        """
        self._dialect = _find_dialect(venue, bitget_only={"demo": demo, "unified": unified, "hedge": hedge})
        self.venue = venue
        if not 0 < window <= 3600:
            raise ValueError(f"window: expected seconds above 0 up to 3600, got {window!r}")
        if not 0 < pace <= 10_000:
            raise ValueError(f"pace: expected a number above 0 up to 10000, got {pace!r}")
        self.window: float = window
        self.processing: float = window / 10
        self.lag: float = window / 15
        self.key: str = "sandbox-key"
        self.secret: str = "sandbox-secret-0123456789"
        self.passphrase: str = "sandbox-pass"
        self.clock: ExchangeClock = ExchangeClock()
        self.faults: FaultPicker = FaultPicker(seed, faults)
        self.exchange: Exchange = Exchange(seed, hedge=hedge, time_scale=window / _RETENTION_WINDOW)
        self.authenticator: Authenticator = Authenticator(
            self.key, self.secret, self.passphrase, window, limits, can_trade, demo, unified
        )
        timing = Timing(window, self.processing, self.lag)
        admission = self._dialect.admission(self.authenticator)
        dispatcher = RequestDispatcher(self.exchange, self.clock, admission, self.faults, timing)
        self._delayed = dispatcher.delayed
        # The parts know each other in one direction: router, dispatcher, exchange. Only the controls know the sandbox.
        self._router = Router(self._dialect, dispatcher, partial(control, self))
        self._listener = Listener(self._router, self.clock, host, port, trickle_delay=window / 50)
        self.rest: str = f"http://{host}:{self._listener.port}"
        self._host = host
        self.sockets: Sockets = Sockets(self.exchange, self.clock, self.authenticator, host, pace=pace, limits=limits)
        self._order_sockets = self._listen_for_orders(host)
        if venue == "bitget":
            # Set last, because the sockets need the exchange when they are built.
            self.exchange.orders.on_change = self.sockets.publish_order
        self._folder = tempfile.mkdtemp(prefix="resilience-sandbox-")
        self.policy: str = str(Path(self._folder, "policy.yaml"))
        name = "bitget" if venue == "bitget" else "ccxt"
        text = policy_for(name, window, self.processing, self.lag, limits=limits)
        Path(self.policy).write_text(text, encoding="utf-8")
        # No request may arrive before all parts exist.
        self._listener.start()

    @property
    def ws(self) -> str:
        """The base URL of its WebSocket, on a port of its own.

        Raises:
            ModuleNotFoundError: `websockets` (extra `streams`) is not installed, so nothing listens.
            LookupError: the venue is not Bitget, the only one whose WebSocket is spoken.
        """
        if self.venue != "bitget":
            raise LookupError(f"the sandbox speaks no WebSocket of {self.venue}")
        return f"ws://{self._host}:{self.sockets.port}"

    def _listen_for_orders(self, host: str) -> OrderSockets | None:
        """Return the socket by which orders are placed, where it is another one than that of the streams."""
        dialect = self._dialect.order_socket
        if dialect is None:
            return None
        return OrderSockets(SocketEnvironment(dialect, self.authenticator, self.clock, self._router.respond), host)

    @property
    def clock_offset(self) -> float:
        """Seconds by which the exchange's clock is ahead of ours; it can be set."""
        return self.clock.offset

    @clock_offset.setter
    def clock_offset(self, seconds: float) -> None:
        self.clock.offset = seconds

    def now(self) -> float:
        """Return the exchange's own Unix time in seconds."""
        return self.clock.now()

    @property
    def seed(self) -> int:
        """The seed of the faults."""
        return self.faults.seed

    @property
    def rates(self) -> dict[str, float]:
        """The rate of each fault."""
        return self.faults.rates

    @property
    def requests(self) -> int:
        """API requests since the last reset, queries included."""
        return self._router.requests

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return the truth: one row per client id; `executions` is how many orders were accepted under it."""
        return self.exchange.ledger()

    def set_faults(self, *, seed: int | None = None, rates: str | Mapping[str, Any] | None = None) -> None:
        """Change the faults; a rate that is not passed becomes 0.

        Raises:
            FaultError: a fault is unknown; nothing changes.
        """
        self.faults.change(seed, rates)

    def script(self, client_id: str, faults: Iterable[str]) -> None:
        """Set the faults of the attempts 1, 2, 3 … under a client id, which override the rates.

        Args:
            client_id: of the order; `cancel:ID` and `query:ID` are for its cancels and its queries.
            faults: one per attempt, an empty string for none; attempts after the last have none. `lag:3.0` is 3 s,
                even beyond L; `accept_late:0.9` is delivered at 0.9 W after the timestamp.

        Raises:
            FaultError: an entry is not a fault of such requests; nothing changes.
        """
        self.faults.change(scripts={client_id: faults})

    @property
    def urls(self) -> dict[str, str]:
        """What `urls["api"]` of ccxt's class must be, so that its requests come here."""
        return urls_of(self._dialect, self.rest)

    def point(self, exchange: _T) -> _T:
        """Point an exchange of ccxt here: set its URLs and its credentials, and return it.

        Args:
            exchange: an exchange of ccxt, sync or async, plain or wrapped; its class is that of the venue.

        Raises:
            ValueError: it is of another venue.
        """
        urls: dict[str, Any] = dict(self.urls)
        if self._order_sockets is not None and "ws" in getattr(exchange, "urls", {}).get("api", {}):
            urls["ws"] = self._order_sockets.ccxt_urls
        return point(exchange, self.venue, urls, (self.key, self.secret, self.passphrase))

    def plant(self, client_id: str, market: str = "spot", **params: Any) -> str:
        """Insert a foreign order under a client id and return its order id; the ledger does not count it.

        Args:
            client_id: the client id, or the key of an order of the plain HTTP API.
            market: `spot`, futures (`mix` of Bitget, else `swap`), or `plain` (the plain HTTP API).
            params: fields of the order as queries show them; `status` is `pending`, `filled` (default) or
                `cancelled`, `age` is the seconds since it was created.

        Raises:
            ValueError: the market or the status is unknown.
        """
        return self.exchange.plant(self._dialect.find_market(market), client_id, params, self.now()).order_id

    def reset(self) -> None:
        """Empty the ledger, discard delayed requests, and count attempts and requests from 0."""
        self._delayed.discard()
        self._router.reset_count()
        self.exchange.orders.clear()
        self.faults.reset_attempts()

    def settle(self) -> None:
        """Wait until every delayed request was accepted or refused, for at most 2 W + P + 1 s."""
        self._delayed.wait(2 * self.window + self.processing + 1)

    def close(self) -> None:
        """Stop listening and remove the policy file."""
        self._listener.stop()
        self.sockets.close()
        if self._order_sockets is not None:
            self._order_sockets.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _find_dialect(venue: str, *, bitget_only: Mapping[str, bool]) -> RestDialect:
    if venue not in DIALECTS:
        raise ValueError(f"venue: expected {', '.join(DIALECTS)}, got {venue!r}")
    wrong = [name for name, value in bitget_only.items() if value] if venue != "bitget" else []
    if wrong:
        raise ValueError(f"{wrong[0]}: only the sandbox of bitget has such an account, not {venue}")
    return DIALECTS[venue]
