"""The breaker against a model written from the words of the design, by random operations."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from resilience._core.breaker import Breaker
from resilience._core.policy import Breaker as Settings
from resilience.testing import FakeClock

WINDOW, LOST_AFTER = 1000.0, 60.0


class Model:
    """What a breaker should do, without regard to speed: every event is kept and counted anew."""

    def __init__(self, rules: Settings) -> None:
        self.rules = rules
        self.state = "closed"
        self.period = 0
        self.events: list[tuple[float, bool]] = []
        self.until = 0.0
        self.open_for = rules.open_for
        self.isolated = False
        self.trials: dict[int, float] = {}
        self.good = 0
        self.next_ticket = 0

    def admit(self, now: float) -> Any:
        """Return a ticket, or None for a refusal."""
        if self.state == "open":
            if self.isolated or now < self.until:
                return None
            self.state, self.good, self.trials = "half-open", 0, {}
        self.next_ticket += 1
        if self.state == "half-open":
            self.trials = {one: ends for one, ends in self.trials.items() if ends > now}
            if len(self.trials) >= self.rules.half_open.permits:
                return None
            self.trials[self.next_ticket] = now + LOST_AFTER
            return ("trial", self.next_ticket)
        return ("closed", self.period)

    def settle(self, ticket: Any, outcome: str, now: float) -> None:
        """Close an attempt: succeeded, failed, or released (neutral and abandoned)."""
        kind, number = ticket
        if kind == "trial":
            if self.state == "half-open" and number in self.trials:
                del self.trials[number]
                if outcome == "succeeded":
                    self.good += 1
                    if self.good >= self.rules.half_open.successes:
                        self.close()
                elif outcome == "failed":
                    self.trip(now, min(self.open_for * self.rules.growth, self.rules.open_max))
        elif self.state == "closed" and number == self.period and outcome != "released":
            self.events.append((now, outcome == "succeeded"))
            if outcome == "failed" and self.tripped(now):
                self.trip(now, self.open_for)

    def tripped(self, now: float) -> bool:
        """Tell whether the streak or the rate says that it is enough."""
        streak = 0
        for _, good in reversed(self.events):
            if good:
                break
            streak += 1
        if self.rules.consecutive is not None and streak >= self.rules.consecutive:
            return True
        seen = [good for at, good in self.events if at > now - WINDOW]
        if self.rules.failure_rate is None or len(seen) < self.rules.min_calls:
            return False
        return seen.count(False) >= self.rules.failure_rate * len(seen)

    def trip(self, now: float, open_for: float) -> None:
        """Open for this long."""
        self.state, self.open_for, self.until = "open", open_for, now + open_for
        self.events, self.trials = [], {}

    def close(self) -> None:
        """Close, forget, and begin the open time anew."""
        self.state, self.open_for, self.isolated = "closed", self.rules.open_for, False
        self.events, self.trials = [], {}
        self.period += 1


RULES = st.builds(
    Settings,
    failure_rate=st.none() | st.sampled_from([0.5, 0.8, 1.0]),
    window=st.just(WINDOW),
    min_calls=st.integers(1, 6),
    consecutive=st.none() | st.integers(1, 4),
    open_for=st.sampled_from([1.0, 2.0]),
    growth=st.sampled_from([1.0, 2.0, 3.0]),
    open_max=st.sampled_from([2.0, 5.0]),
    half_open=st.fixed_dictionaries({"permits": st.integers(1, 3), "successes": st.integers(1, 3)}),
)


OUTCOMES = st.sampled_from(["succeeded", "failed", "failed", "released"])
WAITS = st.sampled_from([0.0, 0.5, 1.1, 2.5, 4.0, 5.1, 70.0, 2 * WINDOW])


class BreakerMachine(RuleBasedStateMachine):
    """Both get the same operations and must agree after each."""

    tickets = Bundle("tickets")

    @initialize(rules=RULES)
    def begin(self, rules: Settings) -> None:
        """Make both."""
        self.clock = FakeClock()
        self.breaker = Breaker(rules, self.clock.monotonic, lost_after=LOST_AFTER)
        self.model = Model(rules)

    @rule(target=tickets)
    def admit(self) -> Any:
        """Ask both."""
        return self._admit()

    def _admit(self) -> Any:
        now = self.clock.monotonic()
        ours, theirs = self.breaker.admit(now), self.model.admit(now)
        assert (ours is None) == (theirs is None)
        return (ours, theirs)

    @rule(pair=consumes(tickets), outcome=OUTCOMES)
    def settle(self, pair: Any, outcome: str) -> None:
        """Settle an attempt, however old."""
        self._settle(pair, outcome)

    def _settle(self, pair: Any, outcome: str) -> None:
        ours, theirs = pair
        if ours is None:
            return
        now = self.clock.monotonic()
        if outcome == "released":
            self.breaker.released(ours)
        else:
            getattr(self.breaker, outcome)(ours, now)
        self.model.settle(theirs, outcome, now)

    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=6), wait=WAITS)
    def run(self, outcomes: list[str], wait: float) -> None:
        """Let some time pass and make a few attempts, one after the other."""
        self.clock.advance(wait)
        for outcome in outcomes:
            self._settle(self._admit(), outcome)
            assert self.breaker.state == self.model.state

    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(what=st.sampled_from(["nothing"] * 9 + ["open", "close", "isolate"]))
    def by_hand(self, what: str) -> None:
        """Turn it by hand, now and then."""
        if what == "nothing":
            return
        getattr(self.breaker, what)()
        if what == "close":
            self.model.close()
        else:
            self.model.isolated = what == "isolate"
            self.model.trip(
                self.clock.monotonic(), self.model.rules.open_for if what == "open" else self.model.open_for
            )

    @invariant()
    def agree(self) -> None:
        """The states are the same."""
        if hasattr(self, "breaker"):
            assert self.breaker.state == self.model.state


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=300, stateful_step_count=40, deadline=None, derandomize=True)


@pytest.mark.parametrize("permits", [1, 4])
def test_exactly_the_permits_under_threads(permits: int) -> None:
    """Whatever the threads do, no more trials run at once than there are permits, and none is lost."""
    clock = FakeClock()
    rules = Settings(consecutive=1, open_for=1.0, half_open={"permits": permits, "successes": 1000})  # type: ignore[arg-type]
    breaker = Breaker(rules, clock.monotonic)
    breaker.open()
    clock.advance(1.1)
    running, most, admitted, lock = [0], [0], [0], threading.Lock()

    def work(seed: int) -> None:
        noise = random.Random(seed)
        for _ in range(300):
            ticket = breaker.admit(clock.monotonic())
            if ticket is None:
                continue
            with lock:
                running[0] += 1
                admitted[0] += 1
                most[0] = max(most[0], running[0])
            with lock:
                running[0] -= 1
            if noise.random() < 0.5:
                breaker.released(ticket)
            else:
                breaker.succeeded(ticket, clock.monotonic())

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most[0] <= permits
    assert admitted[0] > permits
    assert sum(breaker.admit(clock.monotonic()) is not None for _ in range(permits + 5)) in (permits, permits + 5)
