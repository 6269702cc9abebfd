"""Tests of custom stages that send an attempt themselves, or answer in its place, through every driver."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    NOT_FOUND,
    ApiError,
    DeadlineExceededError,
    Found,
    Pipeline,
    Policies,
    Policy,
    RejectedError,
    Stage,
    failure_of,
)
from resilience.testing import FakeClock, recorded_events


def around(driver: Any, before: Callable[[Any], Any] | None = None, after: Callable[[Any], Any] | None = None) -> Stage:
    """Return a stage that asks `before` for an answer, else sends, and returns what `after` makes of the answer."""

    def answer(call: Any) -> Any:
        return None if before is None else before(call)

    def judged(result: Any) -> Any:
        return result if after is None else after(result)

    class Sync(Stage):
        def around(self, call: Any, send: Any) -> Any:
            given = answer(call)
            return judged(send()) if given is None else given

    class Async(Stage):
        async def around(self, call: Any, send: Any) -> Any:
            given = answer(call)
            return judged(await send()) if given is None else given

    return Sync() if driver.kind == "sync" else Async()


def new_pipeline(*stages: Stage, idempotent: bool | None = None, reconcile: Any = None, **settings: Any) -> Pipeline:
    """Return a pipeline with these stages, on a clock of its own."""
    policy = Policy(**{"retry": {"max_attempts": 3}, "deadline": "90s", **settings})
    key = None if reconcile is None else "key"
    return Pipeline(
        policy, operation="op", idempotent=idempotent, key=key, reconcile=reconcile, clock=FakeClock(), stages=stages
    )


def fail(_: Any) -> None:
    """Raise an error of a stage's own."""
    raise ValueError("the stage's own")


def test_a_stage_changes_the_answer(driver: Any) -> None:
    """The caller gets what `around` returns; stages are around each other in their order."""
    outer, inner = around(driver, after=lambda text: f"<{text}>"), around(driver, after=lambda text: f"[{text}]")
    call = new_pipeline(outer, inner).compile(driver.transport(["answer"]))
    assert driver.call(call) == "<[answer]>"


def test_a_stage_answers_and_nothing_is_sent(driver: Any) -> None:
    """The function is not called, and the caller gets the stage's answer, also one that looks like an error."""
    for answer in ("mine", {"code": "50001", "msg": "an error body"}, ("x",)):
        send = driver.transport([])
        call = new_pipeline(around(driver, before=lambda _, answer=answer: answer), codes=("bitget",)).compile(send)
        assert driver.call(call) == answer
        assert send.calls == []


def test_an_answer_of_a_stage_counts_for_nobody(driver: Any) -> None:
    """In a half-open breaker its permit goes back: neither a success that closes it nor a failure."""
    answers: list[Any] = ["mine"]
    stage = around(driver, before=lambda _: answers[0])
    pipeline = new_pipeline(stage, breaker={"open_for": "1s", "consecutive": 1})
    assert pipeline.breaker is not None
    call = pipeline.compile(driver.transport(["sent"]))
    assert driver.call(call) == "mine"
    assert pipeline.describe()["breaker"]["settled"] == {"succeeded": 0, "failed": 0, "slow": 0}
    pipeline.breaker.open()
    pipeline.clock.advance(2)  # type: ignore[attr-defined]
    assert driver.call(call) == "mine"
    described = pipeline.describe()["breaker"]
    assert (described["state"], described["trials"]) == ("half-open", 0)
    answers[0] = None
    assert driver.call(call) == "sent"
    assert pipeline.breaker.state == "closed"


def test_a_slot_goes_back_when_a_stage_answers(driver: Any) -> None:
    """With one slot, call after call is answered."""
    pipeline = new_pipeline(around(driver, before=lambda _: "mine"), admission={"max_concurrent": 1})
    call = pipeline.compile(driver.transport([]))
    assert [driver.call(call) for _ in range(3)] == ["mine"] * 3
    assert pipeline.describe()["admission"]["lanes"]["default"]["running"] == 0


def test_a_stage_answers_a_later_attempt(driver: Any) -> None:
    """The first attempt fails, the second one is answered: the call has recovered."""
    policies = Policies.from_mapping({"policies": {"p": {"extends": "default", "budget": "off"}}}, clock=FakeClock())
    stage = around(driver, before=lambda call: "mine" if call.attempt == 2 else None)
    pipeline = policies.pipeline("p")
    pipeline = Pipeline(
        pipeline.policy, operation="op", idempotent=True, shared=pipeline.shared, stages=[stage], clock=pipeline.clock
    )
    call = pipeline.compile(driver.transport([ConnectionRefusedError()]))
    with recorded_events(policies) as events:
        assert driver.call(call) == "mine"
    assert [event.name for event in events] == ["attempt_failed", "call_recovered"]


def test_settle_is_called_once_for_each_attempt(driver: Any) -> None:
    """Whether the attempt was sent, answered or failed; the error is the one that leaves `around`."""
    log: list[Any] = []

    class Watching(Stage):
        def before(self, call: Any) -> None:
            log.append("before")

        def settle(self, call: Any, error: BaseException | None) -> None:
            log.append(type(error).__name__)

    answers: list[Any] = ["mine", None, None]
    stages = Watching(), around(driver, before=lambda _: answers.pop(0))
    call = new_pipeline(*stages, retry=None).compile(driver.transport(["sent", KeyError("x")]))
    assert [driver.call(call), driver.call(call)] == ["mine", "sent"]
    with pytest.raises(KeyError):
        driver.call(call)
    assert log == ["before", "NoneType", "before", "NoneType", "before", "KeyError"]


def test_an_error_of_the_api_passes_unchanged(driver: Any) -> None:
    """It is the original object, classified as without stages; an error body is raised by `send()`."""
    error = ConnectionRefusedError()
    call = new_pipeline(around(driver), around(driver), retry=None).compile(driver.transport([error]))
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.call(call)
    assert caught.value is error
    assert failure_of(error).executed == "no"
    seen: list[Any] = []
    body = {"code": "40762", "msg": "insufficient balance"}
    stage = around(driver, after=seen.append)
    call = new_pipeline(stage, retry=None, codes=("bitget",)).compile(driver.transport([body]))
    with pytest.raises(ApiError):
        driver.call(call)
    assert seen == []


def test_a_stage_that_fails_after_the_send_leaves_a_write_uncertain(driver: Any) -> None:
    """The write was executed: the caller must not read that it did not happen."""
    call = new_pipeline(around(driver, after=fail)).compile(driver.transport(["placed"]))
    with pytest.raises(ValueError, match="the stage's own") as caught:
        driver.call(call)
    assert failure_of(caught.value).executed == "maybe"


def test_a_stage_that_rejects_after_the_send_does_not_reject(driver: Any) -> None:
    """A `RejectedError` would say that nothing was sent, so the caller gets another error."""

    def reject(_: Any) -> None:
        raise RejectedError("too late")

    for idempotent in (None, True):
        pipeline = new_pipeline(around(driver), around(driver, after=reject), idempotent=idempotent, retry=None)
        call = pipeline.compile(driver.transport(["placed"]))
        with pytest.raises(RuntimeError, match="raised RejectedError after the attempt was sent") as caught:
            driver.call(call)
        assert not isinstance(caught.value, RejectedError)
        assert failure_of(caught.value).executed == "maybe"


def test_a_stage_that_rejects_before_the_send_rejects(driver: Any) -> None:
    """Nothing was sent, and the caller reads so."""

    def reject(_: Any) -> None:
        raise RejectedError("paused")

    send = driver.transport([])
    call = new_pipeline(around(driver), around(driver, before=reject)).compile(send)
    with pytest.raises(RejectedError, match="paused"):
        driver.call(call)
    assert send.calls == []


class Slotted(Exception):
    """An error that takes no attribute."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def test_an_error_that_takes_no_mark(driver: Any) -> None:
    """The caller gets an error that says that the write may have happened, with the stage's error as its cause."""

    def fail_without_attributes(_: Any) -> None:
        raise Slotted

    call = new_pipeline(around(driver, after=fail_without_attributes)).compile(driver.transport(["placed"]))
    with pytest.raises(RuntimeError, match="raised Slotted after the attempt was sent") as caught:
        driver.call(call)
    assert isinstance(caught.value.__cause__, Slotted)
    assert failure_of(caught.value).executed == "maybe"


def test_an_error_of_a_call_of_the_stage_does_not_speak_for_the_write(driver: Any) -> None:
    """A stage reports the order to another service, which refuses the connection: the order was placed all the same."""
    other = Pipeline(Policy(), idempotent=True, clock=FakeClock())

    def refuse() -> None:
        raise ConnectionRefusedError

    call = new_pipeline(around(driver, after=lambda _: other.call(refuse))).compile(driver.transport(["placed"]))
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.call(call)
    assert failure_of(caught.value).executed == "maybe"


def test_a_write_whose_stage_fails_is_looked_up(driver: Any) -> None:
    """It was executed, so the lookup finds it: one order, and the caller gets it."""
    orders: list[str] = []

    def place(key: str | None = None) -> str:
        orders.append(str(key))
        return "placed"

    def look_up(call: Any) -> Any:
        return Found("found") if call.key in orders else NOT_FOUND

    pipeline = new_pipeline(around(driver, after=fail), reconcile=driver.function(look_up))
    assert driver.call(pipeline.compile(driver.function(place)), key="k") == "found"
    assert orders == ["k"]


def test_a_read_whose_stage_fails_keeps_its_error(driver: Any) -> None:
    """Nothing can have happened, and the stage's own error is the caller's."""

    class Ticker:
        async def fetch_async(self) -> str:
            return "answer"

        def fetch(self) -> str:
            return "answer"

    stage = around(driver, after=fail)
    call = new_pipeline(stage, idempotent=True, retry=None)
    with pytest.raises(ValueError, match="the stage's own"):
        driver.call(call.compile(Ticker().fetch if driver.kind == "sync" else Ticker().fetch_async))


def test_a_stage_that_waits_until_after_the_deadline(driver: Any) -> None:
    """Nothing is sent: the call is rejected, whatever the stage has waited for."""

    def wait(_: Any) -> None:
        pipeline.clock.advance(91)  # type: ignore[attr-defined]

    send = driver.transport([])
    pipeline = new_pipeline(around(driver, before=wait))
    with pytest.raises(DeadlineExceededError, match="nothing was sent"):
        driver.call(pipeline.compile(send))
    assert send.calls == []


class Twice(Stage):
    """A stage that sends twice, and keeps the error of the second time if it is told to."""

    def __init__(self, *, catches: bool = False) -> None:
        self.catches = catches
        self.errors: list[str] = []

    def around(self, call: Any, send: Any) -> Any:
        """Send twice."""
        answer = send()
        try:
            send()
        except RuntimeError as error:
            self.errors.append(str(error))
            if not self.catches:
                raise
        return answer


class TwiceAsync(Twice):
    """The same for async pipelines."""

    async def around(self, call: Any, send: Any) -> Any:
        """Send twice."""
        answer = await send()
        try:
            await send()
        except RuntimeError as error:
            self.errors.append(str(error))
            if not self.catches:
                raise
        return answer


def test_send_may_be_called_once(driver: Any) -> None:
    """The second time nothing is sent; the first answer stays true for a stage that goes on with it."""
    kind = Twice if driver.kind == "sync" else TwiceAsync
    send, stage = driver.transport(["placed"]), kind(catches=True)
    assert driver.call(new_pipeline(stage).compile(send)) == "placed"
    assert stage.errors == [f"{kind.__name__}.around() called send() twice: an attempt is sent at most once"]
    send = driver.transport(["placed"])
    with pytest.raises(RuntimeError, match=r"called send\(\) twice") as caught:
        driver.call(new_pipeline(kind()).compile(send))
    assert failure_of(caught.value).executed == "maybe"
    assert len(send.calls) == 1


def test_send_ends_with_around() -> None:
    """A `send` that a stage has kept sends nothing later."""
    kept: list[Any] = []

    class Keeping(Stage):
        def around(self, call: Any, send: Any) -> Any:
            kept.append(send)
            return "mine"

    calls: list[int] = []
    assert new_pipeline(Keeping()).compile(lambda: calls.append(1))() == "mine"
    with pytest.raises(RuntimeError, match=r"after Keeping.around\(\) had ended: nothing was sent"):
        kept[0]()
    assert calls == []


def test_around_that_does_not_wait_for_its_send() -> None:
    """The attempt goes on in another thread: what becomes of it is unknown, whatever the stage answers."""
    release, threads = threading.Event(), list[threading.Thread]()

    class Leaving(Stage):
        def around(self, call: Any, send: Any) -> Any:
            started = threading.Event()
            threads.append(threading.Thread(target=lambda: (started.set(), send())))
            threads[0].start()
            started.wait(60)
            while not calls:
                pass
            return "mine"

    calls: list[int] = []

    def place() -> str:
        calls.append(1)
        release.wait(60)
        return "placed"

    try:
        with pytest.raises(RuntimeError, match=r"has returned while send\(\) was still running") as caught:
            new_pipeline(Leaving()).compile(place)()
        assert failure_of(caught.value).executed == "maybe"
    finally:
        release.set()
        threads[0].join()


def test_a_stage_inside_one_that_has_given_up() -> None:
    """A stage that stops waiting says that nothing was sent: the stage inside it cannot send any more."""
    sent: list[int] = []
    late: list[str] = []
    threads: list[threading.Thread] = []
    waiting, given_up = threading.Event(), threading.Event()

    class GivesUp(Stage):
        def around(self, call: Any, send: Any) -> Any:
            def try_to_send() -> None:
                try:
                    send()
                except RuntimeError as error:
                    late.append(str(error))

            threads.append(threading.Thread(target=try_to_send))
            threads[0].start()
            waiting.wait(60)
            raise RejectedError("too slow")

    class Slow(Stage):
        def around(self, call: Any, send: Any) -> Any:
            waiting.set()
            given_up.wait(60)
            return send()

    with pytest.raises(RejectedError) as caught:
        new_pipeline(GivesUp(), Slow()).call(sent.append, 1)
    assert failure_of(caught.value).executed == "no"
    given_up.set()
    threads[0].join(60)
    assert (sent, late) == ([], ["an outer stage has ended meanwhile: nothing was sent"])


def test_a_cancelled_attempt_of_a_stage() -> None:
    """A stage that gives its attempt a shorter time reports a write as unknown."""

    class Impatient(Stage):
        async def around(self, call: Any, send: Any) -> Any:
            return await asyncio.wait_for(send(), 0.01)

    async def place() -> None:
        await asyncio.sleep(30)

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(Pipeline(Policy(), stages=[Impatient()]).compile(place)())
    assert failure_of(caught.value).executed == "maybe"


def test_the_colour_of_around_is_that_of_the_pipeline() -> None:
    """A mistake is found when the function is compiled."""

    async def send() -> None:
        pass

    class Sync(Stage):
        def around(self, call: Any, send: Any) -> Any:
            return send()

    class Async(Stage):
        async def around(self, call: Any, send: Any) -> Any:
            return await send()

    with pytest.raises(TypeError, match=r"Sync.around\(\) is not async.*write `async def around`"):
        new_pipeline(Sync()).compile(send)
    with pytest.raises(TypeError, match=r"Async.around\(\) is async.*write `def around`"):
        new_pipeline(Async()).compile(len)


def test_a_failed_call_through_a_stage_leaves_no_cycle() -> None:
    """With the garbage collector off, no object of it stays alive."""

    class Sync(Stage):
        def around(self, call: Any, send: Any) -> Any:
            return send()

    def send() -> None:
        raise ConnectionRefusedError

    pipeline = Pipeline(
        Policy(name="p", retry=None), stages=(Sync(), Sync()), log=False
    )  # pytest keeps records of a log
    call = pipeline.compile(send)

    def fails() -> None:
        try:
            call()
        except ConnectionRefusedError:
            pass

    fails()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(10):
            fails()
        assert len(gc.get_objects()) - before < 10
    finally:
        gc.enable()
