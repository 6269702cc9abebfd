"""A run that does everything once or twice, and what must have been counted then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from resilience import NOT_FOUND, CircuitOpenError, Found, Policies, QuotaExceededError
from resilience.testing import FakeClock

POLICIES = {
    "version": 1,
    "policies": {
        "read": {
            "retry": {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}},
            "breaker": {"consecutive": 3, "open_for": "10s"},
            "budget": "off",
            "deadline": "60s",
        },
        "write": {
            "deadline": "20s",
            "attempt_timeout": "5s",
            "retry": {"max_attempts": 2, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}},
            "breaker": "off",
            "budget": "off",
            "reconcile": {"fence": "5s", "early_checks": 1, "wait": "1s"},
        },
        "slow": {
            "deadline": "5s",
            "retry": "off",
            "breaker": "off",
            "budget": {"ratio": "20%", "floor": "1/s"},
            "quota": [{"name": "orders", "rate": "1/s", "burst": 1}],
            "admission": {"max_concurrent": 4, "max_queue": 4, "queue_timeout": "1s"},
        },
    },
}
Counted = dict[tuple[str, tuple[str, ...]], float]


def new_policies() -> Policies:
    """Return the policies of the run, on a clock that never waits."""
    return Policies.from_mapping(POLICIES, clock=FakeClock(), log=False)


def scripted_run(policies: Policies) -> object:
    """Make the calls, whose functions answer by a script; returns what must be kept meanwhile."""
    _reads(policies)
    _writes(policies)
    _limits(policies)
    sockets = [Socket("live", 1), Socket("waiting", 2)]
    for socket in sockets:
        policies.register_stream(socket)
    return sockets  # a client that nobody keeps is forgotten


def answering(*answers: Any) -> Callable[..., Any]:
    """Return a function that raises or returns the next of these answers."""
    left = list(answers)

    def function(*_: Any, **__: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return function


def _reads(policies: Policies) -> None:
    fetch = policies.resilient("read", operation="fetch", idempotent=True)
    assert fetch(answering(1))() == 1
    assert fetch(answering(ConnectionError(), ConnectionError(), 2))() == 2
    with pytest.raises(ValueError, match="wrong"):
        fetch(answering(ValueError("wrong")))()
    with pytest.raises(KeyboardInterrupt):
        fetch(answering(KeyboardInterrupt()))()
    with pytest.raises(ConnectionError):
        fetch(answering(*[ConnectionError() for _ in range(3)]))()  # which opens the breaker
    for _ in range(2):
        with pytest.raises(CircuitOpenError):
            fetch(answering())()
    policies.clock.sleep(11.0)
    assert fetch(answering(3))() == 3
    policies.isolate("read", reason="maintenance")
    with pytest.raises(CircuitOpenError):
        fetch(answering())()
    policies.release("read")


def _writes(policies: Policies) -> None:
    def order(name: str, lookup: Callable[..., Any], *answers: Any) -> Any:
        send = answering(*answers)

        def place(*, key: str) -> Any:
            return send()

        return policies.resilient("write", operation="order", key="key", reconcile=lookup)(place)(key=name)

    assert order("a", lambda _: Found("done"), TimeoutError()) == "done"
    assert order("b", lambda _: NOT_FOUND, TimeoutError(), "sent again") == "sent again"
    with pytest.raises(TimeoutError):
        order("c", answering(*[ConnectionError() for _ in range(9)]), TimeoutError())  # nobody can tell
    with pytest.raises(TimeoutError):
        policies.resilient("write", operation="cancel")(answering(TimeoutError()))()


def _limits(policies: Policies) -> None:
    send = policies.resilient("slow", operation="send", idempotent=True)(answering(1, 2, BannedError(), 3))
    assert [send(), send()] == [1, 2]  # the second one waits for a second
    with pytest.raises(BannedError):
        send()
    with pytest.raises(QuotaExceededError):
        send()


class BannedError(Exception):
    """An answer that bans the client for 30 seconds."""

    status_code = 418
    headers = {"Retry-After": "30"}  # noqa: RUF012  # as clients have them


class Socket:
    """A stream client, as far as a snapshot reads it."""

    def __init__(self, state: str, reconnects: int) -> None:
        self.row = {"socket": "private", "state": state, "reconnects": reconnects, "gaps": 1, "dropped": 5}

    def describe(self) -> list[dict[str, Any]]:
        return [self.row]


def _calls(policy: str, operation: str, *totals: int) -> Counted:
    outcomes = ("ok", "failed", "rejected", "unknown", "cancelled")
    return {("resilience.calls", (policy, operation, name)): n for name, n in zip(outcomes, totals, strict=True)}


EXPECTED: Counted = {
    **_calls("read", "fetch", 3, 2, 3, 0, 1),
    **_calls("write", "order", 2, 0, 0, 1, 0),
    **_calls("write", "cancel", 0, 0, 0, 1, 0),
    **_calls("slow", "send", 2, 1, 1, 0, 0),
    ("resilience.attempts", ("read", "fetch", "ok", "n_a")): 3,
    ("resilience.attempts", ("read", "fetch", "retryable", "maybe")): 5,
    ("resilience.attempts", ("read", "fetch", "fatal", "maybe")): 1,
    ("resilience.attempts", ("write", "order", "ok", "n_a")): 1,
    ("resilience.attempts", ("write", "order", "retryable", "maybe")): 3,
    ("resilience.attempts", ("write", "cancel", "ok", "n_a")): 0,
    ("resilience.attempts", ("write", "cancel", "retryable", "maybe")): 1,
    ("resilience.attempts", ("slow", "send", "ok", "n_a")): 2,
    ("resilience.attempts", ("slow", "send", "retryable", "no")): 1,
    ("resilience.breaker.state", ("read", "read")): 0,
    ("resilience.breaker.transitions", ("read", "read", "closed")): 1,
    ("resilience.breaker.transitions", ("read", "read", "half-open")): 1,
    ("resilience.breaker.transitions", ("read", "read", "open")): 1,
    ("resilience.breaker.transitions", ("read", "read", "isolated")): 1,
    ("resilience.quota.used", ("orders", "")): 1,
    ("resilience.quota.limit", ("orders", "")): 1,
    ("resilience.hold", ("", "")): 30,
    ("resilience.budget.left", ("slow",)): 10,
    ("resilience.admission.running", ("slow", "cancel")): 0,
    ("resilience.admission.running", ("slow", "default")): 0,
    ("resilience.admission.waiting", ("slow", "cancel")): 0,
    ("resilience.admission.waiting", ("slow", "default")): 0,
    ("resilience.writes_in_doubt", ("order",)): 1,
    ("resilience.writes_in_doubt", ("cancel",)): 1,
    ("resilience.reconciled", ("order", "found")): 1,
    ("resilience.reconciled", ("order", "not_found")): 1,
    ("resilience.reconciled", ("order", "unknown")): 1,
    ("resilience.stream.state", ("private",)): 2,
    ("resilience.stream.reconnects", ("private",)): 3,
    ("resilience.stream.gaps", ("private",)): 2,
    ("resilience.stream.dropped", ("private",)): 10,
}
"""Every number that is no histogram, by the metric's name and the values of its attributes."""
DURATIONS: dict[tuple[str, tuple[str, ...]], tuple[int, float]] = {
    ("resilience.call.duration", ("read", "fetch", "ok")): (3, 2.0),
    ("resilience.call.duration", ("read", "fetch", "failed")): (2, 2.0),
    ("resilience.call.duration", ("read", "fetch", "rejected")): (3, 0.0),
    ("resilience.call.duration", ("read", "fetch", "cancelled")): (1, 0.0),
    ("resilience.call.duration", ("write", "order", "ok")): (2, 6.0),
    ("resilience.call.duration", ("write", "order", "unknown")): (1, 19.0),
    ("resilience.call.duration", ("write", "cancel", "unknown")): (1, 0.0),
    ("resilience.call.duration", ("slow", "send", "ok")): (2, 1.0),
    ("resilience.call.duration", ("slow", "send", "failed")): (1, 1.0),
    ("resilience.call.duration", ("slow", "send", "rejected")): (1, 0.0),
    ("resilience.quota.wait", ("orders", "")): (2, 2.0),
}
"""How many durations each histogram has, and their sum."""
