"""Registering a policy anew keeps the old executor, and sync and async users of one name get two breakers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Policies, QuotaExceededError
from resilience.testing import FakeClock


class Registry:
    """What is seen in the field: executors are kept by name and by colour, and never replaced."""

    def __init__(self) -> None:
        self.executors: dict[Any, dict[str, Any]] = {}

    def executor(self, name: str, settings: dict[str, Any], *, asynchronous: bool) -> dict[str, Any]:
        """Return the executor of a name."""
        return self.executors.setdefault((name, asynchronous), dict(settings))


def test_naive() -> None:
    """New settings are not taken, and the two colours share nothing."""
    registry = Registry()
    first = registry.executor("p", {"attempts": 1}, asynchronous=False)
    assert registry.executor("p", {"attempts": 5}, asynchronous=False)["attempts"] == 1
    assert registry.executor("p", {"attempts": 1}, asynchronous=True) is not first


def test_both_colours_share_breaker_quota_and_slots() -> None:
    """What the sync user does, the async user of the name sees."""
    rules = {"breaker": {"consecutive": 1}, "quota": [{"rate": "1/s", "burst": 2}], "deadline": "500ms"}
    policies = Policies.from_mapping({"policies": {"p": {**rules, "admission": {}}}}, clock=FakeClock())

    @policies.resilient("p")
    def sync() -> int:
        lanes: dict[str, Any] = policies.pipeline("p").describe()["admission"]["lanes"]
        return int(lanes["default"]["running"])

    @policies.resilient("p")
    async def asynchronous() -> int:
        return sync()

    assert asyncio.run(asynchronous()) == 2
    with pytest.raises(QuotaExceededError):
        sync()
    with pytest.raises(QuotaExceededError):
        asyncio.run(asynchronous())
    breaker = policies.pipeline("p").breaker
    assert breaker is not None
    breaker.open()
    with pytest.raises(CircuitOpenError):
        asyncio.run(asynchronous())


FILE = """
version: 1
policies:
  p:
    deadline: {deadline}
    breaker: {{consecutive: 1, open_for: 1m}}
    quota: [{{rate: {rate}, burst: 1}}]
    admission: {{max_concurrent: {slots}}}
"""


def test_other_settings_are_taken_and_the_state_stays(tmp_path: Path) -> None:
    """After a reload the new settings hold; the send, the slot that is taken and the open breaker are not forgotten."""
    path, clock = tmp_path / "bot.yaml", FakeClock()
    path.write_text(FILE.format(deadline="500ms", rate="1/s", slots=1))
    policies = Policies.load(path, clock=clock)

    @policies.resilient("p")
    def reload(deadline: str, rate: str, slots: int) -> Any:
        path.write_text(FILE.format(deadline=deadline, rate=rate, slots=slots))
        policies.reload()
        return policies.pipeline("p").describe()

    told = reload("1s", "1/2s", 3)
    assert told["deadline"] == 1.0
    assert (told["quota"][0]["span"], told["quota"][0]["left"]) == (2.0, 0)
    assert told["admission"]["max_concurrent"] == 3
    assert told["admission"]["lanes"]["default"]["running"] == 1
    clock.advance(1.5)
    assert policies.pipeline("p").describe()["quota"][0]["left"] == 0
    clock.advance(0.5)
    breaker = policies.pipeline("p").breaker
    assert breaker is not None
    breaker.open()
    reload_again = policies.resilient("p")(lambda: None)
    policies.reload()
    with pytest.raises(CircuitOpenError):
        reload_again()
