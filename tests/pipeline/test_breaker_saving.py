"""Tests of breakers that are saved: over a restart, with a store that is slow, gone or damaged, for two processes."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from resilience import BreakerStore, CircuitOpenError, Pipeline, Policies, Policy
from resilience._pipeline import breaker_saving
from resilience.testing import FakeClock

BREAKER = {"consecutive": 2, "open_for": 10.0, "open_max": 60.0}
POLICY = Policy(name="p", breaker=BREAKER, retry=None)


class MemoryStore(BreakerStore):
    """A store that a test can watch, and break.

    Attributes:
        records: what was saved.
        error: raised by both methods.
        hang: both methods wait for it.
    """

    def __init__(self, records: dict[str, Any] | None = None) -> None:
        self.records: dict[str, Any] = {} if records is None else records
        self.error: Exception | None = None
        self.hang = threading.Event()
        self.hang.set()
        self.saves = 0
        self._changed = threading.Condition()

    def load(self) -> Mapping[str, Any]:
        self._fail()
        return dict(self.records)

    def save(self, name: str, record: Mapping[str, Any]) -> None:
        self._fail()
        with self._changed:
            self.records[name] = record
            self.saves += 1
            self._changed.notify_all()

    def _fail(self) -> None:
        self.hang.wait(60)
        if self.error is not None:
            raise self.error

    def until(self, is_so: Callable[[], bool]) -> bool:
        """Wait until something is so after a save."""
        with self._changed:
            return self._changed.wait_for(is_so, 60)

    def until_state(self, name: str, state: str) -> bool:
        """Wait until the record of a breaker has this state."""
        return self.until(lambda: self.records.get(name, {}).get("state") == state)


def down() -> None:
    """Fail as a service that is down does."""
    raise ConnectionRefusedError


def trip(pipeline: Pipeline) -> None:
    """Fail until the breaker opens."""
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            pipeline.call(down)


def test_an_open_breaker_is_open_after_a_restart() -> None:
    """Until its time by the wall clock, then the first call is a trial, and its success is saved too."""
    store, clock = MemoryStore(), FakeClock()
    trip(Pipeline(POLICY, clock=clock, breaker_store=store))
    assert store.until_state("p", "open")

    later = FakeClock(wall=clock.time() + 4)
    again = Pipeline(POLICY, clock=later, breaker_store=store)
    with pytest.raises(CircuitOpenError):
        again.call(len, "abc")
    later.advance(6.1)
    assert again.call(len, "abc") == 3
    assert again.breaker is not None
    for _ in range(5):
        again.call(len, "abc")
    assert again.breaker.state == "closed"
    assert store.until_state("p", "closed")


def test_a_call_never_waits_for_a_store() -> None:
    """It hangs: calls go through, the breaker works, and what changed is saved when the store comes back."""
    store = MemoryStore()
    store.hang.clear()
    assert breaker_saving.LOAD_WAIT <= 1
    pipeline = Pipeline(POLICY, clock=FakeClock(), breaker_store=store)
    assert pipeline.call(len, "abc") == 3
    trip(pipeline)
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")
    store.hang.set()
    assert store.until_state("p", "open")


def test_records_that_come_late_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers after the first calls opens the breaker then."""
    monkeypatch.setattr(breaker_saving, "LOAD_WAIT", 0.01)
    first, clock = MemoryStore(), FakeClock()
    trip(Pipeline(POLICY, clock=clock, breaker_store=first))
    assert first.until_state("p", "open")

    slow = MemoryStore(first.records)
    slow.hang.clear()
    policies = Policies.from_mapping(
        {"policies": {"p": {"breaker": BREAKER, "retry": {"max_attempts": 1}}}}, clock=clock, breaker_store=slow
    )
    opened = threading.Event()
    policies.subscribe(lambda event: opened.set() if event.name == "circuit_opened" else None)
    pipeline = policies.pipeline("p")
    assert pipeline.call(len, "abc") == 3
    slow.hang.set()
    assert opened.wait(60)
    with pytest.raises(CircuitOpenError):
        pipeline.call(len, "abc")


@pytest.mark.parametrize("records", [{"p": "garbage", "q": {"state": "open"}}, {"p": {"version": 9}}])
def test_damaged_records_are_as_good_as_none(records: dict[str, Any]) -> None:
    """The breaker begins closed, and its next change replaces them."""
    store = MemoryStore(records)
    pipeline = Pipeline(POLICY, clock=FakeClock(), breaker_store=store)
    assert pipeline.call(len, "abc") == 3
    trip(pipeline)
    assert store.until(lambda: isinstance(store.records["p"], dict) and store.records["p"].get("state") == "open")


@pytest.mark.parametrize("loaded", [None, 7, ["p"]])
def test_what_is_no_mapping_is_as_good_as_nothing(loaded: Any) -> None:
    """A store may return anything."""

    class Odd(MemoryStore):
        def load(self) -> Any:
            return loaded

    store = Odd()
    trip(Pipeline(POLICY, clock=FakeClock(), breaker_store=store))
    assert store.until_state("p", "open")


def test_a_store_that_fails_is_reported_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call gets its error; when it works again, the state is saved, and a further failure is reported again."""
    monkeypatch.setattr(breaker_saving, "RETRY_AFTER", 0.02)
    store = MemoryStore()
    policies = Policies.from_mapping(
        {"policies": {"p": {"breaker": BREAKER, "retry": {"max_attempts": 1}}}}, clock=FakeClock(), breaker_store=store
    )
    failed, reports = threading.Semaphore(0), []

    def listen(event: Any) -> None:
        if event.name == "breaker_store_failed":
            reports.append(event.caused_by)
            failed.release()

    policies.subscribe(listen)
    breaker = policies.pipeline("p").breaker
    assert breaker is not None
    for error, change, state in ((ConnectionError(), breaker.open, "open"), (OSError(), breaker.close, "closed")):
        store.error = error
        change()
        assert failed.acquire(timeout=60)
        store.error = None
        assert store.until_state("p", state)
    assert reports == ["ConnectionError", "OSError"]


def test_a_newer_opinion_of_another_process_wins() -> None:
    """Our older change does not overwrite it: this breaker takes the newer state."""
    store, clock = MemoryStore(), FakeClock()
    pipeline = Pipeline(POLICY, clock=clock, breaker_store=store)
    breaker = pipeline.breaker
    assert breaker is not None
    store.records["p"] = {
        "version": 1, "changed_at": clock.time() + 30, "state": "open", "isolated": True, "open_until": 0.0,
        "open_for": 10.0,
    }  # fmt: skip
    closed = threading.Event()
    pipeline.shared.events.subscribe(lambda event: closed.set() if event.name == "circuit_opened" else None)
    trip(pipeline)
    closed.clear()
    for _ in range(1000):
        if breaker.describe()["isolated"]:
            break
        closed.wait(0.05)
    assert breaker.describe()["isolated"]
    assert store.saves == 0


def test_a_clock_that_is_set_back() -> None:
    """A change that comes after our own last record counts: the breaker is not opened again by what it said before."""
    store, clock = MemoryStore(), FakeClock()
    pipeline = Pipeline(POLICY, clock=clock, breaker_store=store)
    breaker = pipeline.breaker
    assert breaker is not None
    breaker.open()
    assert store.until_state("p", "open")
    clock.step_wall(-30)
    breaker.close()
    assert store.until_state("p", "closed")
    assert breaker.state == "closed"


def test_breakers_of_several_keys_are_saved_by_name() -> None:
    """A store keeps one record for each policy and key."""
    store = MemoryStore()
    policy = Policy(name="p", breaker={**BREAKER, "key": "operation"}, retry=None)
    pipeline = Pipeline(policy, operation="buy", clock=FakeClock(), breaker_store=store)
    trip(pipeline)
    assert store.until_state("p/buy", "open")


def test_a_restored_breaker_is_not_saved_again() -> None:
    """Its record is what the store has already."""
    store, clock = MemoryStore(), FakeClock()
    trip(Pipeline(POLICY, clock=clock, breaker_store=store))
    assert store.until_state("p", "open")
    before = dict(store.records["p"])
    again = Pipeline(POLICY, clock=FakeClock(wall=clock.time() + 3), breaker_store=store)
    with pytest.raises(CircuitOpenError):
        again.call(len, "abc")
    other = Policy(name="q", breaker=BREAKER, retry=None)
    trip(Pipeline(other, shared=again.shared))
    assert store.until_state("q", "open")  # saved after the note of `p`, if there was one
    assert store.records["p"] == before


def test_a_forked_child_saves_by_a_thread_of_its_own() -> None:
    """The thread of the parent does not exist there: the next change starts another one."""
    store = MemoryStore()
    pipeline = Pipeline(POLICY, clock=FakeClock(), breaker_store=store)
    before = set(threading.enumerate())
    pipeline.shared.breakers._saving.reset_after_fork()  # type: ignore[union-attr]  # there is a store
    assert set(threading.enumerate()) == before
    trip(pipeline)
    assert store.until_state("p", "open")
    assert len(set(threading.enumerate()) - before) == 1


def test_the_thread_ends_with_its_policies() -> None:
    """Policies that nobody uses any more are collected, and their thread with them."""
    store = MemoryStore()
    threads = set(threading.enumerate())
    pipeline = Pipeline(POLICY, clock=FakeClock(), breaker_store=store)
    (thread,) = set(threading.enumerate()) - threads
    shared = weakref.ref(pipeline.shared)
    del pipeline
    gc.collect()
    thread.join(60)
    assert (shared(), thread.is_alive()) == (None, False)
