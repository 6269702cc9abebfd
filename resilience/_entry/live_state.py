"""Provides what a person reads and switches by hand in running policies: events, breakers, snapshot, kill switch.

`Policies` inherits it. Nothing here decides: the state is that of `SharedState`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import console
from .._core.call.late_lookup import LookupResult
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._pipeline.call_tracing import CallTracer
from .._pipeline.hand_lookups import look_up_write
from .._pipeline.metrics_reader import MetricsReader
from .._pipeline.shared_state import SharedState
from .._pipeline.snapshot import take_snapshot
from .active_policies import ActivePolicies, policy_of

if TYPE_CHECKING:
    from ..console.snapshot_server import SnapshotServer

__all__ = ["LiveState"]


class LiveState:
    """The live state of one set of policies. Safe across threads, tasks and signal handlers."""

    _shared: SharedState
    _active: ActivePolicies

    def subscribe(self, listener: Any, *, successes: bool = False) -> Callable[[], None]:
        """Send every event to `listener` until the returned function is called. A listener that raises is dropped.

        With `successes` it gets `call_succeeded` for each call that ended well, too, with its `duration` in seconds and
        its `attempts`. Calls take longer then; they are compiled again, once, when the first such listener comes.
        Pipelines that were made from a `Policy` before, and what they have compiled, do not report successes.

        A `pybreaker.CircuitBreakerListener` gets the calls of its own interface for every breaker of these policies
        instead: state changes and failures, and each call and success if it overrides those methods, which takes the
        breakers off the fast path.

        Raises:
            TypeError: the listener is neither a plain function of one event nor a listener of pybreaker's kind, or it
                is of pybreaker's kind and `successes` is set.
        """
        remove = self._shared.breakers.subscribe(listener, successes=successes)
        if not successes:
            return remove
        self._active.compile_again()

        def unsubscribe() -> None:
            remove()
            self._active.compile_again()  # without the reports, where nobody else listens to successes

        return unsubscribe

    def breakers(self, policy: str | Policy | None = None) -> tuple[Breaker, ...]:
        """Return every breaker that exists, whatever its key, or those of a policy.

        Each has `policy`, `key`, `state` (`closed`, `open`, `half-open` or `isolated`), `counts` (`succeeded`, `failed`
        and `slow`), `open_until` (Unix seconds, or None) and `opened_by`, and can be switched by `open`, `close` and
        `isolate`. A breaker exists once a function or a request has been compiled that uses it.

        Raises:
            PolicyError: there is no policy of that name.
        """
        return self._shared.breakers.all(self._name_of(policy))

    def snapshot(self) -> dict[str, Any]:
        """Return what is in force at this moment, as data that `json.dumps` takes.

        `resilience schema --snapshot` prints a description of each key. `healthy` is true while nothing is isolated and
        no breaker is open. Nothing in it is secret: accounts are digests. Reading it takes no lock that a call waits
        for.
        """
        return take_snapshot(self._shared, self._active.policy_set.policies)

    def look_up(self, key: str, *, timeout: float = 10.0) -> LookupResult:
        """Look up the write in doubt with this key now, and settle it if the answer is proof. It is never sent again.

        Calls the reconciler of its operation, in this thread or, for an async client, in the event loop of its call,
        and blocks until that is done. Emits `write_settled`. A lookup needs the client, so only the process that sent
        the write can make it; after a restart `Outbox.resume` does. A write that provably did not happen is settled in
        its outbox too, so that `resume` does not send it again.

        Args:
            key: the idempotency key, as in `snapshot()["writes_in_doubt"]`.
            timeout: seconds that the lookup may take, retries of its requests included.

        Returns:
            What the lookup has shown, by its `outcome`.

            - `found`: the write happened; `value` is the order.
            - `not found`: it did not happen, and cannot happen any more.
            - `not yet`: it was not found, which is no proof before `wait` seconds have passed. `wait` is None if it
              never becomes proof: for a write that is harmless to repeat, for one in an outbox that several processes
              share, and while the write may be sent again.
            - `foreign`: the key belongs to another order.
            - `forgotten`: the API does not know orders of that age any more.
            - `failed`: the lookup itself failed; `error` says why.

        Raises:
            LookupError: no write in doubt has this key, or several have, at different hosts or accounts; a call with
                it is under way; its operation has no lookup; or the event loop of its client does not run or runs in
                this thread.
        """
        return look_up_write(self._shared, key, timeout)

    def read_metrics(self, *, kept: int = 0) -> MetricsReader:
        """Return a reader of every metric, for those who export them; calls are measured until it is closed.

        Args:
            kept: how many of the last durations of a kind it can give one by one; 0 where histograms are enough.
        """
        return MetricsReader(self._shared, lambda: self._active.policy_set.policies, kept)

    def trace_calls(self, tracer: CallTracer) -> Callable[[], None]:
        """Put each call and each attempt into a span of this tracer, until the returned function is called.

        Everything is compiled again at both. Pipelines that were made from a `Policy` before are not traced.
        """
        self._shared.tracers = (*self._shared.tracers, tracer)
        self._active.compile_again()

        def stop() -> None:
            self._shared.tracers = tuple(other for other in self._shared.tracers if other is not tracer)
            self._active.compile_again()

        return stop

    def register_stream(self, client: Any) -> None:
        """Have `snapshot` ask a stream client for its sockets, by its method `describe`, for as long as it lives."""
        self._shared.streams[client] = True

    def isolate(self, policy: str | Policy | None = None, *, reason: str = "", cancels: bool = False) -> None:
        """Send nothing under a policy from now on, until `release`: the kill switch.

        Every call is rejected with `CircuitOpenError` (reason `isolated`), whatever its breaker, key or client:
        wrapped clients, orders over sockets, hedges, and the retries of calls that are under way. A request that has
        been sent already is not interrupted, and lookups of writes in doubt are still sent. An isolation survives a
        reload. Emits `circuit_isolated`.

        Args:
            policy: the policy, or None for all.
            reason: why, for the error, the log and `snapshot()`.
            cancels: whether calls that only cancel orders, by the operation's name, are still sent.

        Raises:
            PolicyError: there is no policy of that name.
            TypeError: the reason is not a string, or `cancels` is not a bool.
        """
        if not isinstance(reason, str):
            raise TypeError(f"reason: expected a string, got {type(reason).__name__}")
        if not isinstance(cancels, bool):  # "no" would be true
            raise TypeError(f"cancels: expected True or False, got {type(cancels).__name__}")
        self._shared.isolations.isolate(self._name_of(policy), "hand", reason, cancels=cancels)

    def release(self, policy: str | Policy | None = None, *, reason: str = "") -> int:
        """Lift isolations and holds: calls are sent again. Emits `circuit_released` and `hold_ended`.

        An isolation ends whether it came from `isolate`, the policy file or the environment. An isolation of all
        policies ends only if no policy is named. A call that waits for the end of a hold goes on waiting; later calls
        are sent.

        Args:
            policy: the policy whose operations are released, or None for all. A hold that concerns other policies as
                well ends for these too.
            reason: why, for the events and the log; by default the reason of the isolation or hold that is lifted.

        Returns:
            How many isolations and holds were lifted.

        Raises:
            PolicyError: there is no policy of that name.
            TypeError: the reason is not a string.
        """
        if not isinstance(reason, str):
            raise TypeError(f"reason: expected a string, got {type(reason).__name__}")
        settings = None if policy is None else self._settings_of(policy)
        name = None if settings is None else settings.name
        return self._shared.isolations.release(name, reason) + self._shared.release(settings)

    def _settings_of(self, policy: str | Policy) -> Policy:
        return policy if isinstance(policy, Policy) else policy_of(self._active.policy_set, policy)

    def _name_of(self, policy: str | Policy | None) -> str | None:
        return None if policy is None else self._settings_of(policy).name

    def serve_snapshot(self, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None) -> SnapshotServer:
        """Serve `snapshot()`, the events, isolate and release over HTTP on loopback, in a daemon thread.

        Args:
            host: a loopback address; nobody else can connect.
            port: TCP port; 0 takes any free one.
            token: what each request must send. If it is None, a random one is made, and only a request that changes
                something must send it.

        Returns:
            The running server, with `.url`, `.token` and `.close()`; it is a context manager too. A forked child
            does not serve: it must call this method again.

        Raises:
            OSError: the port is taken or not allowed; the message names it.
            ValueError: an argument is wrong, such as a host that is not a loopback address.
        """
        return console.serve_snapshot(self, host=host, port=port, token=token)
