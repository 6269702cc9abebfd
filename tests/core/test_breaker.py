"""Tests of the breaker's windows, its exported state, and what pybreaker's listeners get, one by one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pybreaker
import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy, PolicyError
from resilience._core.base.events import Events
from resilience._core.policy.sections import BreakerSettings
from resilience._core.policy.units import Calls
from resilience._core.stages.breaker import Breaker, Permit
from resilience._core.stages.outcome_window import CallCountWindow, OutcomeWindow
from resilience._pipeline.breaker_pool import BreakerPool
from resilience.config.checks.lint import lint
from resilience.testing import FakeClock, no_waits


def breaker(clock: FakeClock | None = None, **rules: Any) -> Breaker:
    """Return a breaker with these rules on this clock."""
    return Breaker(BreakerSettings(**rules), (clock or FakeClock()).monotonic)


def test_a_window_of_calls_is_written_as_one() -> None:
    """`window` takes a time or a number of calls, in files and in Python, and says what it takes."""
    file = {"policies": {"p": {"breaker": {"window": "100 calls"}}}}
    rules = Policies.from_mapping(file).policy("p").breaker
    assert rules is not None
    assert rules.window == Calls(100)
    assert BreakerSettings(window=Calls(3)) == BreakerSettings(window="3 calls")  # type: ignore[arg-type]
    assert BreakerSettings(window="1 call") != BreakerSettings(window=1.0)  # type: ignore[arg-type]
    for wrong in ("0 calls", "100001 calls"):
        with pytest.raises(PolicyError, match=r"out of range \(more than 0s, up to 1d, or 1 to 100000 calls\)"):
            BreakerSettings(window=wrong)  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="a duration such as 10s, or a number of calls such as 100 calls"):
        BreakerSettings(window="many calls")  # type: ignore[arg-type]


def test_a_slow_rate_needs_to_know_what_is_slow() -> None:
    """The mistake is reported with its path."""
    with pytest.raises(PolicyError, match=r"breaker\.slow_rate: needs slow_after"):
        Policy(breaker={"slow_rate": "50%"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "value"),
    [("reject", "reject"), ("wait_retries", "wait_retries"), ("wait", "wait"), ("'wait'", "wait")],
)
def test_a_file_says_what_an_open_breaker_does(tmp_path: Path, word: str, value: str) -> None:
    """`when_open` is `reject`, `wait_retries` or `wait`, and nothing else."""
    file = tmp_path / "bot.yaml"
    file.write_text(f"version: 1\npolicies:\n  p: {{breaker: {{when_open: {word}, mode: shadow}}}}\n")
    rules = Policies.load(file).policy("p").breaker
    assert rules is not None
    assert (rules.when_open, rules.mode) == (value, "shadow")
    for wrong, shown in (("yes", "'yes'"), ("1", "'1'"), ("[all]", "a list")):
        file.write_text(f"version: 1\npolicies:\n  p: {{breaker: {{when_open: {wrong}}}}}\n")
        with pytest.raises(PolicyError, match=rf"breaker\.when_open: {shown} is not one of reject, wait_retries, wait"):
            Policies.load(file)


def test_a_slowness_that_no_attempt_can_reach_is_a_warning(tmp_path: Path) -> None:
    """An attempt that is cut has failed; it is no slow success."""
    file = tmp_path / "bot.yaml"
    breaker = "{slow_rate: 50%, slow_after: 5s}"
    file.write_text(f"version: 1\npolicies:\n  p: {{attempt_timeout: 5s, breaker: {breaker}}}\n")
    assert [problem.message for problem in lint(file)] == [
        "warning: breaker.slow_after of 5s is never reached: an attempt fails after the attempt_timeout of 5s"
    ]


def test_a_window_of_calls_forgets_by_calls() -> None:
    """However long it takes, the last few decide."""
    clock = FakeClock()
    ours = breaker(clock, window="4 calls", failure_rate=0.75, min_calls=1000)
    for outcome in ("failed", "failed", "succeeded", "succeeded", "failed"):
        clock.advance(3600)
        getattr(ours, outcome)(ours.generation, clock.monotonic())
        assert ours.state == "closed"
    ours.failed(ours.generation, clock.monotonic())
    assert ours.describe()["settled"] == {"succeeded": 2, "failed": 2, "slow": 0}
    ours.failed(ours.generation, clock.monotonic())
    assert ours.state == "open"


def test_slow_successes_open_it_and_a_slow_trial_opens_it_again() -> None:
    """A service that crawls is given a rest, though no call of it fails."""
    clock = FakeClock()
    pipeline = Pipeline(
        Policy(breaker={"slow_rate": "50%", "slow_after": "2s", "min_calls": 4, "growth": 3, "open_max": "9s"}),  # type: ignore[arg-type]
        clock=clock,
    )
    for seconds in (1.0, 2.0, 2.5, 2.5):
        pipeline.call(clock.advance, seconds)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "open"
    clock.advance(1.0)
    pipeline.call(clock.advance, 2.5)
    assert pipeline.describe()["breaker"]["ready_in"] == 3.0
    clock.advance(3.0)
    pipeline.call(clock.advance, 2.0)
    assert pipeline.breaker.state == "closed"


def test_a_slow_success_of_a_retry_is_measured_from_its_own_beginning(driver: Any) -> None:
    """Neither the attempts before it nor the waits between them make it slow."""
    clock = FakeClock()
    rules = {"slow_rate": "10%", "slow_after": "2s", "min_calls": 1, "failure_rate": None}
    retry = {"backoff": {"kind": "constant", "initial": "5s", "jitter": "none"}}
    pipeline = Pipeline(Policy(breaker=rules, retry=retry), clock=clock)  # type: ignore[arg-type]
    script = [ConnectionRefusedError(), lambda: clock.advance(1.0)]
    driver.call(pipeline.compile(driver.transport(script)))
    assert pipeline.breaker is not None
    assert (pipeline.breaker.state, clock.sleeps) == ("closed", [5.0])


def test_shadow_measures_and_reports_and_rejects_nothing(driver: Any) -> None:
    """It would have opened: that is reported and counted, and every call is sent."""
    clock = FakeClock()
    file = {"policies": {"p": {"breaker": {"consecutive": 2, "open_for": "1s", "mode": "shadow"}}}}
    policies = Policies.from_mapping(file, clock=clock)
    notices: list[Any] = []
    policies.subscribe(lambda event: notices.append((event.name, event.shadow)) if event.breaker else None)
    pipeline = policies.pipeline("p")
    transport = driver.transport([ConnectionRefusedError()] * 4 + ["fine"])
    call = pipeline.compile(transport)
    for _ in range(4):
        with pytest.raises(ConnectionRefusedError):
            driver.call(call)
    assert pipeline.describe()["breaker"]["let_through"] == 2
    clock.advance(1.0)
    assert driver.call(call) == "fine"
    assert notices == [("circuit_opened", True), ("circuit_half_opened", True), ("circuit_closed", True)]


@pytest.mark.parametrize(("when_open", "waits"), [("wait", [0.5, 1.0]), ("wait_retries", None), ("reject", None)])
def test_a_first_attempt_waits_where_the_policy_says_so(driver: Any, when_open: str, waits: list[float] | None) -> None:
    """`when_open: wait` waits until it closes; else the call is rejected."""
    clock = FakeClock()
    policy = Policy(deadline=30.0, breaker={"consecutive": 1, "open_for": "1s", "when_open": when_open})  # type: ignore[arg-type]
    pipeline = Pipeline(policy, clock=clock)
    ours = pipeline.breaker
    assert ours is not None
    ours.open()
    clock.advance(0.5)
    call = pipeline.compile(driver.transport(["fine", "fine"]))
    if waits is None:
        with pytest.raises(CircuitOpenError):
            driver.call(call)
        return
    assert driver.call(call) == "fine"
    ours.open()
    assert driver.call(call) == "fine"
    assert clock.sleeps == waits


def test_a_first_attempt_waits_for_a_trial_that_another_call_makes(driver: Any) -> None:
    """The permit is out; it comes back while this call waits, which then goes on."""
    rules = {"consecutive": 1, "open_for": "1s", "when_open": "wait"}

    class Clock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            assert ours is not None
            ours.succeeded(trial, 0.0)

    clock = Clock()
    pipeline = Pipeline(Policy(deadline=30.0, breaker=rules), clock=clock)  # type: ignore[arg-type]
    ours = pipeline.breaker
    assert ours is not None
    ours.open()
    clock.advance(1.0)
    trial = ours.admit(clock.monotonic())
    assert isinstance(trial, Permit)
    assert driver.call(pipeline.compile(driver.transport(["fine"]))) == "fine"
    assert clock.sleeps == pytest.approx([0.1])


def test_a_wait_that_a_test_cuts_short_is_over(driver: Any) -> None:
    """`no_waits` on the system's clock: the open time counts as waited, and nothing loops until it is over."""
    pipeline = Pipeline(Policy(breaker={"open_for": "1h", "open_max": "1h", "when_open": "wait"}))  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    with no_waits():
        assert driver.call(pipeline.compile(driver.transport(["fine"]))) == "fine"
    assert pipeline.breaker.state == "closed"


@pytest.mark.parametrize("by_hand", ["open", "isolate"])
def test_no_wait_is_begun_towards_a_breaker_that_will_still_reject(driver: Any, by_hand: str) -> None:
    """An open time that ends after the deadline, or never, rejects at once."""
    clock = FakeClock()
    rules = {"consecutive": 1, "open_for": "5s", "when_open": "wait"}
    pipeline = Pipeline(Policy(deadline=5.0, breaker=rules), clock=clock)  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    getattr(pipeline.breaker, by_hand)()
    with pytest.raises(CircuitOpenError) as caught:
        driver.call(pipeline.compile(driver.transport([])))
    assert clock.sleeps == []
    assert caught.value.retry_after == (5.0 if by_hand == "open" else None)


def test_an_urgent_attempt_has_a_spare_trial() -> None:
    """While all permits are out, one high-priority attempt at a time still gets one."""
    clock = FakeClock()
    ours = breaker(clock, consecutive=1)
    ours.open()
    clock.advance(1.0)
    assert isinstance(ours.admit(1.0), Permit)
    spare = ours.admit(1.0, high_priority=True)
    assert isinstance(spare, Permit)
    assert ours.admit(1.0, high_priority=True) is None
    ours.released(spare)
    assert ours.admit(1.0) is None
    assert isinstance(ours.admit(1.0, high_priority=True), Permit)


def test_what_is_switched_by_hand_is_emitted_at_once() -> None:
    """No attempt has to come first."""
    policies = Policies.from_mapping({"policies": {"p": {"breaker": {"key": "operation"}}}}, clock=FakeClock())
    notices: list[Any] = []
    policies.subscribe(lambda event: notices.append((event.name, event.policy, event.breaker)))
    ours = policies.pipeline("p", operation="op").breaker
    assert ours is not None
    ours.isolate()
    ours.isolate()
    ours.close()
    ours.close()
    assert notices == [("circuit_opened", "p", "op"), ("circuit_closed", "p", "op")]


# --- windows ------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [OutcomeWindow(10.0, 0.0), CallCountWindow(10, 0.0)])
def test_windows_count_forget_and_travel(window: Any) -> None:
    """Common, rare and slow things, and the same counts after a journey."""
    for add in ("add_success", "add_failure", "add_slow_success", "add_success"):
        getattr(window, add)(0.5)
    window.close_slice(0.5)
    assert window.counts(1.0) == (3, 1, 1)
    saved = json.loads(json.dumps(window.export(2.0)))
    window.clear(2.0)
    assert window.counts(2.0) == (0, 0, 0)
    window.load(saved, 100.0)
    assert window.counts(100.0) == (3, 1, 1)
    window.add_success(101.0)
    assert window.counts(101.0) == (4, 1, 1)


def test_a_time_window_keeps_the_ages_of_what_it_took() -> None:
    """What was nine seconds ago is forgotten a second later; what was longer ago than its span stays out."""
    window = OutcomeWindow(10.0, 0.0)
    window.load({"slices": [[10.0, 7, 7, 7], [9.0, 1, 2, 0], [1.0, 3, 4, 1]]}, 50.0)
    assert window.counts(50.0) == (4, 6, 1)
    assert window.counts(51.5) == (3, 4, 1)
    assert window.counts(70.0) == (0, 0, 0)


def test_a_window_of_calls_keeps_the_places_of_what_it_took() -> None:
    """A failure that was two calls ago is forgotten with the eighth call from then on, no earlier and no later."""
    for kind, place in (("failed", 1), ("slow", 2)):
        window = CallCountWindow(10, 0.0)
        window.load({"calls": 5, "failed": [], "slow": [], kind: [2]}, 0.0)
        seen = []
        for _ in range(8):
            window.add_success(0.0)
            seen.append(window.counts(0.0)[place])
        assert seen == [1] * 7 + [0]


# --- the saved state ------------------------------------------------------------------------------


def test_an_open_breaker_stays_open_for_what_was_left() -> None:
    """Another process, another clock: it rejects for the rest of the time, and then makes a trial."""
    clock, later = FakeClock(), FakeClock(start=9000.0)
    ours = breaker(clock, consecutive=1, open_for=2.0, open_max=8.0)
    ours.failed(ours.generation, 0.0)
    clock.advance(2.0)
    trial = ours.admit(clock.monotonic())
    assert trial is not None
    ours.failed(trial, clock.monotonic())
    clock.advance(1.5)
    theirs = breaker(later, consecutive=1, open_for=2.0, open_max=8.0)
    theirs.restore(json.loads(json.dumps(ours.export())))
    assert theirs.generation == 0
    assert theirs.state == "open"
    assert theirs.ready_at(9000.0) == 9002.5
    assert theirs.describe()["opens_for"] == 4.0


def test_counts_of_another_kind_of_window_are_left_out() -> None:
    """The policy has changed since: the state stays, the counts begin anew."""
    ours, theirs = breaker(window="5 calls"), breaker(window=10.0)
    ours.failed(ours.generation, 0.0)
    theirs.restore(ours.export())
    assert theirs.describe()["settled"] == {"succeeded": 0, "failed": 0, "slow": 0}
    ours.restore(theirs.export())
    assert ours.describe()["consecutive_failures"] == 1


def test_a_closed_state_closes_an_open_breaker() -> None:
    """What is restored is what is so afterwards."""
    clock = FakeClock()
    ours = breaker(clock, consecutive=1)
    saved = ours.export()
    ours.isolate()
    isolated = ours.export()
    ours.restore(saved)
    assert ours.state == "closed"
    ours.restore(isolated)
    assert (ours.state, ours.ready_at(0.0)) == ("open", float("inf"))
    half_open = {**isolated, "isolated": False, "state": "half-open", "successes": 1}
    ours.restore(half_open)
    assert (ours.state, ours.describe()["trials_succeeded"]) == ("half-open", 1)


WINDOW: dict[str, Any] = {"calls": 3, "failed": [2], "slow": [0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: expected 1, got 2"),
        ({"version": True}, "version: expected 1"),
        ({"state": "ajar"}, "state: expected one of closed, open, half-open, got 'ajar'"),
        ({"state": ["open"]}, "state: expected one of"),
        ({"isolated": 1}, "isolated: expected true or false"),
        ({"isolated": True, "state": "closed"}, "isolated: a closed breaker cannot be isolated"),
        ({"left": -1}, "left: expected seconds"),
        ({"left": float("nan")}, "left: expected seconds"),
        ({"open_for": "1s"}, "open_for: expected seconds"),
        ({"consecutive_failures": 1.5}, "consecutive_failures: expected a count"),
        ({"successes": -1}, "successes: expected a count"),
        ({"more": 1}, "unknown 'more'"),
        ({"window": None}, "window: expected the counts of a window"),
        ({"window": {}}, "window:"),
        ({"window": {"slices": 3}}, "window:"),
        ({"window": {"slices": [[1, 2, 3]]}}, "window:"),
        ({"window": {"slices": [3]}}, "window:"),
        ({"window": {"slices": [["x", 2, 3, 0]]}}, "window:"),
        ({"window": {"slices": [[1, 2, 3, -1]]}}, "window:"),
        ({"window": {"slices": [[1, 2, 3, 3]]}}, "window:"),
        ({"window": {"slices": [[1, 2, 3, 0], [2, 2, 3, 0]]}}, "window:"),
        ({"window": {**WINDOW, "calls": -1}}, "window:"),
        ({"window": {**WINDOW, "calls": 10**9}}, "window:"),
        ({"window": {**WINDOW, "failed": 1}}, "window:"),
        ({"window": {**WINDOW, "failed": [3]}}, "window:"),
        ({"window": {**WINDOW, "failed": [1, 2]}}, "window:"),
        ({"window": {**WINDOW, "slow": [2]}}, "window:"),
    ],
)
def test_a_wrong_state_is_rejected_and_changes_nothing(change: dict[str, Any], message: str) -> None:
    """The message says which part is wrong."""
    ours = breaker(window="5 calls", consecutive=3)
    ours.failed(ours.generation, 0.0)
    before = ours.export()
    with pytest.raises(ValueError, match="not a breaker's state: ") as caught:
        ours.restore({**before, **change})
    assert message in str(caught.value)
    assert ours.export() == before
    assert ours.generation


def test_what_is_no_mapping_or_lacks_a_field_is_rejected() -> None:
    """A list, or half a state."""
    ours = breaker()
    with pytest.raises(ValueError, match="a breaker's state must be a mapping, not a list"):
        ours.restore([])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"version is missing; state is missing"):
        ours.restore({})


# --- listeners of pybreaker's ---------------------------------------------------------------------


class Full(pybreaker.CircuitBreakerListener):
    """Records every method that is called."""

    def __init__(self) -> None:
        self.notices: list[Any] = []

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        self.notices.append(("before", cb.name, func.__name__, args, kwargs))

    def failure(self, cb: Any, exc: BaseException) -> None:
        self.notices.append(("failure", type(exc).__name__, cb.fail_counter))

    def success(self, cb: Any) -> None:
        self.notices.append(("success", cb.current_state, cb.success_counter))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.notices.append(("state", old_state.name, new_state.name))


class BreakerState(pybreaker.CircuitBreakerListener):
    """Asks for changes alone."""

    def __init__(self) -> None:
        self.notices: list[Any] = []

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.notices.append((cb.name, new_state.name))


def work() -> str:
    """Go well."""
    return "fine"


def down() -> str:
    """Fail."""
    raise ConnectionRefusedError


def test_a_pybreaker_listener_gets_what_pybreaker_would_send() -> None:
    """Before each call, how it went, and each change of state, in this order."""
    clock, full, states = FakeClock(), Full(), BreakerState()
    rules = {"consecutive": 2, "open_for": "1s"}
    pipeline = Pipeline(Policy(name="p", breaker=rules), clock=clock, listeners=[full, states])  # type: ignore[arg-type]
    good, bad = pipeline.compile(work), pipeline.compile(down)
    assert good() == "fine"
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            bad()
    with pytest.raises(CircuitOpenError):
        good()
    clock.advance(1.0)
    assert good() == "fine"
    assert full.notices == [
        ("before", "p", "work", (), {}),
        ("success", "closed", 0),
        ("before", "p", "down", (), {}),
        ("failure", "ConnectionRefusedError", 1),
        ("before", "p", "down", (), {}),
        ("failure", "ConnectionRefusedError", 0),  # = once it is open, which begins the count anew
        ("state", "closed", "open"),
        ("state", "open", "half-open"),
        ("before", "p", "work", (), {}),
        ("state", "half-open", "closed"),
        ("success", "closed", 0),
    ]
    assert states.notices == [("p", "open"), ("p", "half-open"), ("p", "closed")]


def test_pybreaker_keeps_no_date() -> None:
    """The time of opening is ours: a listener that reads pybreaker's gets None."""
    ours = breaker(consecutive=1)
    ours.open()
    assert ours._states.load()._state_storage.opened_at is None


def test_only_a_listener_of_every_success_leaves_the_fast_path() -> None:
    """A listener of state changes costs a success nothing; a listener of successes does, until it is removed."""
    policies = Policies.builtin(clock=FakeClock())
    pipeline = policies.pipeline("default")
    call = pipeline.compile(work)
    ours = pipeline.breaker
    assert ours is not None
    policies.subscribe(BreakerState())
    assert ours.generation
    full = Full()
    unsubscribe = policies.subscribe(full)
    assert not ours.generation
    call()
    unsubscribe()
    assert ours.generation
    call()
    assert len(full.notices) == 2


def test_a_listener_that_raises_is_dropped() -> None:
    """It is reported once, and changes no outcome."""

    class Broken(pybreaker.CircuitBreakerListener):
        def failure(self, cb: Any, exc: BaseException) -> None:
            raise LookupError

    dropped: list[Any] = []
    clock = FakeClock()
    breakers = BreakerPool(clock, Events(on_dropped=lambda listener, error: dropped.append(type(error))))
    broken = Broken()
    breakers.subscribe(broken)
    ours = breakers.get(Policy(breaker={}), "a")  # type: ignore[arg-type]
    assert ours is not None
    for _ in range(2):
        ours.failed(ours.generation, 0.0)
        ours.emit(lambda name, **fields: None)
    assert dropped == [LookupError]


def test_what_is_no_listener_is_rejected() -> None:
    """Neither a function nor an object with pybreaker's methods; functions get events, whatever they are called."""
    with pytest.raises(TypeError, match="a listener is a plain function of one event"):
        Pipeline(Policy(), listeners=[object()])
    notices: list[Any] = []
    pipeline = Pipeline(Policy(), listeners=[notices.append])
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(down)
    assert [event.name for event in notices] == ["attempt_failed", "call_failed"]


# --- how many there are ---------------------------------------------------------------------------


def test_a_bounded_number_of_breakers_and_no_open_one_is_forgotten() -> None:
    """Of many keys, a closed breaker that was idle is forgotten; an open one never is."""
    policy = Policy(name="p", breaker={"consecutive": 1})  # type: ignore[arg-type]
    breakers = BreakerPool(FakeClock(), Events(), max_breakers=3)

    def state(key: str) -> str:
        ours = breakers.get(policy, key)
        assert ours is not None
        return ours.state

    def use(key: str) -> None:
        ours = breakers.get(policy, key)
        assert ours is not None
        ours.succeeded(ours.generation, 0.0)

    def kept() -> list[str]:
        return [key for _, key in breakers._recent]

    first = breakers.get(policy, "open")
    assert first is not None
    first.failed(first.generation, 0.0)
    del first
    use("busy")
    use("idle")
    use("new")  # nobody was looked at before: the oldest closed one goes
    assert kept() == ["open", "idle", "new"]
    use("new")
    use("newer")  # unused since that look
    assert kept() == ["open", "new", "newer"]
    assert (state("open"), state("idle")) == ("open", "closed")
    for key in ("x", "y", "z"):
        ours = breakers.get(policy, key)
        assert ours is not None
        ours.failed(ours.generation, 0.0)
    assert len(kept()) == 4  # all open: more of them than there should be
    assert {state(key) for key in ("open", "x", "y", "z")} == {"open"}


def test_a_forgotten_breaker_that_is_still_used_is_the_one_of_its_key() -> None:
    """There are never two breakers of one key."""
    policy = Policy(name="p", breaker={})  # type: ignore[arg-type]
    breakers = BreakerPool(FakeClock(), Events(), max_breakers=1)
    first = breakers.get(policy, "a")
    breakers.get(policy, "b")
    assert breakers.get(policy, "a") is first
    assert breakers.get(Policy(), "a") is None


def test_a_breaker_for_each_answer_of_a_function() -> None:
    """A callable key, from Python: the failures of one symbol do not count for another."""
    clock = FakeClock()
    policy = Policy(breaker={"consecutive": 1, "key": lambda symbol: symbol})  # type: ignore[arg-type]
    pipeline = Pipeline(policy, clock=clock)

    def price(symbol: str) -> str:
        if symbol == "A":
            raise ConnectionRefusedError
        return symbol

    call = pipeline.compile(price)
    with pytest.raises(ConnectionRefusedError):
        call("A")
    with pytest.raises(CircuitOpenError):
        call("A")
    assert call("B") == "B"
