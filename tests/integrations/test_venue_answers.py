"""Answers of eight exchanges through `requests`: each means what it should, under a policy that lists their table."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from resilience import Failure, Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.server import Server
from tests.integrations.venue_answers import VENUES, VenueAnswer, answers_of, name_of

ANSWERS = [
    pytest.param(answer, id=name_of(number, answer))
    for venue in VENUES
    for number, answer in enumerate(answers_of(venue), 1)
]
KEY = "0123456789abcdef0123456789abcdef"


def look_up(_call: Any) -> Any:
    """Fail as a lookup does that gets no answer."""
    raise TimeoutError


def operation(answer: VenueAnswer) -> dict[str, Any]:
    """Return what is known of the request: of a write that seems to have succeeded only a lookup can tell more."""
    if answer.is_unproven_success and not answer.read:
        return {"key": "X-Key", "reconcile": look_up}
    return {"idempotent": True} if answer.read else {}


def failure_to(answer: VenueAnswer) -> Failure | None:
    """Send the request, play the answer, and return the failure that the policy sees; None for a success."""
    events: list[Any] = []
    policy = {"codes": [answer.venue, "http"], "deadline": "60s", "retry": None, "breaker": None}
    policies = Policies.from_mapping({"version": 1, "policies": {"p": policy}}, clock=FakeClock())
    policies.subscribe(events.append)
    headers = {"X-Key": KEY} if answer.is_unproven_success else {}
    with Server(answer.behaviour) as server, requests.Session() as plain:
        # By a proxy, because of some exchanges the host tells what a code means.
        plain.proxies, plain.trust_env = {"http": server.url}, False
        session = wrap(plain, "p", operations={"*": operation(answer)}, policies=policies)
        try:
            outcome: Any = session.request(answer.method, answer.url, headers=headers)
        except Exception as error:
            outcome = error
    return failure_of(outcome) if any(event.name == "attempt_failed" for event in events) else None


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_means_what_it_should(answer: VenueAnswer) -> None:
    """Category and `executed` are those of the row of its code, of its status, or of an answer that proves nothing."""
    failure = failure_to(answer)
    if failure is None:
        assert (answer.category, answer.executed) == ("", "n_a")
        return
    if answer.batch:
        assert failure.executed == "maybe"  # the other part was accepted
        (failure,) = failure.items
    # A read has no effect, unless the answer asks the client to stay away.
    expected = "n_a" if answer.method == "GET" and failure.hint != "hold" else answer.executed
    assert (failure.category, failure.executed) == (answer.category, expected)
    assert failure.known or not answer.code or answer.why
