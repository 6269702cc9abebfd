"""Connects to the store and runs scripts in it. Only this module imports `redis`, and only the link's thread calls it.

Nothing here waits for longer than the patience of the settings. An answer that comes later is never read: its
connection is closed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from hashlib import sha1
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

from .._core.stages.durations import Durations
from ..errors import PolicyError
from .store_checks import danger_of, find_danger
from .store_errors import StoreLostError, UnsafeStoreError

if TYPE_CHECKING:
    import redis

__all__ = ["Script", "Store", "require_client"]

R = TypeVar("R")
_SENTINEL_PORT = 26379
KEPT_TRIPS = 4096  # the times of the last ones, one by one, for whoever exports them so
_MISSING = "the store needs redis: pip install 'resilience-middleware[shared]'"


def require_client() -> None:
    """Load the library that talks to stores, and what its first connection imports, here and not in a thread.

    A child that is forked in the middle of an import waits for it for ever.

    Raises:
        PolicyError: it is not installed.
    """
    if find_spec("redis") is None:
        raise PolicyError(f"shared: {_MISSING}")
    import encodings.idna  # noqa: F401
    import secrets  # noqa: F401

    import redis.backoff
    import redis.retry

    # Not connected. The first one reads the version of its package, which imports much.
    redis.Connection()  # type: ignore[no-untyped-call]


class Script:
    """A Lua script. It is sent once per server, and called by its digest after that."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class Store:
    """A connection to one store. Used by one thread.

    Attributes:
        trips: how many questions have been sent.
        round_trips: how long those took that were answered.
    """

    def __init__(self, url: str, patience: float) -> None:
        """Connect at the first use.

        Args:
            url: the store; see `SharedSettings.url`.
            patience: seconds after which an answer is waited for no longer.
        """
        self._url = url
        self._patience = patience
        self._client: Any = None
        self.trips = 0
        self.round_trips = Durations(KEPT_TRIPS)

    def connect(self) -> None:
        """Connect, and check that the store can be relied on.

        Raises:
            StoreLostError: it does not answer.
            UnsafeStoreError: it is not safe to use.
        """
        self.close()
        client = self._client = _guarded(lambda: _new_client(self._url, self._patience))
        danger = _guarded(lambda: find_danger(client))
        if danger:
            self.close()
            raise UnsafeStoreError(danger)

    def run(self, script: Script, keys: Sequence[str], args: Sequence[object]) -> Any:
        """Run a script and return its answer.

        Raises:
            StoreLostError: no answer has come in time.
            UnsafeStoreError: the store's user may not run what the script needs.
        """
        client = self._client
        if client is None:
            raise StoreLostError("not connected")
        return self._timed(lambda: _evaluate(client, script, keys, args))

    def call(self, function: Callable[[Any], R]) -> R:
        """Return what a function of the client of `redis` returns; errors as for `run`."""
        client = self._client
        if client is None:
            raise StoreLostError("not connected")
        return self._timed(lambda: function(client))

    def _timed(self, question: Callable[[], R]) -> R:
        """Return the answer of the store to a question."""
        self.trips += 1
        begin = time.monotonic()
        answer = _guarded(question)
        now = time.monotonic()
        self.round_trips.add(now - begin, now)
        return answer

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.close()
            except Exception:
                pass  # it is of no use any more

    def forget(self) -> None:
        """Forget the connection of the parent process in a forked child, without closing it."""
        self._client = None


def _evaluate(client: redis.Redis, script: Script, keys: Sequence[str], args: Sequence[object]) -> Any:
    from redis.exceptions import NoScriptError

    try:
        return client.evalsha(script.digest, len(keys), *keys, *args)  # type: ignore[arg-type]  # it encodes numbers
    except NoScriptError:
        return client.eval(script.text, len(keys), *keys, *args)  # type: ignore[arg-type]  # which loads it too


def _guarded(function: Callable[[], R]) -> R:
    """Call a function that talks to the store; its errors become ours, without the text, which may name the URL."""
    from redis.exceptions import RedisError

    try:
        return function()
    except (RedisError, OSError, ValueError) as error:
        danger = danger_of(type(error).__name__, str(error))
        raise UnsafeStoreError(danger) if danger else StoreLostError(type(error).__name__) from None


def _new_client(url: str, patience: float) -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_timeout": patience,
        "socket_connect_timeout": patience,
        "retry": Retry(NoBackoff(), 0),  # a question that is asked twice would be booked twice
    }
    kind, _, rest = url.partition("://")
    scheme, _, topology = kind.partition("+")
    if topology == "cluster":
        return redis.RedisCluster.from_url(f"{scheme}://{rest}", **options)
    if topology == "sentinel":
        return _behind_sentinels(rest, options)
    return redis.Redis.from_url(url, **options)


def _behind_sentinels(rest: str, options: dict[str, Any]) -> Any:
    """Return a client of the primary that sentinels name: `user:password@host:port,host:port/service`."""
    from redis import sentinel

    credentials, _, places = rest.rpartition("@")
    hosts, _, service = places.partition("/")
    user, password = map(unquote, credentials.partition(":")[::2])
    pairs = [host.rpartition(":")[::2] if ":" in host else (host, _SENTINEL_PORT) for host in hosts.split(",")]
    sentinels: Any = sentinel.Sentinel(  # type: ignore[no-untyped-call]
        [(host, int(port)) for host, port in pairs],
        sentinel_kwargs={key: options[key] for key in ("socket_timeout", "socket_connect_timeout")},
        username=user or None,
        password=password or None,
        **options,
    )
    return sentinels.master_for(service or "mymaster")
