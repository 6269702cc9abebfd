"""Under any server behaviour within W, P and L an order is executed at most once, and its outcome is true.

The server is a few lines of Python on a fake clock of its own offset. It checks the stamp when a
request is delivered, accepts at most P after that, and shows an order at most L after accepting it;
it frees a key when its order is filled, as the real one does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import NOT_FOUND, Found, Pipeline, Policy, current_call, failure_of
from resilience.testing import FakeClock

W, P, L = 30.0, 3.0, 2.0
SKEW = 25.0  # seconds; a client's clock may be off by almost as much as the server accepts


class EnvelopeError(Exception):
    """An error in the API's own envelope."""

    def __init__(self, code: str, now: float, status: int = 400) -> None:
        super().__init__(code)
        self.body = {"code": code, "msg": "m", "requestTime": int(now * 1000)}
        self.status_code = status


class BareError(Exception):
    """A status without the API's envelope, as a proxy sends it; its body may be JSON with a code of its own."""

    def __init__(self, status: int, body: object = None, headers: object = None) -> None:
        super().__init__(status)
        self.status_code, self.body, self.headers = status, body, headers


GATEWAY: dict[str, Any] = {
    **{
        f"gateway {status}": (status,)
        for status in (400, 403, 404, 408, 409, 418, 421, 425, 429, 444, 460, 499, 503, 511)
    },
    "gateway 429 with a wait": (429, None, {"Retry-After": "3"}),
    "gateway 503 with a wait": (503, None, {"Retry-After": "1"}),
    "gateway 502 with code 429": (502, {"code": 429, "msg": "busy"}),
    "gateway 503 with code 14": (503, {"code": 14, "message": "transport is closing"}),
    "gateway 429 with code 429": (429, {"code": "429", "msg": "busy"}),
    "gateway 400 with code 43012": (400, {"code": "43012", "msg": "insufficient balance"}),
    "gateway 500 with code 43012": (500, {"code": "43012", "msg": "insufficient balance"}),
}
"""What a gateway answers while the order that it passed on is still under way."""


@dataclass
class Server:
    """Executes orders at scripted times; `late` has those that are still in flight."""

    clock: FakeClock
    offset: float
    executed: list[float] = field(default_factory=list)
    late: list[tuple[float, float]] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Return the server's Unix time."""
        return self.clock.time() + self.offset

    def settle(self, until: float) -> None:
        """Carry out what was delivered before this server time."""
        for at, lag in sorted(self.late):
            if at <= until:
                self.executed.append(at)
                self.visible.append(at + lag)
        self.late = [one for one in self.late if one[0] > until]

    def send(self, behaviour: tuple[Any, ...], stamp: float) -> str:
        """Meet one attempt with one behaviour."""
        kind, wait, work, lag = behaviour
        now = self.now()
        if kind == "refused":
            raise EnvelopeError("43012", now)
        if kind == "busy":
            raise EnvelopeError("429", now, 429)
        if kind == "refused 40725":
            raise EnvelopeError("40725", now)
        if kind.startswith("unpassed "):
            raise BareError(*GATEWAY[kind.replace("unpassed", "gateway")])
        if kind in GATEWAY:  # the exchange goes on working for up to P after the gateway's answer
            self.late.append((now + work * P, lag * L))
            raise BareError(*GATEWAY[kind])
        if kind == "lost":
            self.clock.advance(5)
            raise TimeoutError
        if kind == "working 40725":  # it answers that it does not know, and goes on working for up to P
            self.late.append((now + work * P, lag * L))
            raise EnvelopeError("40725", now)
        delivered = now if kind != "late" else max(now, stamp + wait * W)
        if delivered <= stamp + W:
            self.late.append((delivered + work * P * (kind == "late"), lag * L))
        if kind == "late":
            self.clock.advance(5)
            self.settle(self.now())
            raise TimeoutError
        self.settle(now)
        if kind == "dropped":
            raise ConnectionResetError
        if kind == "bare 500":
            raise BareError(500)
        if kind == "accepted 40725":
            raise EnvelopeError("40725", now)
        return "order"


KINDS = [
    "fine", "dropped", "bare 500", "accepted 40725", "refused 40725", "working 40725", "refused", "busy", "lost",
    "late", *GATEWAY, *(name.replace("gateway", "unpassed") for name in GATEWAY),
]  # fmt: skip
SHARE = st.floats(0, 1)
BEHAVIOURS = st.lists(st.tuples(st.sampled_from(KINDS), SHARE, SHARE, SHARE), min_size=1, max_size=8)
LOOKUPS = st.lists(st.sampled_from(["answers", "fails"]), max_size=30)


def run(
    behaviours: Any, lookups: Any, offset: float, deadline: float, timeless: bool = False, **rules: Any
) -> tuple[Server, str]:
    """Place an order; return the server and the caller's outcome. `timeless` lookups have no server time."""
    clock = FakeClock()
    server = Server(clock, offset)
    script, down = iter(behaviours), iter(lookups)

    def place(*, client_id: str) -> str:
        call = current_call()
        assert call is not None
        stamp = clock.time()
        call.stamp(stamp)
        return server.send(next(script, ("fine", 0, 0, 0)), stamp)

    def look_up(call: Any) -> Any:
        if next(down, "answers") == "fails":
            raise ConnectionResetError
        now = server.now()
        server.settle(now)
        server_time = None if timeless else now
        seen = [at for at, shown in zip(server.executed, server.visible, strict=True) if shown <= now]
        if seen:
            return Found("order", created_at=seen[0], server_time=server_time)
        return NOT_FOUND(server_time=server_time)

    policy = Policy(
        codes=("bitget", "http"),
        deadline=deadline,
        retry={"max_attempts": 5},
        reconcile={"window": W, "processing": P, "lag": L, **rules},
    )
    pipeline = Pipeline(policy, key="client_id", reconcile=look_up, clock=clock)
    try:
        pipeline.compile(place)()
        outcome = "done"
    except Exception as error:
        outcome = {"maybe": "unknown", "no": "failed"}[failure_of(error).executed]
    clock.advance(1000)
    server.settle(server.now())
    return server, outcome


@given(BEHAVIOURS, LOOKUPS, st.floats(-SKEW, SKEW), st.sampled_from([20.0, 90.0, 400.0]))
def test_executed_at_most_once_and_reported_truthfully(
    behaviours: Any, lookups: Any, offset: float, deadline: float
) -> None:
    """Done means executed once, failed means never, and nothing is ever executed twice."""
    server, outcome = run(behaviours, lookups, offset, deadline)
    assert len(server.executed) <= 1
    assert outcome != "done" or len(server.executed) == 1
    assert outcome != "failed" or len(server.executed) == 0


LOST, FINE = ("lost", 0, 0, 0), ("fine", 0, 0, 0)


@pytest.mark.parametrize("timeless", [False, True])
@pytest.mark.parametrize("lookups", [[], ["fails"] * 4, ["fails"] * 10])
@pytest.mark.parametrize("offset", [-SKEW, 0.0, SKEW])
@pytest.mark.parametrize(
    "behaviours",
    [
        [("late", 1, 1, 0), FINE],
        [("late", 1, 0, 1), FINE],
        [("late", 1, 1, 1), FINE],
        [("working 40725", 0, 1, 0), FINE],
        [("working 40725", 0, 0, 1), FINE],
        [("working 40725", 0, 1, 1), FINE],
        [LOST, ("late", 1, 1, 1), FINE],
        [LOST, ("working 40725", 0, 1, 1), FINE],
        [("working 40725", 0, 1, 1), ("late", 1, 1, 1), FINE],
    ],
)
def test_each_bound_is_waited_for(behaviours: Any, lookups: Any, offset: float, timeless: bool) -> None:
    """The call waits for a server that takes all of W, P and L at any attempt."""
    server, outcome = run(behaviours, lookups, offset, 400.0, timeless)
    assert len(server.executed) == 1
    assert outcome == "done" or (timeless and outcome == "unknown")


@given(BEHAVIOURS, st.floats(-SKEW, SKEW))
def test_unknown_needs_a_short_deadline_or_a_query_that_fails(behaviours: Any, offset: float) -> None:
    """Unknown is reported only where the deadline is short or the query path is down."""
    assert run(behaviours, [], offset, 400.0)[1] != "unknown"


@pytest.mark.parametrize("passed_on", [True, False])
@pytest.mark.parametrize("timeless", [False, True])
@pytest.mark.parametrize("answer", GATEWAY)
def test_a_gateways_answer_is_looked_up_before_anything_is_sent_or_reported(
    answer: str, timeless: bool, passed_on: bool
) -> None:
    """The order is executed once however late it shows; one that was not passed on is sent again or reported."""
    kind = answer if passed_on else answer.replace("gateway", "unpassed")
    server, outcome = run([(kind, 0, 1, 1)], [], 0.0, 400.0, timeless)
    assert len(server.executed) <= 1
    assert outcome == ("done" if server.executed else "failed")
    assert len(server.executed) == 1 or not passed_on


def test_a_fence_that_is_too_short_sends_twice() -> None:
    """The test can fail: without the window in the fence an order in flight is sent again."""
    late = [("late", 0.9, 0.5, 0.5)]
    assert len(run(late, [], 0.0, 400.0)[0].executed) == 1
    assert len(run(late, [], 0.0, 400.0, window=0.1, processing=0.1, lag=0.1)[0].executed) == 2


def test_a_reconciler_without_server_time_waits_the_whole_fence() -> None:
    """Without the server's time "not found" is believed only 2 W + P + L after the last send."""
    clock = FakeClock()
    sent: list[float] = []

    def place(*, client_id: str) -> str:
        sent.append(clock.monotonic())
        if len(sent) == 1:
            raise TimeoutError
        return client_id

    pipeline = Pipeline(
        Policy(deadline="200s", retry={"max_attempts": 2}, reconcile={}),
        key="client_id",
        reconcile=lambda _call: NOT_FOUND,
        clock=clock,
    )
    assert pipeline.compile(place)(client_id="mine") == "mine"
    assert sent == [0.0, 65.0]


def test_one_more_lookup_before_a_later_rejection_is_reported() -> None:
    """A rejection after an uncertain attempt needs one more lookup: the first attempt may have used the funds."""
    clock, lookups = FakeClock(), []
    server_time = iter([clock.time() + 1, clock.time() + 2, clock.time() + 50])

    def look_up(call: Any) -> Any:
        lookups.append(call.attempt)
        return Found("order") if len(lookups) == 4 else NOT_FOUND(server_time=next(server_time))

    script = iter([TimeoutError(), EnvelopeError("43012", clock.time())])

    def place(*, client_id: str) -> str:
        call = current_call()
        assert call is not None
        call.stamp(clock.time())
        raise next(script)

    policy = Policy(codes=("bitget", "http"), deadline="200s", retry={"max_attempts": 3}, reconcile={})
    pipeline = Pipeline(policy, key="client_id", reconcile=look_up, clock=clock)
    assert pipeline.compile(place)() == "order"
    assert lookups == [1, 1, 1, 2]


def test_a_duplicate_id_on_the_first_send_is_the_callers_error() -> None:
    """Without an earlier uncertain attempt of ours, a taken key is never ours."""
    lookups: list[Any] = []
    policy = Policy(codes=("bitget", "http"), deadline="200s", retry={"max_attempts": 3}, reconcile={})
    clock = FakeClock()
    pipeline = Pipeline(policy, key="client_id", reconcile=lookups.append, clock=clock)

    def place(*, client_id: str) -> str:
        raise EnvelopeError("43118", clock.time())

    with pytest.raises(EnvelopeError) as caught:
        pipeline.compile(place)()
    assert lookups == []
    assert (failure_of(caught.value).executed, failure_of(caught.value).attempts) == ("no", 1)


def test_a_find_older_than_the_first_stamp_is_not_ours() -> None:
    """The key was used before: the call ends, and its outcome is unknown."""
    clock = FakeClock()
    policy = Policy(deadline="200s", retry={"max_attempts": 3}, reconcile={})
    pipeline = Pipeline(
        policy, key="client_id", reconcile=lambda _call: Found("old", created_at=clock.time() - 60), clock=clock
    )

    def place(*, client_id: str) -> str:
        raise TimeoutError

    with pytest.raises(TimeoutError) as caught:
        pipeline.compile(place)(client_id="reused")
    found = failure_of(caught.value)
    assert (found.executed, found.key) == ("maybe", "reused")
    assert "reused" in found.remedy
