"""A second, slow implementation of the circuit breaker: it stores every event and counts them anew.

It imports nothing of the breaker. Rates over a time are exact to a tenth of it, so that the model may
allow two answers; it then follows what the breaker did.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

GOOD, SLOW, BAD = "good", "slow", "bad"


class Settled(NamedTuple):
    """An attempt that counts: when it began, when it was settled, and how."""

    began: float
    ended: float
    how: str


class Model:
    """A breaker by its rules, each of which is None where it is off.

    They are `failure_rate slow_rate slow_after span calls min_calls consecutive open_for growth open_max permits
    successes shadow lost_after`.
    """

    def __init__(self, **rules: Any) -> None:
        self.rules = rules
        self.state = "closed"
        self.generation = 0
        self.settled: list[Settled] = []
        self.until = 0.0
        self.open_for = rules["open_for"]
        self.isolated = False
        self.trials: dict[int, tuple[float, bool]] = {}
        self.good_trials = 0
        self.permits_given = 0
        self.let_through = 0

    # --- attempts -----------------------------------------------------------------------------

    def admit(self, now: float, high_priority: bool) -> Any:
        """Return a permit, or None for a rejection."""
        permit = self._asked(now, high_priority)
        if permit is None and self.rules["shadow"]:
            self.let_through += 1
            return ("let through", 0)
        return permit

    def _asked(self, now: float, high_priority: bool) -> Any:
        if self.state == "closed":
            return ("closed", self.generation)
        if self.isolated or now < self.until:
            return None
        self.state = "half-open"
        self.trials = {permit: (ends, spare) for permit, (ends, spare) in self.trials.items() if ends > now}
        usual = sum(not spare for _, spare in self.trials.values())
        spare = usual >= self.rules["permits"]
        if spare and (not high_priority or usual < len(self.trials)):
            return None
        self.permits_given += 1
        self.trials[self.permits_given] = (now + self.rules["lost_after"], spare)
        return ("trial", self.permits_given)

    def settle(self, permit: Any, how: str, began: float, now: float, state: str) -> None:
        """Settle an attempt; where two results are right, `state` is the breaker's own afterwards."""
        kind, number = permit
        if how == GOOD and self.rules["slow_rate"] is not None and now - began > self.rules["slow_after"]:
            how = SLOW
        if kind == "trial" and number in self.trials:
            del self.trials[number]
            if how in (BAD, SLOW):
                self.trip(now, min(self.open_for * self.rules["growth"], self._longest))
            elif how == GOOD:
                self.good_trials += 1
                if self.good_trials >= self.rules["successes"]:
                    self.close()
        elif kind == "closed" and self.state == "closed" and number == self.generation and how in (GOOD, SLOW, BAD):
            counted_from = began if how == GOOD and self.rules["slow_rate"] is None else now
            self.settled.append(Settled(counted_from, now, how))
            may = {False} if how == GOOD else self.trips(now)
            assert (state == "open") in may, (state, may, self.settled)
            if state == "open":
                self.trip(now, self.open_for)

    # --- decisions ----------------------------------------------------------------------------

    @property
    def consecutive_failures(self) -> int:
        """Failures in a row."""
        consecutive_failures = 0
        for attempt in reversed(self.settled):
            if attempt.how != BAD:
                break
            consecutive_failures += 1
        return consecutive_failures

    def trips(self, now: float) -> set[bool]:
        """Return whether the breaker must open, must not open, or may do either."""
        if self.rules["consecutive"] is not None and self.consecutive_failures >= self.rules["consecutive"]:
            return {True}
        if self.rules["calls"] is not None:
            return {self._enough(self.settled[-self.rules["calls"] :])}
        span = self.rules["span"]
        surely = next((i for i, end in enumerate(self.settled) if end.began > now - span), len(self.settled))
        perhaps = next((i for i, end in enumerate(self.settled) if end.ended > now - 1.1 * span), len(self.settled))
        return {self._enough(self.settled[first:]) for first in range(min(perhaps, surely), surely + 1)}

    def _enough(self, seen: list[Settled]) -> bool:
        least = min(self.rules["min_calls"], self.rules["calls"] or inf)
        if len(seen) < least:
            return False
        share = {how: sum(attempt.how == how for attempt in seen) / len(seen) for how in (BAD, SLOW)}
        limits = {BAD: self.rules["failure_rate"], SLOW: self.rules["slow_rate"]}
        return any(limit is not None and share[how] >= limit for how, limit in limits.items())

    @property
    def _longest(self) -> float:
        return max(self.rules["open_max"], self.rules["open_for"])

    # --- changes ------------------------------------------------------------------------------

    def trip(self, now: float, open_for: float) -> None:
        """Open for this many seconds."""
        self.state, self.open_for, self.until = "open", open_for, now + open_for
        self.trials, self.good_trials = {}, 0

    def close(self) -> None:
        """Close, forget all counts, and reset the open time."""
        self.state, self.open_for, self.isolated = "closed", self.rules["open_for"], False
        self.settled, self.trials, self.good_trials = [], {}, 0
        self.generation += 1

    def moved(self) -> None:
        """Continue in another process: attempts and trials that were running count nowhere."""
        self.generation += 1
        self.trials = {}

    def ready_at(self, now: float) -> float:
        """Return when an attempt may be admitted."""
        if self.state == "closed" or self.rules["shadow"]:
            return now
        return inf if self.isolated else max(now, self.until)
