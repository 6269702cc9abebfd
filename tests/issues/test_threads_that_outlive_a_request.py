"""A thread that a hook of requests starts outlives the attempt: it was refused for ever, or sent past its policy."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest
import requests

from resilience import Policies, wrap
from resilience.testing import FakeClock
from tests.conftest import ScriptedApi

POLICY: dict[str, Any] = {
    "codes": ["http"],
    "deadline": "30s",
    "retry": {"max_attempts": 3, "backoff": {"initial": "1s"}},
}


def start_inside(session: Any, url: str, clock: FakeClock, later: Callable[[], object]) -> None:
    """Run a function in the context of an attempt, long after that has ended."""
    contexts: list[Any] = []
    session.get(url, hooks={"response": lambda *_args, **_kwargs: contexts.append(copy_context())})
    clock.advance(100.0)
    thread = threading.Thread(target=contexts[0].run, args=(later,))
    thread.start()
    thread.join()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock."""
    return FakeClock()


def policies(clock: FakeClock) -> Policies:
    """Return policies with one named `p`."""
    return Policies.from_mapping({"policies": {"p": POLICY}}, clock=clock)


def test_a_prepared_request_is_a_call_of_its_own(api: ScriptedApi, clock: FakeClock) -> None:
    """It is retried under the policy, as if it had been sent from elsewhere."""
    api.on("/first", {})
    api.on("/later", (503, "down"), (503, "down"), {})
    seen: list[int] = []
    with wrap(requests.Session(), "p", policies=policies(clock)) as session:
        request = requests.Request("GET", f"{api.rest}/later").prepare()
        start_inside(session, f"{api.rest}/first", clock, lambda: seen.append(session.send(request).status_code))
    assert seen == [200]
    assert len(api.sent_to("/later")) == 3


def test_the_original_session_may_still_be_read(api: ScriptedApi, clock: FakeClock) -> None:
    """It shares its connections with the wrapped one, and has no limit of an attempt that is over."""
    api.on("/first", {})
    api.on("/later", {})
    seen: list[int] = []
    with requests.Session() as raw:
        session = wrap(raw, "p", policies=policies(clock))
        later = f"{api.rest}/later"
        start_inside(session, f"{api.rest}/first", clock, lambda: seen.append(raw.get(later).status_code))
    assert seen == [200]
