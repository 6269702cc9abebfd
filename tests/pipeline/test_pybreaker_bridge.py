"""Tests of breakers that share a storage with other programs of pybreaker."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pybreaker
import pytest

from resilience import CircuitOpenError, Policies, PolicyError
from resilience._core.base.events import Events
from resilience._pipeline import pybreaker_bridge
from resilience.testing import FakeClock

POLICIES = {
    "policies": {
        "p": {"breaker": {"consecutive": 2, "open_for": "10s", "open_max": "60s"}, "retry": None},
        "q": {"breaker": {"consecutive": 2, "open_for": "10s", "open_max": "60s"}, "retry": None},
    }
}


class WatchedStorage(pybreaker.CircuitMemoryStorage):
    """A storage that a test can wait for, and break.

    Attributes:
        error: raised by every access.
        hang: every access waits for it.
        is_gone: it answers as `CircuitRedisStorage` does while its server is gone, and forgets what is written.
    """

    def __init__(self, state: str = "closed", opened_at: datetime | None = None) -> None:
        super().__init__(state)
        self._opened_at = opened_at
        self.error: Exception | None = None
        self.hang = threading.Event()
        self.hang.set()
        self.is_gone = False
        self.reads = 0
        self._changed = threading.Condition()

    def _access(self) -> None:
        with self._changed:
            self.reads += 1
            self._changed.notify_all()
        self.hang.wait(60)
        if self.error is not None:
            raise self.error

    @property
    def state(self) -> str:
        self._access()
        return "closed" if self.is_gone else self._state

    @state.setter
    def state(self, state: str) -> None:
        self._access()
        with self._changed:
            self._state = self._state if self.is_gone else state
            self._changed.notify_all()

    @property
    def opened_at(self) -> datetime | None:
        return None if self.is_gone else self._opened_at

    @opened_at.setter
    def opened_at(self, date: datetime) -> None:
        if not self.is_gone:
            self._opened_at = date

    def until(self, is_so: Callable[[], bool]) -> bool:
        """Wait until something is so."""
        with self._changed:
            return self._changed.wait_for(is_so, 60)

    def until_state(self, state: str) -> bool:
        """Wait until this state was written."""
        return self.until(lambda: self._state == state)

    def until_read_again(self) -> bool:
        """Wait until the bridge has worked off a whole read that began after this."""
        wanted = self.reads + 3
        return self.until(lambda: self.reads >= wanted)


class EventLog:
    """A listener that a test can wait for."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.events: list[Any] = []
        self._changed = threading.Condition()

    def __call__(self, event: Any) -> None:
        with self._changed:
            self.names.append(event.name)
            self.events.append(event)
            self._changed.notify_all()

    def until(self, name: str, times: int = 1) -> bool:
        """Wait until an event came so many times."""
        with self._changed:
            return self._changed.wait_for(lambda: self.names.count(name) >= times, 60)


def new_policies(storage: Any, clock: FakeClock | None = None) -> tuple[Policies, EventLog]:
    """Return policies on this storage, and a listener of their events."""
    policies = Policies.from_mapping(POLICIES, clock=clock or FakeClock(), log=False, pybreaker_storage=storage)
    log = EventLog()
    policies.subscribe(log)
    return policies, log


def down() -> None:
    """Fail as a service that is down does."""
    raise ConnectionRefusedError


def trip(policies: Policies, policy: str = "p") -> None:
    """Fail until the breaker opens."""
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            policies.pipeline(policy).call(down)


def state_of(policies: Policies, policy: str = "p") -> str:
    """Return the state of a policy's breaker."""
    breaker = policies.pipeline(policy).breaker
    assert breaker is not None
    return breaker.state


@pytest.fixture(autouse=True)
def short_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the storage often, so that no test waits for long, and wait for the first read on a slow machine too."""
    monkeypatch.setattr(pybreaker_bridge, "BEAT", 0.01)
    monkeypatch.setattr(pybreaker_bridge, "START_WAIT", 60.0)


def test_what_another_program_opens_is_obeyed() -> None:
    """And what it closes, and nothing of that is written back."""
    storage = WatchedStorage()
    policies, log = new_policies(storage)
    assert policies.pipeline("p").call(len, "abc") == 3
    other = pybreaker.CircuitBreaker(state_storage=storage)
    other.open()
    assert log.until("circuit_opened")
    with pytest.raises(CircuitOpenError):
        policies.pipeline("p").call(len, "abc")
    assert policies.breakers("p")[0].opened_by == "another program, through pybreaker's storage"
    opened_at = storage.opened_at
    assert storage.until_read_again()
    assert (storage.state, storage.opened_at) == ("open", opened_at)
    other.close()
    assert log.until("circuit_closed")
    assert policies.pipeline("p").call(len, "abc") == 3


def test_another_program_obeys_what_opens_here() -> None:
    """Until the trial here has succeeded. pybreaker's counters stay as they are."""
    storage, clock = WatchedStorage(), FakeClock()
    policies, _log = new_policies(storage, clock)
    trip(policies)
    assert storage.until_state("open")
    assert storage.opened_at == datetime.fromtimestamp(clock.time(), UTC)
    other = pybreaker.CircuitBreaker(state_storage=storage, reset_timeout=10**10)
    with pytest.raises(pybreaker.CircuitBreakerError):
        other.call(len, "abc")
    clock.advance(10)
    assert policies.pipeline("p").call(len, "abc") == 3
    assert storage.until_state("closed")
    assert other.call(len, "abc") == 3
    assert (storage.counter, storage.success_counter) == (0, 0)


def test_a_failed_trial_opens_the_storage_anew() -> None:
    """With the instant at which it failed."""
    storage, clock = WatchedStorage(), FakeClock()
    policies, log = new_policies(storage, clock)
    trip(policies)
    assert storage.until_state("open")
    clock.advance(10)
    with pytest.raises(ConnectionRefusedError):
        policies.pipeline("p").call(down)
    again = datetime.fromtimestamp(clock.time(), UTC)
    assert storage.until(lambda: storage.opened_at == again)
    assert log.names.count("circuit_opened") == 2


def test_a_program_that_starts_later_obeys_before_its_first_call() -> None:
    """For the time that is left of its own open time."""
    clock = FakeClock()
    storage = WatchedStorage("open", datetime.fromtimestamp(clock.time() - 4, UTC))
    policies, _log = new_policies(storage, clock)
    with pytest.raises(CircuitOpenError):
        policies.pipeline("p").call(len, "abc")
    clock.advance(6)
    assert policies.pipeline("p").call(len, "abc") == 3
    assert storage.until_state("closed")


def test_breakers_that_share_a_storage_open_together() -> None:
    """It has one state, so it is for one service."""
    storage = WatchedStorage()
    policies, log = new_policies(storage)
    assert state_of(policies, "q") == "closed"
    trip(policies, "p")
    assert log.until("circuit_opened", 2)
    assert state_of(policies, "q") == "open"


def test_each_policy_may_have_its_storage() -> None:
    """A policy that is not named has none."""
    storage = WatchedStorage()
    policies, log = new_policies({"p": storage, "q": None})
    assert state_of(policies, "q") == "closed"
    pybreaker.CircuitBreaker(state_storage=storage).open()
    assert state_of(policies, "p") in ("closed", "open")
    assert log.until("circuit_opened")
    assert (state_of(policies, "p"), state_of(policies, "q")) == ("open", "closed")
    assert log.names.count("circuit_opened") == 1


def test_two_policies_may_share_a_storage() -> None:
    """They open together, and a third one does not."""
    storage = WatchedStorage()
    policies, log = new_policies({"p": storage, "q": storage})
    assert (state_of(policies, "p"), state_of(policies, "q")) == ("closed", "closed")
    assert state_of(policies, "default") == "closed"
    pybreaker.CircuitBreaker(state_storage=storage).open()
    assert log.until("circuit_opened", 2)
    assert state_of(policies, "default") == "closed"


def test_a_storage_that_raises_costs_nothing_but_its_state() -> None:
    """It is reported once, and read again when it works."""
    storage = WatchedStorage()
    policies, log = new_policies(storage)
    storage.error = RuntimeError("gone")
    assert log.until("breaker_store_failed")
    assert storage.until_read_again()
    assert policies.pipeline("p").call(len, "abc") == 3
    trip(policies)
    assert storage.until_read_again()
    assert log.names.count("breaker_store_failed") == 1
    assert log.events[0].caused_by == "RuntimeError"
    storage.error = None
    assert storage.until_state("open")


def test_a_storage_that_hangs_blocks_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when it is made either. It is reported once."""
    monkeypatch.setattr(pybreaker_bridge, "HANGS_AFTER", 0.02)
    monkeypatch.setattr(pybreaker_bridge, "START_WAIT", 0.01)
    storage = WatchedStorage()
    storage.hang.clear()
    policies, log = new_policies(storage)
    trip(policies)
    with pytest.raises(CircuitOpenError):
        policies.pipeline("p").call(len, "abc")
    assert log.until("breaker_store_failed")
    storage.hang.set()
    assert storage.until_state("open")


def test_a_storage_whose_server_is_gone_closes_nothing() -> None:
    """`CircuitRedisStorage` says "closed" then. What changes meanwhile is written when the server is back."""
    storage, clock = WatchedStorage(), FakeClock()
    policies, log = new_policies(storage, clock)
    trip(policies)
    assert storage.until_state("open")
    assert storage.until_read_again()
    storage.is_gone = True
    assert storage.until_read_again()
    assert state_of(policies) == "open"
    clock.advance(10)
    assert policies.pipeline("p").call(len, "abc") == 3
    assert storage.until_read_again()
    storage.is_gone = False
    assert storage.until_state("closed")
    changes = [name for name in log.names if name.startswith("circuit_")]
    assert changes == ["circuit_opened", "circuit_half_opened", "circuit_closed"]


def test_a_state_that_is_none_is_reported() -> None:
    """The breaker keeps its own."""
    storage = WatchedStorage("broken")
    policies, log = new_policies(storage)
    assert policies.pipeline("p").call(len, "abc") == 3
    storage.error = RuntimeError()
    assert storage.until_read_again()
    storage.error = None
    storage.state = "open"
    assert policies.pipeline("p").breaker is not None
    assert log.until("circuit_opened")


def test_a_breaker_that_is_gone_is_not_written() -> None:
    """Its note is dropped."""
    storage = WatchedStorage()
    bridge = pybreaker_bridge.PybreakerBridge(storage, FakeClock(), Events(), list)
    breaker = Policies.builtin().pipeline("default").breaker
    assert breaker is not None
    listener = bridge.watch(breaker)
    del breaker
    gc.collect()
    listener.emit("state_change")
    assert storage.until_read_again()
    assert storage.state == "closed"


def test_a_forked_child_reads_for_itself() -> None:
    """The threads of its parent do not exist there."""
    storage = WatchedStorage()
    bridge = pybreaker_bridge.PybreakerBridge(storage, FakeClock(), Events(), list)
    before = threading.active_count()
    bridge.reset_after_fork()
    assert threading.active_count() == before + 2


def test_the_threads_end_with_their_policies() -> None:
    """Nothing keeps them."""
    storage = WatchedStorage()
    policies, _log = new_policies(storage)
    gone = weakref.ref(policies)
    names = ("resilience-pybreaker-storage", "resilience-pybreaker-watch")
    threads = [thread for thread in threading.enumerate() if thread.name in names]
    assert len(threads) >= 2
    del policies
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("storage", [object(), pybreaker.CircuitMemoryStorage, "redis://", {"p": 1}])
def test_what_is_no_storage_is_an_error(storage: Any) -> None:
    """At once, and with its class."""
    with pytest.raises(TypeError, match="pybreaker_storage takes an object derived from"):
        Policies.from_mapping(POLICIES, pybreaker_storage=storage)


def test_a_storage_of_a_policy_that_does_not_exist_is_an_error() -> None:
    """It would have no effect."""
    with pytest.raises(PolicyError, match="no policy 'nobody'"):
        Policies.from_mapping(POLICIES, pybreaker_storage={"nobody": WatchedStorage()})
