"""Tests of what follows an answer that is no proof: the lookup before a resend or a report, and broken lookups."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import requests

from resilience import (
    NOT_FOUND,
    ApiError,
    Found,
    Pipeline,
    Policies,
    Policy,
    QuotaExceededError,
    current_call,
    failure_of,
)
from resilience._core.call.found_order import conflict_of
from resilience._core.call.idempotency_key import KeySlot
from resilience._core.call.lookup_answer import InconclusiveLookupError
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.steps import FailedCall
from resilience._core.stages.fence import Fence
from resilience.testing import FakeClock

LATE = 5.0
"""P + L in seconds, where nobody says otherwise."""
FENCE = 65.0
"""2 W + P + L."""
POLICY: Any = {
    "codes": ("bitget", "http"),
    "deadline": 300.0,
    "retry": {"max_attempts": 4, "backoff": {"kind": "constant", "initial": 1, "jitter": "none"}},
}


class Status(Exception):
    """An answer with this HTTP status and nothing that proves who gave it."""

    def __init__(self, status: int, **attributes: Any) -> None:
        super().__init__(status)
        self.status_code = status
        for name, value in attributes.items():
            setattr(self, name, value)


class Order:
    """A keyed write that has these outcomes, one after the other, and then succeeds; `found` are its lookups'."""

    def __init__(self, *outcomes: Any, found: Any = (), deadline: float = 300.0, **info: Any) -> None:
        self.clock = FakeClock()
        self.events: list[Any] = []
        self.sent: list[float] = []
        self.lookups: list[float] = []
        self._outcomes, self._found = iter(outcomes), iter(found)
        reconcile = info.pop("reconcile", self.look_up)
        policy = Policy(**{**POLICY, "deadline": deadline, **info.pop("policy", {})})
        info = {"operation": "order", "key": "client_id", "reconcile": reconcile, **info}
        self._pipeline = Pipeline(policy, clock=self.clock, listeners=[self.events.append])
        self.call = self._pipeline.compile(self.place, OperationInfo(**info))

    def place(self, symbol: str = "BTC/USDT", side: str = "buy", *, client_id: str | None = None) -> str:
        """Send one attempt."""
        self.sent.append(self.clock.monotonic())
        outcome = next(self._outcomes, "placed")
        if outcome == "without the key":
            call = current_call()
            assert call is not None
            call.report_key_missing()
            outcome = TimeoutError()
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    def look_up(self, _call: Any) -> Any:
        """Look the order up; it is not found where nothing else is scripted."""
        self.lookups.append(self.clock.monotonic())
        answer = next(self._found, NOT_FOUND)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def failure(self) -> Any:
        """Run the call, which fails, and return its failure."""
        with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever the script raised
            self.call(client_id="mine")
        return failure_of(caught.value)

    def names(self) -> list[str]:
        """Return the names of the events."""
        return [event.name for event in self.events]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 451])
def test_a_refusal_by_status_is_looked_up_once_before_it_is_reported(status: int) -> None:
    """Past P + L, and with one lookup; "not found" makes it a "no"."""
    order = Order(Status(status))
    failure = order.failure()
    assert (order.sent, order.lookups) == ([0.0], [LATE])
    assert (failure.executed, failure.http_status, failure.attempts) == ("no", status, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 421, 425, 429])
def test_an_order_behind_a_refusal_is_found(status: int) -> None:
    """A gateway answered, and the order was executed all the same."""
    order = Order(Status(status), found=[Found("mine")])
    assert order.call() == "mine"
    assert (order.sent, order.lookups) == ([0.0], [LATE])


@pytest.mark.parametrize("status", [418, 421, 425, 429])
def test_a_refusal_that_would_be_sent_again_is_looked_up_first(status: int) -> None:
    """Only "not found" past P + L allows the resend, which then needs no further wait."""
    order = Order(Status(status))
    assert order.call() == "placed"
    assert (order.lookups, order.sent) == ([LATE], [0.0, LATE])


@pytest.mark.parametrize(("wait", "second"), [(3, LATE), (20, 20.0)])
def test_the_lookup_never_replaces_a_wait_that_the_answer_asks_for(wait: int, second: float) -> None:
    """The order is sent again when both have passed: the lookup, and the wait counted from the answer."""
    order = Order(Status(429, headers={"Retry-After": str(wait)}))
    assert order.call() == "placed"
    assert (order.lookups, order.sent) == ([LATE], [0.0, second])


def test_without_an_answer_of_the_lookup_in_time_a_refusal_is_unknown() -> None:
    """The lookup fails until the deadline: nobody knows, and the report says so."""
    order = Order(Status(404), found=[ConnectionResetError()] * 99, deadline=20.0)
    failure = order.failure()
    assert (failure.executed, failure.key, len(order.sent)) == ("maybe", "mine", 1)


def test_a_deadline_before_the_lookup_leaves_a_refusal_unknown() -> None:
    """P + L do not fit: a last lookup finds nothing, which is no proof yet."""
    order = Order(Status(400), deadline=4.0)
    assert order.failure().executed == "maybe"
    assert all(when < LATE for when in order.lookups)


@pytest.mark.parametrize("status", [400, 404, 418, 421, 425, 429])
def test_without_a_reconciler_the_word_of_http_holds(status: int) -> None:
    """A refusal is a "no"; those that pass by themselves are sent again."""
    order = Order(*[Status(status)] * 9, reconcile=None)
    failure = order.failure()
    assert (failure.executed, failure.proof) == ("no", "likely")
    assert len(order.sent) == (4 if status in (418, 421, 425, 429) else 1)


@pytest.mark.parametrize("venue", ["okx", "bybit"])
def test_a_limit_that_can_follow_acceptance_is_unknown_without_a_reconciler(venue: str) -> None:
    """OKX and Bybit may answer 429 after they have accepted: the order is not sent again."""
    order = Order(*[Status(429)] * 9, reconcile=None, venue=venue)
    assert (order.failure().executed, len(order.sent)) == ("maybe", 1)
    by_host = Order(*[Status(429)] * 9, reconcile=None, host={"okx": "www.okx.com", "bybit": "api.bybit.com"}[venue])
    assert (by_host.failure().executed, len(by_host.sent)) == ("maybe", 1)


@pytest.mark.parametrize("status", [408, 409, 444, 460, 499, 500, 501, 502, 503, 504, 511, 520, 599])
@pytest.mark.parametrize("body", [None, {"code": 429, "msg": "m"}, {"code": "43012", "msg": "m"}])
def test_other_statuses_prove_nothing(status: int, body: Any) -> None:
    """The write waits for the whole fence; without a reconciler it is unknown and never sent again."""
    order = Order(Status(status, body=body))
    if status in (409, 501, 511) and body != {"code": "43012", "msg": "m"}:
        assert order.failure().executed == "no"
    else:
        order.call() if body != {"code": "43012", "msg": "m"} else order.failure()
    assert all(when >= FENCE for when in (*order.sent[1:], order.lookups[-1]))
    alone = Order(*[Status(status, body=body, headers={"Retry-After": "1"})] * 9, reconcile=None)
    assert (alone.failure().executed, len(alone.sent)) == ("maybe", 1)


def test_a_code_in_the_apis_own_envelope_needs_no_lookup() -> None:
    """Bitget itself refused: the error is reported at once."""
    order = Order(Status(400, body={"code": "43012", "msg": "m", "requestTime": 1_700_000_000_000}))
    failure = order.failure()
    assert (failure.executed, failure.proof, order.lookups) == ("no", "proven", [])


def test_an_unknown_code_in_the_apis_own_envelope_is_unknown() -> None:
    """Whatever the status says."""
    order = Order(Status(400, body={"code": "98765", "msg": "m", "requestTime": 1_700_000_000_000}), reconcile=None)
    assert order.failure().executed == "maybe"


def test_a_refusal_after_an_uncertain_attempt_waits_for_both_fences() -> None:
    """The first attempt timed out, the second was refused by a status: the lookup is past the fence of each."""
    order = Order(TimeoutError(), Status(404), found=[NOT_FOUND] * 3)
    assert order.failure().executed == "no"
    assert order.sent == [0.0, FENCE]
    assert order.lookups[-1] >= FENCE + LATE


@pytest.mark.parametrize(
    "answer", [NameError("x"), TypeError("x"), KeyError("x"), None, True, {"id": 1}, ValueError("x")]
)
def test_a_broken_lookup_ends_the_call_at_once(answer: Any) -> None:
    """It would be broken again: the write is unknown, one error line names the function, and nobody waits."""
    order = Order(TimeoutError(), found=[answer])
    failure = order.failure()
    assert (failure.executed, failure.key) == ("maybe", "mine")
    assert isinstance(failure.lookup_error, TypeError) if answer is None else failure.lookup_error == answer
    assert order.clock.monotonic() < 1.0
    events = [event for event in order.events if event.name == "lookup_failed"]
    assert [(event.level, event.reconciler) for event in events] == [("error", "Order.look_up")]
    raised = isinstance(answer, Exception)
    assert events[0].caused_by == (type(answer).__name__ if raised else f"returned {type(answer).__name__}")


@pytest.mark.parametrize("trouble", [ConnectionResetError(), Status(503), InconclusiveLookupError("not yet")])
def test_an_error_of_the_api_in_a_lookup_means_ask_again(trouble: Exception) -> None:
    """It says nothing about the order."""
    order = Order(TimeoutError(), found=[trouble, trouble, Found("mine")])
    assert order.call(client_id="mine") == "mine"
    assert "lookup_failed" not in order.names()


@pytest.mark.parametrize("name", ["clientOid", "clientOrderId", "client_order_id", "orderLinkId", "clOrdId"])
def test_another_order_is_never_a_find(name: str) -> None:
    """An order with another client id is an error of the lookup: it is reported once, and the lookup is repeated."""
    other, mine = Found({name: "other", "id": "1"}), Found({name: "mine", "id": "2"})
    order = Order(TimeoutError(), found=[other, other, mine])
    assert order.call(client_id="mine") == {name: "mine", "id": "2"}
    assert order.names().count("lookup_failed") == 1
    never = Order(TimeoutError(), found=[other] * 99, deadline=30.0)
    assert (never.failure().executed, len(never.sent)) == ("maybe", 1)


@pytest.mark.parametrize("fields", [{"side": "sell"}, {"symbol": "ETH/USDT"}])
def test_our_id_with_other_fields_is_somebody_elses_order(fields: Any) -> None:
    """The call stops as unknown."""
    order = Order(TimeoutError(), found=[Found({"clientOrderId": "mine", **fields})])
    assert (order.failure().executed, len(order.sent), len(order.lookups)) == ("maybe", 1, 1)


@pytest.mark.parametrize(
    "fields", [{"side": "BUY"}, {"symbol": "BTCUSDT"}, {"symbol": "BTCUSDT_SPBL"}, {"side": "?"}, {}]
)
def test_an_order_with_the_same_fields_is_found(fields: Any) -> None:
    """Spellings of a symbol and words that are no side do not contradict."""
    order = Order(TimeoutError(), found=[Found({"clientOrderId": "mine", **fields})])
    assert order.call(client_id="mine")["clientOrderId"] == "mine"


def test_a_key_that_was_not_sent_ends_the_call() -> None:
    """That attempt is the last, nothing is looked up, and the failure names no key."""
    order = Order("without the key")
    failure = order.failure()
    assert (len(order.sent), order.lookups, failure.key, failure.executed) == (1, [], None, "maybe")
    assert "key" not in failure.remedy


def test_not_found_after_the_lookups_memory_is_no_proof() -> None:
    """Past the retention the lookup has forgotten the order: it is neither sent again nor reported as failed."""
    order = Order(TimeoutError(), policy={"reconcile": {"retention": 60}})
    assert (order.failure().executed, len(order.sent)) == ("maybe", 1)
    longer = Order(TimeoutError(), policy={"reconcile": {"retention": 66}})
    assert longer.call() == "placed"


@pytest.mark.parametrize(("category", "advised"), [(503, True), (404, False)])
def test_a_post_that_is_not_sent_again_says_what_to_declare(category: int, advised: bool) -> None:
    """The remedy of an unknown outcome names both ways to have it sent again."""
    order = Order(Status(category), reconcile=None, key=None, idempotent=None)
    with pytest.raises(Status) as caught:
        order.call()
    assert ("idempotent: true" in failure_of(caught.value).remedy) is advised


class BannedError(Exception):
    """The address is banned for this many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.status_code, self.headers = 418, {"Retry-After": str(seconds)}


QUOTAS = ({"rate": "10/s", "burst": 10, "name": "a"}, {"rate": "10/s", "burst": 10, "name": "b"})


def test_a_shorter_ban_changes_nothing_about_a_longer_one() -> None:
    """One event; and a call that pays several quotas is held as well."""
    clock, events = FakeClock(), list[Any]()
    pipeline = Pipeline(Policy(deadline=20.0, quota=QUOTAS), clock=clock, listeners=[events.append])  # type: ignore[arg-type]
    infos = [OperationInfo(operation=name, host="h", account="a") for name in ("inner", "outer")]

    def inner() -> None:
        raise BannedError(1000)

    banned = pipeline.compile(inner, infos[0])

    def outer() -> None:
        with pytest.raises(BannedError):
            banned()
        raise BannedError(500)

    with pytest.raises(BannedError):
        pipeline.compile(outer, infos[1])()
    assert [event.name for event in events].count("hold_started") == 1
    with pytest.raises(QuotaExceededError) as caught:
        banned()
    assert caught.value.reason == "hold"


def test_a_report_that_nobody_keeps() -> None:
    """An operation without a key has no record that could miss one."""

    def place() -> str:
        call = current_call()
        assert call is not None
        call.report_key_missing()
        call.report_fence(Fence())
        return "placed"

    assert Pipeline(Policy(), clock=FakeClock()).compile(place)() == "placed"


def test_a_request_that_says_its_bounds() -> None:
    """The fence is that of the finished request: after W + P + L "not found" is believed, and the write sent again."""
    clock = FakeClock(wall=1000.0)
    sent: list[float] = []

    def place(*, key: str) -> str:
        call = current_call()
        assert call is not None
        call.stamp(clock.time())
        call.report_fence(Fence(5.0, 1.0, 1.0))
        sent.append(clock.time())
        if len(sent) == 1:
            raise ConnectionResetError("gone")
        return "placed"

    info = OperationInfo(
        operation="place", key="key", reconcile=lambda call: NOT_FOUND(server_time=clock.time()), signs=True
    )
    assert (
        Pipeline(Policy(deadline=90.0, retry={"max_attempts": 2}), clock=clock).compile(place, info)(key="k")
        == "placed"
    )
    assert sent[1] - sent[0] == pytest.approx(7.0, abs=0.1)


class UnknownOrderError(Exception):
    """An API says that it has no such order, which it may have a moment later."""

    body: ClassVar = {"code": "40109", "msg": "no such order"}


@pytest.mark.parametrize(("reported", "wait"), [(Fence(5.0, 1.0, 10.0), 10.0), (None, 60.0)])
def test_a_cancel_of_an_unknown_order_waits_for_its_own_lag(reported: Fence | None, wait: float) -> None:
    """It is sent once more after L of the order that its request is about, else after that of its operation."""
    clock = FakeClock()

    def cancel() -> None:
        call = current_call()
        assert call is not None
        if reported is not None:
            call.report_fence(reported)
        raise UnknownOrderError

    info = OperationInfo(
        operation="cancel", idempotent=True, reconcile=lambda _call: NOT_FOUND, fence=Fence(lag=60.0), registry="bitget"
    )
    with pytest.raises(UnknownOrderError):
        Pipeline(Policy(deadline=300.0, retry={"max_attempts": 3}), clock=clock).compile(cancel, info)()
    assert clock.sleeps == [wait]


def test_a_function_without_a_signature() -> None:
    """The keywords of the call are compared alone."""
    call = FailedCall("op", (1, 2), {"side": "buy"}, None)
    assert conflict_of(Found({"side": "sell"}), call, max) == "fields"
    assert conflict_of(Found({"side": "buy"}), call, max) == ""


def test_an_inner_refusal_that_is_marked_as_uncertain() -> None:
    """What was raised after the answer to the attempt itself is uncertain, whatever the inner call says."""
    clock = FakeClock()
    inner = Pipeline(Policy(retry=None), clock=clock).compile(refuse)

    def outer() -> None:
        try:
            inner()
        except ConnectionRefusedError as error:
            error.resilience_executed = "maybe"  # type: ignore[attr-defined]  # ours
            raise

    with pytest.raises(ConnectionRefusedError) as caught:
        Pipeline(Policy(retry=None), clock=clock).compile(outer)()
    assert failure_of(caught.value).executed == "maybe"


def refuse() -> None:
    """Refuse the connection."""
    raise ConnectionRefusedError


def test_a_key_that_is_neither_given_nor_made() -> None:
    """The call goes on without one."""
    slot = KeySlot("client_id", lambda client_id=None: client_id, None)
    assert slot.fill((), {}) == (None, (), {})


@pytest.mark.parametrize("with_key", [True, False])
def test_a_request_that_takes_no_key(with_key: bool) -> None:
    """It changes something that is there already: no key is reported, for nothing can be found by it."""

    def change(*, key: str | None = None) -> None:
        call = current_call()
        assert call is not None
        call.report_key_unused()
        raise ConnectionResetError("gone")

    info = OperationInfo(operation="change", key="key") if with_key else OperationInfo(operation="change")
    with pytest.raises(ConnectionResetError) as caught:
        Pipeline(Policy(retry=None), clock=FakeClock()).compile(change, info)(**({"key": "a"} if with_key else {}))
    assert failure_of(caught.value).key is None


def test_a_success_names_the_path_of_its_own_request() -> None:
    """The path depends on the arguments."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 2}}}}, clock=FakeClock(), log=False)
    paths: list[str | None] = []
    policies.subscribe(lambda event: paths.append(event.path), successes=True)
    info = OperationInfo(operation="get", path=lambda args, _kwargs: f"/orders/{args[0]}")
    policies.pipeline("p").compile(lambda number: number, info)(7)
    assert paths == ["/orders/7"]


def test_a_hedged_call_that_is_cancelled_or_fails_by_its_answer() -> None:
    """Each ends once: the one as cancelled, the other as failed."""
    settings = {"p": {"hedge": {"delay": "10s"}, "codes": ["bitget", "http"], "retry": None}}
    policies = Policies.from_mapping({"policies": settings}, clock=FakeClock(), log=False)

    async def hang() -> None:
        await asyncio.sleep(3600)

    async def refuse() -> dict[str, str]:
        return {"code": "43012", "msg": "Insufficient balance"}

    async def answer() -> requests.Response:
        response = requests.Response()
        response.status_code = 503
        return response

    async def run() -> None:
        info = OperationInfo(operation="read", idempotent=True, read=True)
        task = asyncio.ensure_future(policies.pipeline("p").compile(hang, info)())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ApiError):
            await policies.pipeline("p").compile(refuse, info)()
        inspecting = replace(info, is_error_response=lambda response: response.status_code >= 500)
        assert (await policies.pipeline("p").compile(answer, inspecting)()).status_code == 503

    asyncio.run(run())
    (row,) = policies.snapshot()["counters"]
    assert (row["cancelled"], row["failed"], row["ok"]) == (1, 2, 0)
