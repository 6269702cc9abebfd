"""Tests of what is stored of a breaker: which records are read, which of two counts, and what a breaker takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import inf, nan
from typing import Any

import pytest

from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.breaker_store import (
    BreakerRecord,
    BreakerStore,
    apply_record,
    new_record,
    newer_record,
    read_record,
)

NOW = 1_700_000_000.0
OPEN = {
    "version": 1, "changed_at": NOW - 5, "state": "open", "isolated": False, "open_until": NOW + 7, "open_for": 12.0,
}  # fmt: skip


class Rig:
    """A breaker on a clock that only the test moves."""

    def __init__(self, **settings: Any) -> None:
        self.now = 50.0
        self.events: list[str] = []
        rules = BreakerSettings(**{"open_for": 10.0, "open_max": 60.0, **settings})
        self.breaker = Breaker(rules, lambda: self.now, emit=lambda name, **_: self.events.append(name))


def record(**fields: Any) -> BreakerRecord:
    """Return a record that differs from `OPEN` in these fields."""
    return BreakerRecord(**{**OPEN, **fields})


def test_a_record_is_plain_data_with_an_end_on_the_wall_clock() -> None:
    """It survives JSON; a breaker that is open by hand for ever has no end."""
    rig = Rig()
    rig.breaker.open()
    saved = new_record(rig.breaker, NOW - 1, NOW)
    assert saved == record(changed_at=NOW - 1, open_until=NOW + 10, open_for=10.0)
    assert read_record(json.loads(json.dumps(saved._asdict())), NOW) == saved
    rig.breaker.isolate()
    assert new_record(rig.breaker, NOW, NOW) == record(changed_at=NOW, isolated=True, open_until=0.0, open_for=10.0)
    rig.breaker.close()
    assert new_record(rig.breaker, NOW, NOW)[2:5] == ("closed", False, 0.0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "open",
        {},
        {**OPEN, "more": 1},
        {**OPEN, "version": 2},
        {**OPEN, "state": "ajar"},
        {**OPEN, "isolated": 1},
        {**OPEN, "open_until": inf},
        {**OPEN, "open_for": nan},
        {**OPEN, "open_for": -1},
        {**OPEN, "changed_at": "yesterday"},
        {**OPEN, "changed_at": NOW + 61},
    ],
)
def test_what_is_no_record_is_ignored(value: object) -> None:
    """Damaged data, other versions, and a clock that is ahead of ours."""
    assert read_record(value, NOW) is None


def test_the_record_that_was_changed_later_counts() -> None:
    """An older opinion never overwrites a newer one; a store may decide otherwise, but only between records."""

    class Cautious(BreakerStore):
        def merge(self, stored: Mapping[str, Any], record: Mapping[str, Any]) -> Mapping[str, Any]:
            return stored if stored["state"] == "open" else record

    class Odd(BreakerStore):
        def merge(self, stored: Mapping[str, Any], record: Mapping[str, Any]) -> Any:
            return "neither"

    old, new = record(changed_at=NOW - 9), record(changed_at=NOW, state="closed", open_until=0.0)
    assert newer_record(BreakerStore(), None, old, NOW) is old
    assert newer_record(BreakerStore(), old, new, NOW) == new
    assert newer_record(BreakerStore(), new, old, NOW) == new
    assert newer_record(Cautious(), old, new, NOW) == old
    assert newer_record(Odd(), old, new, NOW) is new


def test_a_store_has_to_load_and_save() -> None:
    """A class without them fails in the thread of the store, which reports it."""
    with pytest.raises(NotImplementedError):
        BreakerStore().load()
    with pytest.raises(NotImplementedError):
        BreakerStore().save("name", {})


def test_an_open_breaker_stays_open_until_its_time() -> None:
    """By the wall clock, and with the open time that had grown; then a trial is admitted."""
    rig = Rig()
    apply_record(rig.breaker, record(), NOW)
    assert (rig.breaker.state, rig.breaker.ready_at(rig.now), rig.events) == ("open", 57.0, ["circuit_opened"])
    assert rig.breaker.describe()["opens_for"] == 12.0
    rig.now = 57.0
    assert rig.breaker.admit(rig.now) is not None
    assert rig.breaker.state == "half-open"


def test_a_record_opens_for_no_longer_than_the_settings_allow() -> None:
    """Whatever a damaged file or another clock says."""
    rig = Rig()
    apply_record(rig.breaker, record(open_until=NOW + 10**9), NOW)
    assert rig.breaker.ready_at(rig.now) == rig.now + 60


@pytest.mark.parametrize("stored", [record(open_until=NOW - 100), record(state="half-open", open_until=0.0)])
def test_an_open_time_that_is_over_leads_to_a_trial(stored: BreakerRecord) -> None:
    """Trials of another process are not ours, so a half-open breaker begins them anew."""
    rig = Rig()
    apply_record(rig.breaker, stored, NOW)
    assert (rig.breaker.state, rig.breaker.ready_at(rig.now)) == ("open", rig.now)


def test_isolated_and_closed() -> None:
    """What was isolated by hand stays so until it is closed; a closed record closes."""
    rig = Rig()
    apply_record(rig.breaker, record(isolated=True, open_until=0.0), NOW, emit=False)
    assert (rig.breaker.ready_at(rig.now), rig.events) == (inf, [])
    apply_record(rig.breaker, record(state="closed", open_until=0.0), NOW)
    assert (rig.breaker.state, rig.events) == ("closed", ["circuit_opened", "circuit_closed"])
