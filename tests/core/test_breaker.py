"""Tests of the breaker: when it opens, whom it admits, its settings, and what a caller sees of it."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy, PolicyError
from resilience._core.policy.sections import BreakerSettings
from resilience._core.policy.units import Calls
from resilience._core.stages.breaker import Breaker, Permit
from resilience._core.stages.outcome_window import CallCountWindow, OutcomeWindow
from resilience.cli import main
from resilience.testing import FakeClock, no_waits


def new_breaker(clock: FakeClock | None = None, **rules: Any) -> Breaker:
    """Return a breaker with these rules on this clock."""
    return Breaker(BreakerSettings(**rules), (clock or FakeClock()).monotonic)


def test_a_window_of_calls_is_written_as_one() -> None:
    """`window` is a duration or a number of calls, in files and in Python; the error lists both."""
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


def test_slow_rate_needs_slow_after() -> None:
    """The mistake is reported with its path."""
    with pytest.raises(PolicyError, match=r"breaker\.slow_rate: needs slow_after"):
        Policy(breaker={"slow_rate": "50%"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "value"),
    [("reject", "reject"), ("wait_retries", "wait_retries"), ("wait", "wait"), ("'wait'", "wait")],
)
def test_when_open_in_a_file(tmp_path: Path, word: str, value: str) -> None:
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


def test_slow_after_beyond_the_attempt_timeout_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An attempt that is cancelled at its timeout has failed, so it is never a slow success."""
    file = tmp_path / "bot.yaml"
    breaker = "{slow_rate: 50%, slow_after: 5s}"
    file.write_text(f"version: 1\npolicies:\n  p: {{attempt_timeout: 5s, breaker: {breaker}}}\n")
    assert main(["check", str(file)]) == 1
    warning = "warning: breaker.slow_after of 5s is never reached: an attempt fails after the attempt_timeout of 5s"
    assert [line.partition(": policies.p")[2].partition(": ")[2] for line in capsys.readouterr().out.splitlines()] == [
        warning
    ]


def test_a_window_of_calls_forgets_by_calls() -> None:
    """The last calls decide, however long they take."""
    clock = FakeClock()
    breaker = new_breaker(clock, window="4 calls", failure_rate=0.75, min_calls=1000)
    for outcome in ("failed", "failed", "succeeded", "succeeded", "failed"):
        clock.advance(3600)
        getattr(breaker, outcome)(breaker.generation, clock.monotonic())
        assert breaker.state == "closed"
    breaker.failed(breaker.generation, clock.monotonic())
    assert breaker.describe()["settled"] == {"succeeded": 2, "failed": 2, "slow": 0}
    breaker.failed(breaker.generation, clock.monotonic())
    assert breaker.state == "open"


def test_slow_successes_open_it_and_a_slow_trial_opens_it_again() -> None:
    """The breaker opens for slow successes although no call fails."""
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
    """Earlier attempts and waits do not count as the duration of a retry."""
    clock = FakeClock()
    rules = {"slow_rate": "10%", "slow_after": "2s", "min_calls": 1, "failure_rate": None}
    retry = {"backoff": {"kind": "constant", "initial": "5s", "jitter": "none"}}
    pipeline = Pipeline(Policy(breaker=rules, retry=retry), clock=clock)  # type: ignore[arg-type]
    script = [ConnectionRefusedError(), lambda: clock.advance(1.0)]
    driver.call(pipeline.compile(driver.transport(script)))
    assert pipeline.breaker is not None
    assert (pipeline.breaker.state, clock.sleeps) == ("closed", [5.0])


def test_shadow_measures_and_reports_and_rejects_nothing(driver: Any) -> None:
    """In shadow mode an opening is emitted and counted, and every call is sent."""
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
    """With `when_open: wait` the call waits until the breaker closes; otherwise it is rejected."""
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
    """Another call has the trial permit; when it is released, the waiting call goes on."""
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
    """With `no_waits` on the system's clock the open time counts as waited, without a busy loop."""
    pipeline = Pipeline(Policy(breaker={"open_for": "1h", "open_max": "1h", "when_open": "wait"}))  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    with no_waits():
        assert driver.call(pipeline.compile(driver.transport(["fine"]))) == "fine"
    assert pipeline.breaker.state == "closed"


@pytest.mark.parametrize("by_hand", ["open", "isolate"])
def test_no_wait_for_a_breaker_that_will_still_reject(driver: Any, by_hand: str) -> None:
    """An open time that ends after the deadline, or never, rejects the call at once."""
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
    """While all permits are taken, one high-priority attempt at a time gets an extra one."""
    clock = FakeClock()
    breaker = new_breaker(clock, consecutive=1)
    breaker.open()
    clock.advance(1.0)
    assert isinstance(breaker.admit(1.0), Permit)
    spare = breaker.admit(1.0, high_priority=True)
    assert isinstance(spare, Permit)
    assert breaker.admit(1.0, high_priority=True) is None
    breaker.released(spare)
    assert breaker.admit(1.0) is None
    assert isinstance(breaker.admit(1.0, high_priority=True), Permit)


def test_what_is_switched_by_hand_is_emitted_at_once() -> None:
    """Switching the breaker by hand emits its event without a call."""
    policies = Policies.from_mapping({"policies": {"p": {"breaker": {"key": "operation"}}}}, clock=FakeClock())
    notices: list[Any] = []
    policies.subscribe(lambda event: notices.append((event.name, event.policy, event.breaker)))
    policies.pipeline("p", operation="op").call(len, "")
    (ours,) = policies.breakers("p")
    ours.isolate()
    ours.isolate()
    ours.close()
    ours.close()
    assert notices == [("circuit_opened", "p", "op"), ("circuit_closed", "p", "op")]


def test_each_change_of_the_state_is_counted_once() -> None:
    """By the name of the state that it leads to; to be isolated is a change of its own, from open and back too."""
    clock = FakeClock()
    breaker = new_breaker(clock, consecutive=1, open_for=1.0)
    breaker.failed(breaker.generation, 0.0)
    clock.advance(1.0)
    trial = breaker.admit(1.0)
    assert isinstance(trial, Permit)
    breaker.succeeded(trial, 1.0)
    assert breaker.transitions == {"closed": 1, "half-open": 1, "open": 1, "isolated": 0}
    for switch in ("isolate", "isolate", "open", "open", "isolate", "close", "close"):
        getattr(breaker, switch)()
    assert breaker.transitions == {"closed": 2, "half-open": 1, "open": 2, "isolated": 2}


def down() -> str:
    """Fail."""
    raise ConnectionRefusedError


def test_what_is_no_listener_is_rejected() -> None:
    """An object with neither interface raises; functions get events, whatever their name."""
    with pytest.raises(TypeError, match="a listener is a plain function of one event"):
        Pipeline(Policy(), listeners=[object()])
    notices: list[Any] = []
    pipeline = Pipeline(Policy(), listeners=[notices.append])
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(down)
    assert [event.name for event in notices] == ["attempt_failed", "call_failed"]


def test_a_breaker_for_each_key_of_a_function() -> None:
    """With a callable key, the failures of one symbol do not count for another."""
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


def counted_breaker(clock: FakeClock, **rules: Any) -> Breaker:
    """Return a breaker that has counted one failure of three calls."""
    breaker = Breaker(BreakerSettings(**rules), clock.monotonic)
    for _ in range(3):
        breaker.outcomes.add_success(clock.monotonic())
    breaker.failed(breaker.admit(clock.monotonic()), clock.monotonic())  # type: ignore[arg-type]
    return breaker


def test_retune_applies_other_limits() -> None:
    """Failures from before the change count towards the new limits."""
    clock = FakeClock()
    breaker = counted_breaker(clock, min_calls=20)
    breaker.retune(BreakerSettings(min_calls=2, failure_rate=0.4), 60.0)
    assert breaker.state == "closed"
    breaker.failed(breaker.admit(0.0), 0.0)  # type: ignore[arg-type]
    assert breaker.state == "open"


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [("10s", "20s", 4), ("10 calls", "20 calls", 4), ("10s", "10s", 4), ("10s", "10 calls", 0), ("10 calls", "10s", 0)],
)
def test_retune_to_another_kind_of_window(before: str, after: str, counted: int) -> None:
    """A window of the same kind keeps its counts; one of another kind begins empty."""
    breaker = counted_breaker(FakeClock(), window=before)
    breaker.retune(BreakerSettings(window=after), 60.0)  # type: ignore[arg-type]
    assert sum(breaker.outcomes.counts(0.0)[:2]) == counted
    assert isinstance(breaker.outcomes, CallCountWindow if "calls" in after else OutcomeWindow)


def test_retune_never_lengthens_an_open_time() -> None:
    """The open time ends at the earlier of the old and the new limit."""
    for longest, ready in ((3.0, 3.0), (50.0, 8.0)):
        clock = FakeClock()
        breaker = Breaker(BreakerSettings(open_for=8, open_max=9), clock.monotonic)
        breaker.open()
        breaker.retune(BreakerSettings(open_for=1, open_max=longest), 60.0)
        assert (breaker.state, breaker.ready_at(0.0)) == ("open", ready)


def test_retune_to_shadow_and_back() -> None:
    """In shadow mode it counts and rejects nothing."""
    clock = FakeClock()
    breaker = counted_breaker(clock)
    breaker.open()
    breaker.retune(BreakerSettings(mode="shadow"), 60.0)
    assert breaker.admit(0.0) is not None
    breaker.retune(BreakerSettings(), 60.0)
    assert breaker.admit(0.0) is None


def fails(breaker: Breaker, clock: FakeClock) -> None:
    """Let an attempt fail."""
    permit = breaker.admit(clock.monotonic())
    assert permit is not None
    breaker.failed(permit, clock.monotonic())


def succeeds(breaker: Breaker, clock: FakeClock, seconds: float = 0.0) -> None:
    """Let an attempt take this long and succeed."""
    permit, began = breaker.admit(clock.monotonic()), clock.monotonic()
    assert permit is not None
    clock.advance(seconds)
    breaker.succeeded(permit, began)


def test_a_share_of_slow_successes_opens_it() -> None:
    """One slow success of four is below a slow rate of 50 %; two are not."""
    clock = FakeClock()
    breaker = new_breaker(clock, failure_rate=None, slow_rate=0.5, slow_after=1, min_calls=4)
    for seconds in (2.0, 0.0, 0.0, 0.0):
        succeeds(breaker, clock, seconds)
    breaker.failed(breaker.admit(clock.monotonic()), clock.monotonic())  # type: ignore[arg-type]
    assert breaker.state == "closed"
    for _ in range(3):
        succeeds(breaker, clock, 2.0)
    assert breaker.state == "open"


def test_a_slow_success_resets_the_consecutive_failures() -> None:
    """The count of consecutive failures begins again with the next failure."""
    clock = FakeClock()
    breaker = new_breaker(clock, failure_rate=None, consecutive=2, slow_rate=1.0, slow_after=1)
    fails(breaker, clock)
    succeeds(breaker, clock, 2.0)
    fails(breaker, clock)
    assert breaker.state == "closed"
    fails(breaker, clock)
    assert breaker.state == "open"


def test_as_many_good_trials_close_it_as_the_policy_says() -> None:
    """With `successes: 2`, the second successful trial closes the breaker."""
    clock = FakeClock()
    breaker = new_breaker(clock, open_for=1, half_open={"permits": 1, "successes": 2})
    breaker.open()
    clock.advance(1)
    succeeds(breaker, clock)
    assert breaker.state == "half-open"
    succeeds(breaker, clock)
    assert breaker.state == "closed"


def test_a_lost_permit_is_available_again() -> None:
    """The permit is available at the instant at which it expires."""
    clock = FakeClock()
    breaker = new_breaker(clock, open_for=1)
    breaker.open()
    permit = breaker.admit(1.0)
    assert permit is not None
    expires = permit.expires  # type: ignore[union-attr]
    assert breaker.admit(expires - 0.1) is None
    assert breaker.admit(expires) is not None


def test_an_open_breaker_whose_time_is_over_is_ready() -> None:
    """`ready_in` is 0 after the open time, before any call asks."""
    clock = FakeClock()
    breaker = new_breaker(clock, open_for=4)
    breaker.open()
    assert breaker.describe()["ready_in"] == 4.0
    clock.advance(9)
    assert (breaker.describe()["ready_in"], breaker.state) == (0.0, "open")


@pytest.mark.parametrize(("grown", "opens_for"), [(False, 1.0), (True, 4.0)])
def test_growth_outlives_other_settings_while_it_is_open(grown: bool, opens_for: float) -> None:
    """An open breaker keeps its growth; a closed one begins with the new open time."""
    clock = FakeClock()
    breaker = new_breaker(clock, open_for=2, growth=2, open_max=60)
    if grown:
        breaker.open()
        clock.advance(2)
        fails(breaker, clock)
    breaker.retune(BreakerSettings(open_for=1, growth=2, open_max=60), 60.0)
    assert breaker.describe()["opens_for"] == opens_for


def test_a_slow_rate_leaves_the_fast_path_open() -> None:
    """Drivers compare the time of a success with `slow_after`, which follows other settings."""
    breaker = new_breaker(FakeClock())
    assert (breaker.slow_after, breaker.generation, breaker.untimed_generation) == (inf, 1, 1)
    breaker.retune(BreakerSettings(slow_rate=0.5, slow_after=1), 60.0)
    assert (breaker.slow_after, breaker.generation, breaker.untimed_generation) == (1.0, 1, 0)
    breaker.retune(BreakerSettings(), 60.0)
    assert (breaker.slow_after, breaker.generation, breaker.untimed_generation) == (inf, 1, 1)
    breaker.open()
    assert (breaker.generation, breaker.untimed_generation) == (0, 0)


@pytest.mark.parametrize(
    "rules",
    [{}, {"window": Calls(50)}, {"mode": "shadow", "open_for": 3.0}, {"slow_after": 1.0, "slow_rate": 0.5}],
    ids=["seconds", "calls", "shadow", "slow"],
)
def test_a_sibling_is_a_new_breaker_with_the_same_settings(rules: dict[str, Any]) -> None:
    """It has every attribute that a new one has, and it counts and opens on its own."""
    clock = FakeClock()
    events: list[str] = []
    isolated: dict[str, bool] = {}

    def emit(name: str, **_fields: Any) -> None:
        events.append(name)

    def new(key: str) -> Breaker:
        options: Any = {"policy": "p", "wall_clock": clock.time, "emit": emit, "lost_after": 9.0, "key": key}
        return Breaker(BreakerSettings(**rules), clock.monotonic, is_switched_off=isolated.get, **options)

    def attributes_of(value: object) -> dict[str, Any]:
        names = [name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ())]
        kept = {name: getattr(value, name) for name in names if not name.startswith("__")}
        return {**kept, **getattr(value, "__dict__", {}), "outcomes": None}

    clock.advance(3.0)
    prototype, other = new("prototype"), new("a")
    sibling = prototype.sibling("a")
    assert attributes_of(sibling) == attributes_of(other)
    assert sibling.outcomes.export(4.0) == other.outcomes.export(4.0)
    assert (type(sibling.outcomes), sibling.describe()) == (type(other.outcomes), other.describe())
    sibling.open()
    assert (prototype.state, other.state, sibling.state, events) == ("closed", "closed", "open", ["circuit_opened"])


def test_a_breaker_that_nobody_has_touched_has_no_parts() -> None:
    """Successes, and reading its state, make none; a failure does, but pybreaker's object only comes when it opens."""
    breaker = new_breaker(consecutive=2)
    breaker.succeeded(breaker.generation, 0.0)
    breaker.released(breaker.generation)
    breaker.emit(lambda *_args, **_fields: pytest.fail("there is nothing to emit"))
    assert (breaker.state, breaker.transitions["open"], breaker.open_until, breaker.ready_at(1.0)) == (
        "closed",
        0,
        None,
        1.0,
    )
    assert breaker.is_untouched
    breaker.failed(breaker.generation, 0.0)
    assert not breaker.is_untouched
    assert breaker._states._real is None
    breaker.failed(breaker.generation, 0.0)
    assert (breaker._states._real is not None, breaker.state) == (True, "open")
