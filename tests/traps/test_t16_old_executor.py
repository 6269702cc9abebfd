"""Registering a policy again keeps the old executor, and sync and async users of one name get two breakers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Policies, QuotaExceededError
from resilience.testing import FakeClock


class Registry:
    """A registry as found in the field: it keeps executors by name and by sync or async, and never replaces them."""

    def __init__(self) -> None:
        self.executors: dict[Any, dict[str, Any]] = {}

    def executor(self, name: str, settings: dict[str, Any], *, asynchronous: bool) -> dict[str, Any]:
        """Return the executor of a name."""
        return self.executors.setdefault((name, asynchronous), dict(settings))


def test_naive() -> None:
    """New settings are ignored, and sync and async users share nothing."""
    registry = Registry()
    first = registry.executor("p", {"attempts": 1}, asynchronous=False)
    assert registry.executor("p", {"attempts": 5}, asynchronous=False)["attempts"] == 1
    assert registry.executor("p", {"attempts": 1}, asynchronous=True) is not first


def test_sync_and_async_share_breaker_quota_and_slots() -> None:
    """The calls of a sync user count for the async user of the same policy."""
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


def test_new_settings_apply_and_the_state_stays(tmp_path: Path) -> None:
    """After a reload the new settings apply; consumed quota, taken slots and the open breaker stay."""
    path, clock = tmp_path / "bot.yaml", FakeClock()
    path.write_text(FILE.format(deadline="500ms", rate="1/s", slots=1))
    policies = Policies.load(path, clock=clock)

    @policies.resilient("p")
    def reload(deadline: str, rate: str, slots: int) -> Any:
        path.write_text(FILE.format(deadline=deadline, rate=rate, slots=slots))
        policies.reload()
        return policies.pipeline("p").describe()

    description = reload("1s", "1/2s", 3)
    assert description["deadline"] == 1.0
    assert (description["quota"][0]["span"], description["quota"][0]["left"]) == (2.0, 0)
    assert description["admission"]["max_concurrent"] == 3
    assert description["admission"]["lanes"]["default"]["running"] == 1
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
