"""Stories of what a person reads: one line for a failing call, a count where something repeats."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from resilience import NOT_FOUND, ApiError, CircuitOpenError, Pipeline, Policies, Policy
from resilience.testing import FakeClock

UNKNOWN_CODE = {"code": "98765432", "msg": "a code of tomorrow", "requestTime": 1695808949356, "data": None}


def new_policies(clock: FakeClock | None = None, **policy: Any) -> Policies:
    """Return policies with one policy `p`."""
    return Policies.from_mapping({"policies": {"p": policy}}, clock=clock or FakeClock())


def facts(record: logging.LogRecord, *names: str) -> tuple[Any, ...]:
    """Return the level of a record, and some of its fields."""
    return (record.levelname, *(getattr(record, name, None) for name in names))


def fail(driver: Any, call: Any, *args: Any) -> BaseException:
    """Make a call that fails."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # any error
        driver.call(call, *args)
    return caught.value


def test_a_failing_call_writes_one_line(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It says what, where, why, what was done and what that means for money, at the level warning."""
    send = driver.transport([ConnectionRefusedError()] * 3)
    fail(driver, new_policies(retry={"max_attempts": 3}).resilient("p", operation="price", idempotent=True)(send))
    (record,) = caplog.records
    assert facts(record, "event", "operation", "code", "category", "executed", "attempts", "also") == (
        "WARNING", "resilience.call_failed", "price", "connection_refused", "retryable", "no", 3, ["retries_exhausted"],
    )  # fmt: skip
    assert record.name == "resilience.call"
    assert record.waited_so_far > 0  # type: ignore[attr-defined]
    assert "\n" not in record.getMessage()
    assert record.getMessage().startswith("call failed: price code=connection_refused category=retryable executed=no")
    assert record.remedy in record.getMessage()  # type: ignore[attr-defined]


def test_the_attempts_are_of_level_info(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Each says how long it took, and when the next follows; a call that recovers writes nothing above that."""
    caplog.set_level("INFO")
    send = driver.transport([ConnectionRefusedError(), "fine"])
    policies = new_policies(
        retry={"max_attempts": 3, "backoff": {"kind": "constant", "initial": "123ms", "jitter": "none"}}
    )
    assert driver.call(policies.resilient("p", operation="price", idempotent=True)(send)) == "fine"
    first, last = caplog.records
    assert facts(first, "event", "wait_for", "duration") == ("INFO", "resilience.attempt_failed", 0.12, 0.0)
    assert facts(last, "event", "attempts") == ("INFO", "resilience.call_recovered", 2)


def test_an_uncertain_write_is_an_error(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Its line has the key, and it stands for the line of the failed call; listeners get both events."""
    names: list[str] = []
    policies = new_policies(retry={"max_attempts": 3})
    policies.subscribe(lambda event: names.append(event.name))

    def send(*, client_id: str) -> None:
        raise TimeoutError

    place = policies.resilient("p", operation="place", key="client_id", key_factory=lambda: "key-1")
    fail(driver, place(driver.function(send)))
    (record,) = caplog.records
    assert facts(record, "event", "executed", "key", "attempts") == (
        "ERROR", "resilience.write_unknown", "maybe", "key-1", 1,
    )  # fmt: skip
    assert names == ["attempt_failed", "write_unknown", "call_failed"]


def test_an_idempotent_call_is_no_uncertain_write(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It may have been executed, and it can be sent again: its failure is a warning."""
    fail(driver, new_policies(retry=None).resilient("p", idempotent=True)(driver.transport([TimeoutError()])))
    assert [facts(record, "event", "executed") for record in caplog.records] == [
        ("WARNING", "resilience.call_failed", "maybe")
    ]


def test_an_unknown_code_is_in_the_line_of_its_call(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The event is emitted once per code, and the call's one line names it."""
    policies = new_policies(codes=["bitget"], retry=None)
    call = policies.resilient("p", operation="price", idempotent=True)(driver.transport([UNKNOWN_CODE] * 2))
    assert isinstance(fail(driver, call), ApiError)
    fail(driver, call)
    assert [facts(record, "event", "also") for record in caplog.records] == [
        ("WARNING", "resilience.call_failed", ["code_unknown"]),
        ("WARNING", "resilience.call_failed", None),
    ]


def test_an_unknown_code_is_news_even_where_the_call_recovers(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The line of its end is a warning then."""
    policies = new_policies(codes=["bitget"], retry={"max_attempts": 2})
    driver.call(policies.resilient("p", idempotent=True)(driver.transport([UNKNOWN_CODE, {"code": "00000"}])))
    assert [facts(record, "event", "also") for record in caplog.records] == [
        ("WARNING", "resilience.call_recovered", ["code_unknown"])
    ]


def test_an_exhausted_budget_is_in_the_line_of_its_call(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """There is no line of its own."""
    policies = new_policies(retry={"max_attempts": 5}, budget={"ratio": "1%", "floor": "1/m"}, breaker=None)
    call = policies.resilient("p", idempotent=True)(driver.transport([ConnectionRefusedError()] * 20))
    fail(driver, call)
    fail(driver, call)
    assert {record.event for record in caplog.records} == {"resilience.call_failed"}  # type: ignore[attr-defined]
    assert "budget_exhausted" in caplog.records[-1].also  # type: ignore[attr-defined]
    assert len(caplog.records) == 2


def test_rejections_are_counted(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """They are of level debug, and written now and then; the closed breaker says how many there were."""
    caplog.set_level("DEBUG", logger="resilience")
    clock = FakeClock()
    policies = new_policies(clock, retry=None, breaker={"consecutive": 1, "open_for": "60s", "open_max": "60s"})
    call = policies.resilient("p", operation="poll", idempotent=True)(driver.transport([ConnectionRefusedError(), 1]))
    fail(driver, call)
    for _ in range(250):
        assert isinstance(fail(driver, call), CircuitOpenError)
    assert [facts(record, "event", "times") for record in caplog.records][3:] == [
        ("DEBUG", "resilience.call_rejected", None),
        ("DEBUG", "resilience.call_rejected", 10),
        ("DEBUG", "resilience.call_rejected", 100),
    ]
    clock.advance(61)
    assert driver.call(call) == 1
    assert facts(caplog.records[-1], "event", "refused") == ("WARNING", "resilience.circuit_closed", 250)
    clock.advance(61)
    policies.pipeline("p").breaker.open()  # type: ignore[union-attr]
    fail(driver, call)
    assert facts(caplog.records[-1], "event", "times") == ("DEBUG", "resilience.call_rejected", None)
    policies.pipeline("p").breaker.close()  # type: ignore[union-attr]
    assert facts(caplog.records[-1], "event", "refused") == ("WARNING", "resilience.circuit_closed", 1)


def test_a_storm_of_rejections_is_short_in_structlog_too() -> None:
    """A program that shows all levels gets a few lines as well."""
    policies = new_policies(retry=None, breaker={"consecutive": 1, "open_for": "60s", "open_max": "60s"})

    def refuse() -> None:
        raise ConnectionRefusedError

    poll = policies.resilient("p", operation="poll", idempotent=True)(refuse)
    with structlog.testing.capture_logs() as lines:
        for _ in range(2000):
            with pytest.raises((ConnectionRefusedError, CircuitOpenError)):
                poll()
    assert len(lines) < 10


def test_an_outage_opens_the_breaker_in_one_line(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Each trial that fails opens it again, which is counted; after it was closed the next is a line."""
    clock = FakeClock()
    policies = new_policies(clock, retry=None, breaker={"consecutive": 1, "open_for": "1s", "open_max": "1s"})
    call = policies.resilient("p", idempotent=True)(driver.transport([ConnectionRefusedError()] * 5 + [1, OSError()]))
    for _ in range(5):
        fail(driver, call)
        clock.advance(1.5)
    driver.call(call)
    fail(driver, call)
    assert [r.event for r in caplog.records if r.name == "resilience.breaker"] == [  # type: ignore[attr-defined]
        "resilience.circuit_opened", "resilience.circuit_closed", "resilience.circuit_opened",
    ]  # fmt: skip


def test_a_call_in_a_call_writes_one_line(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The inner call reports the failure; what the outer ones add is of level debug."""
    policies = new_policies(retry={"max_attempts": 2})
    inner = policies.resilient("p", operation="inner", idempotent=True)(
        driver.transport([ConnectionRefusedError()] * 2)
    )

    def call_inner() -> Any:
        return inner()

    async def await_inner() -> Any:
        return await inner()

    outer = policies.resilient("p", operation="outer", idempotent=True)
    fail(driver, outer(call_inner if driver.kind == "sync" else await_inner))
    assert [facts(record, "event", "operation") for record in caplog.records] == [
        ("WARNING", "resilience.call_failed", "inner")
    ]


def test_a_write_in_a_write_is_one_error(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The outer one is unknown too, by the same failure."""
    policies = new_policies(retry=None)
    inner = policies.resilient("p", operation="inner")(driver.transport([TimeoutError()]))

    def call_inner() -> Any:
        return inner()

    async def await_inner() -> Any:
        return await inner()

    fail(driver, policies.resilient("p", operation="outer")(call_inner if driver.kind == "sync" else await_inner))
    assert [facts(record, "event", "operation") for record in caplog.records] == [
        ("ERROR", "resilience.write_unknown", "inner")
    ]


def test_a_broken_lookup_and_its_write_are_two_errors(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One is for who wrote the reconciler, one for who looks after the money."""

    def broken(_call: Any) -> Any:
        raise NameError("no")

    def send(*, client_id: str) -> None:
        raise TimeoutError

    async def broken_async(call: Any) -> Any:
        return broken(call)

    reconcile = broken if driver.kind == "sync" else broken_async
    place = new_policies().resilient("p", operation="place", key="client_id", reconcile=reconcile)
    fail(driver, place(driver.function(send)))
    assert [facts(record, "event") for record in caplog.records] == [
        ("ERROR", "resilience.lookup_failed"), ("ERROR", "resilience.write_unknown"),
    ]  # fmt: skip


@pytest.mark.parametrize(("lookup", "lines"), [(503, []), (404, []), (401, [("WARNING", "resilience.call_failed")])])
def test_what_lookups_meet_is_in_the_line_of_their_write(
    driver: Any, caplog: pytest.LogCaptureFixture, lookup: int, lines: list[tuple[str, str]]
) -> None:
    """Only what a person can mend is a line of its own: a key without the right to read."""
    policies = new_policies(FakeClock(), deadline="5s")

    def refuse() -> None:
        error = ApiError("no", "")
        error.http_status = lookup
        raise error

    look = policies.resilient("p", operation="look", idempotent=True)(driver.function(refuse))

    def find(_call: Any) -> Any:
        return look()

    async def find_async(_call: Any) -> Any:
        return await look()

    def send(*, client_id: str) -> None:
        raise TimeoutError

    reconcile = find if driver.kind == "sync" else find_async
    fail(
        driver,
        policies.resilient("p", operation="place", key="client_id", reconcile=reconcile)(driver.function(send)),
    )
    assert {facts(record, "event") for record in caplog.records} == {*lines, ("ERROR", "resilience.write_unknown")}


def test_a_settled_write_is_no_failure(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A lookup proves that it was not executed, and it is sent again: nothing above info."""
    clock = FakeClock()
    outcomes = iter([TimeoutError(), "order"])

    def send(*, client_id: str) -> Any:
        outcome = next(outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def look_up(_call: Any) -> Any:
        return NOT_FOUND

    policies = new_policies(clock, retry={"max_attempts": 3}, deadline="10m")
    place = policies.resilient("p", operation="place", key="client_id", reconcile=driver.function(look_up))
    assert driver.call(place(driver.function(send))) == "order"
    assert caplog.records == []


def test_critical_silences_everything(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The level of the logger `resilience` holds for all areas."""
    caplog.set_level("CRITICAL", logger="resilience")
    events: list[Any] = []
    policies = new_policies(retry=None, breaker={"consecutive": 1})
    policies.subscribe(events.append)
    fail(driver, policies.resilient("p")(driver.transport([TimeoutError()])))
    assert caplog.records == []
    assert [event.name for event in events] == ["circuit_opened", "attempt_failed", "write_unknown", "call_failed"]


@pytest.mark.parametrize("log", [True, "logging", "structlog", False])
def test_a_pipeline_has_a_log_of_its_own(
    log: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """`log` says where its lines go."""
    pipeline = Pipeline(Policy(retry=None), clock=FakeClock(), log=log)
    with pytest.raises(ZeroDivisionError):
        pipeline.call(lambda: 1 / 0)
    assert len(caplog.records) == (log in (True, "logging"))
    assert ("resilience.write_unknown" in capsys.readouterr().err) is (log == "structlog")


def test_a_remedy_is_written_once(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A thousand calls that a person has to mend write four warnings, the first with the remedy; each error has it."""
    clock = FakeClock()
    policies = new_policies(clock, codes=["bitget"], retry="off")
    errors = [ApiError("40014") for _ in range(1001)]
    call = policies.resilient("p", operation="place")(driver.transport(errors))
    for _ in range(1000):
        error = fail(driver, call)
        clock.advance(0.5)
    assert [facts(record, "times") for record in caplog.records] == [
        ("WARNING", times) for times in (None, 10, 100, 1000)
    ]
    assert [hasattr(record, "remedy") for record in caplog.records] == [True, False, False, False]
    assert "Grant the named permission" in error.__notes__[0]
    clock.advance(601)
    fail(driver, call)
    assert facts(caplog.records[-1], "times", "remedy") == (
        "WARNING",
        None,
        "Grant the named permission to this API key",
    )


def test_each_call_has_a_line_at_the_level_info(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """`resilience replay` finds every call; the remedy is in the first line of each event alone."""
    caplog.set_level("INFO")
    policies = new_policies(codes=["bitget"], retry="off")
    call = policies.resilient("p", operation="place")(driver.transport([ApiError("40014")] * 3))
    for _ in range(3):
        fail(driver, call)
    assert [facts(record, "event") for record in caplog.records] == [
        ("INFO", "resilience.attempt_failed"), ("WARNING", "resilience.call_failed"),
        *[("INFO", "resilience.attempt_failed"), ("INFO", "resilience.call_failed")] * 2,
    ]  # fmt: skip
    assert [hasattr(record, "remedy") for record in caplog.records] == [True, True, False, False, False, False]


def test_an_uncertain_write_is_never_counted_away(driver: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Each is an error with a key and a remedy of its own, whatever it repeats."""
    keys = iter("abc")
    place = new_policies(retry="off").resilient("p", key="client_id", key_factory=lambda: next(keys))

    def send(*, client_id: str) -> None:
        raise TimeoutError

    call = place(driver.function(send))
    for _ in range(3):
        fail(driver, call)
    assert [facts(record, "key") for record in caplog.records] == [("ERROR", key) for key in "abc"]
    assert all(f"key {record.key}" in record.remedy for record in caplog.records)  # type: ignore[attr-defined]
