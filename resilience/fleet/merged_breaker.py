"""Couples one breaker of this process with those of the other processes that guard the same."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from .._core.policy.sections import BreakerSettings
from .._core.policy.units import Calls
from .._core.stages.breaker import Breaker
from .breaker_script import BREAKER
from .store import Store

__all__ = ["BY_FLEET", "BreakerName", "MergedBreaker"]

BY_FLEET = "the processes of the fleet together"
"""What `Breaker.opened_by` says of a breaker that was closed when those of the fleet were opened."""
SETTLE = 0.08  # seconds from the first failure in the fleet until it is judged
RETRY = 0.25  # seconds after which a process asks again for a trial that another one makes
UNUSED = 1.0  # seconds after which a trial that nobody made is given back
_NO_ROW = (0, 0, 0, 0)


class BreakerName(NamedTuple):
    """Where a breaker is kept in the store.

    Attributes:
        key: of its data.
        channel: of the news of all breakers.
        digest: stands for it in the news.
        member: this process.
    """

    key: str
    channel: str
    digest: str
    member: str


class MergedBreaker:
    """One breaker. It is the breaker's `lease` too, which is asked by calls; all else is called by the link's thread.

    Attributes:
        asked_until: until when a call waits for the answer to its wish for a trial.
        is_lost: the store is lost: each process decides alone.
    """

    def __init__(
        self, breaker: Breaker, name: BreakerName, clock: Callable[[], float], patience: float, wake: Callable[[], None]
    ) -> None:
        self._reference = weakref.ref(breaker)
        self._name = name
        self._clock = clock
        self._patience = patience
        self._wake = wake
        self._generation = 0
        self._is_open = self._in_trouble = self._is_asking = False
        self._judge_at = float("inf")  # when the first failures of the fleet are judged
        self._is_due = True  # what the others have opened is asked for at once
        self._row: tuple[Any, ...] = _NO_ROW
        self._bad = (0, 0)  # failures and slow successes that were looked at
        self._lease_began = self._lease_ends = self._lease_used = float("-inf")
        self.asked_until = float("-inf")
        self.is_lost = False
        self.opened_by: str | None = None
        breaker.lease = self

    @property
    def breaker(self) -> Breaker | None:
        """The breaker; None once nobody uses it any more."""
        return self._reference()

    @property
    def state(self) -> str:
        """What the processes have decided together: `closed` or `open`."""
        return "open" if self._is_open else "closed"

    @property
    def has_trial(self) -> bool:
        """Whether this process makes the trial."""
        return self._is_open and self._clock() < self._lease_ends

    # --- called by calls, under the breaker's lock ---------------------------------------------

    def permits(self, now: float, wanted: int) -> int:
        """Return how many trials may be out in this process; without a lease leave a wish for one. Never waits."""
        if not self._is_open or self.is_lost:
            return wanted
        if now < self._lease_ends:
            self._lease_used = now
            return 1
        if not self._is_asking:
            self._is_asking, self.asked_until = True, now + self._patience
            self._wake()
        return 0

    # --- called by the link's thread -----------------------------------------------------------

    def ask_again(self) -> None:
        """Learn from the store what has changed."""
        self._is_due = True

    def go_alone(self) -> None:
        """Decide alone: the last shared state lasts until its end."""
        self.is_lost, self._is_asking = True, False
        self.asked_until = self._lease_ends = float("-inf")

    def come_back(self) -> None:
        """Decide together again."""
        self.is_lost, self._is_due = False, True

    def leave(self) -> None:
        """Decide alone from now on."""
        if (breaker := self.breaker) is not None and breaker.lease is self:
            breaker.lease = None

    def work(self, store: Store) -> None:
        """Tell the store what has changed here, and follow what was decided."""
        breaker = self.breaker
        action = None if breaker is None else self._next_action(breaker)
        if breaker is None or action is None:
            return
        row, began = self._new_row(breaker), self._clock()
        rules = _rules_of(breaker, breaker.settings)
        place = self._name.channel, self._name.digest, self._name.member
        answer = store.run(
            BREAKER, [self._name.key], [*place, self._generation, action, json.dumps(rules), json.dumps(row)]
        )
        self._is_due = False
        if began >= self._judge_at:
            self._judge_at = float("inf")
        if action == "row":
            self._row = _comparable(row)
        if action in ("ask", "return"):
            self._lease_ends = self._lease_used = float("-inf")
        self._take(breaker, _read(answer), began)

    def _next_action(self, breaker: Breaker) -> str | None:
        """Return what is to be said, or None."""
        if breaker.shadow:
            return None
        now = self._clock()
        if self._is_open:
            return self._say_while_open(breaker, breaker.state, now)
        return "row" if self._is_due or now >= self._judge_at or self._has_news(breaker) else None

    def _say_while_open(self, breaker: Breaker, state: str, now: float) -> str | None:
        if state == "closed":
            return "closed"  # a trial has succeeded, or somebody has closed it by hand
        if self._is_asking:
            return "ask"
        if self._lease_ends > float("-inf"):
            return self._say_of_trial(breaker, state, now)
        return "row" if self._is_due else None

    def _say_of_trial(self, breaker: Breaker, state: str, now: float) -> str | None:
        """Return what is to be said of the trial that this process may make."""
        is_used = self._lease_used > float("-inf")
        if is_used and state == "open" and breaker.ready_at(now) > now:
            return "failed"
        if not breaker.permits and now - max(self._lease_used, self._lease_began) > UNUSED:
            return "return"
        return "row" if self._is_due else None

    def _has_news(self, breaker: Breaker) -> bool:
        """Return whether the window has changed since it was sent; successes alone are news only during trouble."""
        window, is_clean = breaker.outcomes, self._row[1] + self._row[2] == 0
        bad = window.failures, window.slow
        if is_clean and not self._in_trouble and bad == self._bad:
            return False  # the ordinary case, for many breakers ten times a second
        self._bad = bad
        row = _comparable(self._new_row(breaker))
        has_failures = row[1] + row[2] > 0 or self._row[1] + self._row[2] > 0
        return (has_failures or self._in_trouble) and row != self._row

    def _new_row(self, breaker: Breaker) -> dict[str, int]:
        """Return what the window has counted."""
        window = breaker.outcomes
        failed_ever = window.failures  # before the total, which includes it
        ok, failed, slow = window.recent(self._clock())
        in_a_row, total = breaker.consecutive_failures, window.total
        totals = {"total_ok": max(0, total - failed_ever), "total_failed": failed_ever}
        return {"ok": ok, "failed": failed, "slow": slow, "in_a_row": in_a_row, **totals}

    def _take(self, breaker: Breaker, answer: _Answer, began: float) -> None:
        """Follow what the store has answered; an older generation than the known one is never answered."""
        was_open, is_new = self._is_open, answer.generation != self._generation
        self._generation, self._is_open = answer.generation, answer.is_open
        self._is_asking, self.asked_until = False, float("-inf")
        self.opened_by = answer.by or None
        if answer.in_trouble and not self._in_trouble:
            self._judge_at = began + SETTLE
        self._in_trouble = answer.in_trouble
        if is_new or not self._is_open:
            self._lease_ends = self._lease_used = float("-inf")
            self._row = _NO_ROW
        self._follow(breaker, answer, is_new=is_new, was_open=was_open)
        if answer.granted:
            # From before the question: it ends here before the store gives it to another process.
            self._lease_began, self._lease_ends = began, began + answer.granted

    def _follow(self, breaker: Breaker, answer: _Answer, *, is_new: bool, was_open: bool) -> None:
        if answer.is_open and (is_new or not was_open or answer.left > 0):
            breaker.follow_open(answer.left, BY_FLEET, open_for=answer.open_for)
        elif answer.retry:
            breaker.follow_open(answer.retry, BY_FLEET)
        elif was_open and is_new and not answer.is_open:
            breaker.follow_closed()


class _Answer(NamedTuple):
    """What the script has answered. Times are seconds."""

    generation: int
    is_open: bool
    left: float
    open_for: float
    by: str
    granted: float
    retry: float
    in_trouble: bool


def _comparable(row: dict[str, int]) -> tuple[int, ...]:
    return row["ok"], row["failed"], row["slow"], row["total_failed"]


def _read(answer: Any) -> _Answer:
    generation, state, left, open_for, by, granted, retry, trouble = answer
    left, open_for, granted, retry = (int(milliseconds) / 1000 for milliseconds in (left, open_for, granted, retry))
    return _Answer(int(generation), state == b"open", left, open_for, by.decode(), granted, retry, bool(trouble))


def _rules_of(breaker: Breaker, settings: BreakerSettings) -> dict[str, Any]:
    """Return the rules by which the script judges; -1 is no limit. Times are milliseconds."""
    window, lease = settings.window, breaker.lost_after
    span = 60.0 if isinstance(window, Calls) else float(window)
    return {
        "failure_rate": -1 if settings.failure_rate is None else settings.failure_rate,
        "slow_rate": -1 if settings.slow_rate is None else settings.slow_rate,
        "consecutive": -1 if settings.consecutive is None else settings.consecutive,
        "min_calls": settings.min_calls,
        "keep": _milliseconds(span),
        "settle": _milliseconds(SETTLE),
        "open_for": _milliseconds(settings.open_for),
        "growth": settings.growth,
        "open_max": _milliseconds(max(settings.open_max, settings.open_for)),
        "permits": settings.half_open.permits,
        # A little less than the time after which the process itself counts its trial as lost.
        "lease": _milliseconds(max(lease * 0.75, lease - 0.5)),
        "retry": _milliseconds(RETRY),
    }


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
