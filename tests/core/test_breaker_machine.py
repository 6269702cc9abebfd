"""The breaker against a model written from the words of the design, by random operations; and under many threads."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from resilience import CircuitOpenError, Pipeline, Policy
from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience.testing import FakeClock
from tests.core.breaker_model import Model

LOST_AFTER = 60.0
SPAN, SLOW_AFTER = 10.0, 2.0

RATES = st.none() | st.sampled_from([0.25, 0.5, 0.8, 1.0])
RULES = st.fixed_dictionaries(
    {
        "failure_rate": RATES,
        "slow_rate": st.none() | RATES,
        "calls": st.none() | st.integers(1, 8),
        "min_calls": st.integers(1, 6),
        "consecutive": st.none() | st.integers(1, 4),
        "open_for": st.sampled_from([1.0, 2.0]),
        "growth": st.sampled_from([1.0, 2.0, 3.0]),
        "open_max": st.sampled_from([0.5, 2.0, 5.0]),
        "permits": st.integers(1, 3),
        "successes": st.integers(1, 3),
        "shadow": st.sampled_from([False, False, True]),
    }
)
# halves and eighths: sums of them are exact, so that nobody is early or late by a rounding
WAITS = st.sampled_from([0.0, 0.5, 0.5, 1.125, 2.5, 4.0, 5.125, 9.5, 70.0])
OUTCOMES = st.sampled_from(["good", "good", "bad", "bad", "bad", "neutral", "abandoned"])


def new_breaker(rules: dict[str, Any], clock: FakeClock) -> Breaker:
    """Return a breaker with these rules."""
    chosen = BreakerSettings(
        failure_rate=rules["failure_rate"],
        slow_rate=rules["slow_rate"],
        slow_after=SLOW_AFTER,
        window=SPAN if rules["calls"] is None else f"{rules['calls']} calls",  # type: ignore[arg-type]
        min_calls=rules["min_calls"],
        consecutive=rules["consecutive"],
        open_for=rules["open_for"],
        growth=rules["growth"],
        open_max=rules["open_max"],
        half_open={"permits": rules["permits"], "successes": rules["successes"]},  # type: ignore[arg-type]
        mode="shadow" if rules["shadow"] else "enforce",
    )
    return Breaker(chosen, clock.monotonic, lost_after=LOST_AFTER)


class BreakerMachine(RuleBasedStateMachine):
    """Both get the same operations and must agree after each."""

    tickets = Bundle("tickets")

    @initialize(rules=RULES)
    def begin(self, rules: dict[str, Any]) -> None:
        """Make both."""
        self.clock = FakeClock()
        self.chosen = rules
        self.breaker = new_breaker(rules, self.clock)
        self.model = Model(**rules, span=SPAN, slow_after=SLOW_AFTER, lost_after=LOST_AFTER)

    @rule(target=tickets, high_priority=st.sampled_from([False, False, False, True]))
    def admit(self, high_priority: bool) -> Any:
        """Ask both."""
        return self._admit(high_priority)

    def _admit(self, high_priority: bool = False) -> Any:
        now = self.clock.monotonic()
        ours = self.breaker.generation or self.breaker.admit(now, high_priority=high_priority)
        theirs = self.model.admit(now, high_priority)
        assert (ours is None) == (theirs is None)
        return (self.breaker, ours, theirs, now)

    @rule(attempt=consumes(tickets), how=OUTCOMES)
    def settle(self, attempt: Any, how: str) -> None:
        """Settle an attempt, however old; one of another process changes nothing here."""
        self._settle(attempt, how)

    def _settle(self, attempt: Any, how: str) -> None:
        breaker, ours, theirs, began = attempt
        if ours is None:
            return
        now = self.clock.monotonic()
        if how == "good":
            breaker.succeeded(ours, began)
        elif how == "bad":
            breaker.failed(ours, now)
        else:
            breaker.released(ours)
        if breaker is self.breaker:
            self.model.settle(theirs, how, began, now, breaker.state)

    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=8), wait=WAITS, takes=WAITS)
    def run(self, outcomes: list[str], wait: float, takes: float) -> None:
        """Let some time pass and make a few attempts, one after the other."""
        self.clock.advance(wait)
        for outcome in outcomes:
            attempt = self._admit()
            self.clock.advance(takes)
            self._settle(attempt, outcome)
            self.agree()

    @rule(seconds=WAITS)
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(what=st.sampled_from(["nothing"] * 9 + ["open", "close", "isolate"]))
    def by_hand(self, what: str) -> None:
        """Switch it by hand, now and then."""
        if what == "nothing":
            return
        getattr(self.breaker, what)()
        if what == "close":
            self.model.close()
        else:
            self.model.isolated = what == "isolate"
            open_for = self.chosen["open_for"] if what == "open" else self.model.open_for
            self.model.trip(self.clock.monotonic(), open_for)

    @rule(times=st.integers(0, 9))
    def move(self, times: int) -> None:
        """Carry the state to a fresh breaker, as a restart of the process does, now and then."""
        if times:
            return
        saved = json.loads(json.dumps(self.breaker.export()))
        self.breaker = new_breaker(self.chosen, self.clock)
        self.breaker.restore(saved)
        self.model.moved()
        self.model.let_through = 0

    @invariant()
    def agree(self) -> None:
        """The states are the same, and so is what both describe."""
        if hasattr(self, "breaker"):
            now, model, described = self.clock.monotonic(), self.model, self.breaker.describe()
            assert self.breaker.state == described["state"] == ("isolated" if model.isolated else model.state)
            assert self.breaker.ready_at(now) == model.ready_at(now)
            assert (described["isolated"], described["let_through"]) == (model.isolated, model.let_through)
            assert (described["trials"], described["trials_succeeded"]) == (len(model.trials), model.good_trials)
            if model.state == "closed":
                assert described["consecutive_failures"] == model.consecutive_failures


class TestBreakerMachine(BreakerMachine.TestCase):  # type: ignore[misc,name-defined]  # made at run time
    """A few long lives of a breaker."""

    settings = settings(max_examples=30, stateful_step_count=40, deadline=None, derandomize=True)


@pytest.mark.slow
class TestBreakerMachineForLong(BreakerMachine.TestCase):  # type: ignore[misc,name-defined]  # made at run time
    """Many of them."""

    settings = settings(max_examples=200, stateful_step_count=40, deadline=None, derandomize=True)


def opened(clock: FakeClock, permits: int) -> Pipeline:
    """Return a pipeline whose breaker is due for its trials."""
    half_open = {"permits": permits, "successes": permits}
    rules = {"consecutive": 1, "failure_rate": None, "open_for": "1s", "half_open": half_open}
    pipeline = Pipeline(Policy(breaker=rules), clock=clock)  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    clock.advance(1.125)
    return pipeline


MANY = 1000


@pytest.mark.parametrize("permits", [1, 7])
def test_exactly_the_permits_under_a_thousand_threads(permits: int) -> None:
    """All ask while no trial has ended: as many as there are permits are sent, and all others are rejected."""
    pipeline = opened(FakeClock(), permits)
    sent, refused, all_asked = [], [], threading.Event()

    def trial() -> None:
        sent.append(1)
        assert all_asked.wait(60)

    def call() -> None:
        try:
            pipeline.call(trial)
        except CircuitOpenError:
            refused.append(1)
        if len(refused) == MANY - permits:
            all_asked.set()

    before = threading.stack_size(256 * 1024)
    try:
        threads = [threading.Thread(target=call) for _ in range(MANY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        threading.stack_size(before)
    assert (len(sent), len(refused)) == (permits, MANY - permits)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"


@pytest.mark.parametrize("permits", [1, 7])
def test_exactly_the_permits_under_a_thousand_tasks(permits: int) -> None:
    """The same with tasks, some of whose trials are cancelled: their permits go to others."""
    pipeline = opened(FakeClock(), permits)
    running, most = [0], [0]

    async def trial() -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        try:
            await asyncio.sleep(3600)
        finally:
            running[0] -= 1

    async def story() -> int:
        tasks = [asyncio.create_task(pipeline.acall(trial)) for _ in range(MANY)]
        tried = 0
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in tasks:
            tried += not task.done()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return tried

    assert asyncio.run(story()) == permits
    assert asyncio.run(story()) == permits
    assert (most[0], running[0]) == (permits, 0)
    assert pipeline.describe()["breaker"]["trials"] == 0
