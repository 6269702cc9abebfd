"""The modelled service: latency, capacity, and the effect of incidents on its requests."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from resilience import Policies, failure_of
from resilience.simulate import Errors, Incident, Limit, Service, UnavailableError, run_virtual


def burst(requests: int, **settings: Any) -> list[tuple[Any, float]]:
    """Send requests at the same instant; return the answer and the time of each."""

    async def main() -> list[tuple[Any, float]]:
        time = asyncio.get_running_loop().time
        service = Service(**{"capacity": 10, "latency": 0.1, "random": Random(1), **settings})

        async def one() -> tuple[Any, float]:
            try:
                return await service.send(), round(time(), 6)
            except Exception as error:
                return type(error), round(time(), 6)

        return await asyncio.gather(*(one() for _ in range(requests)))

    return run_virtual(main())


def test_it_queues() -> None:
    """Requests above the capacity queue, and a client without patience gets no answer."""
    assert burst(4, overload="queue") == [(200, 0.1), (200, 0.2), (200, 0.3), (200, 0.4)]
    assert burst(3, overload="queue", patience=0.25)[2] == (TimeoutError, 0.25)


def test_it_sheds() -> None:
    """A request that would wait too long is rejected at once and uses no capacity."""
    assert burst(5, longest_queue=0.25) == [
        (200, 0.1), (200, 0.2), (200, 0.3), (UnavailableError, 0.0), (UnavailableError, 0.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("hang", (TimeoutError, 1.0)), ("error", (UnavailableError, 0.1)), ("refuse", (UnavailableError, 0.0))],
)
def test_an_incident(kind: Any, expected: Any) -> None:
    """While an incident lasts a request hangs until the client's timeout, or fails, or is rejected at once."""
    assert burst(1, incidents=(Incident(start=0, end=5, kind=kind),)) == [expected]


def test_an_incident_of_a_share() -> None:
    """An incident affects a share of the requests, the same ones for the same seed."""
    incident = Incident(start=0, end=5, share=0.3, kind="refuse")
    settings: dict[str, Any] = {"capacity": 1e6, "latency": 0, "incidents": (incident,)}
    first = burst(1000, **settings)
    assert 250 < sum(kind is UnavailableError for kind, _ in first) < 350
    assert first == burst(1000, **settings)


def test_its_errors_are_those_of_an_http_client() -> None:
    """A 503 is retryable and may have been executed."""
    failure = failure_of(UnavailableError("it is full"))
    assert (failure.category, failure.code, failure.executed) == ("retryable", "503", "maybe")


def result(answer: Any) -> Any:
    """Return what a client delivers for an answer."""
    try:
        return answer.deliver()
    except Exception as error:
        return error


def answers(at: list[float], **settings: Any) -> list[tuple[float, Any]]:
    """Ask at these instants; return after how long each is answered, and what a client makes of it."""
    service = Service(**{"capacity": 100, "latency": 0.1, "random": Random(1), **settings})
    return [(round(after, 6), result(answer)) for after, answer in (service.ask(now) for now in at)]


def test_a_rate_limit() -> None:
    """What exceeds the last second's limit is answered 429 at once, with the wish; each client has its own."""
    service = Service(capacity=100, random=Random(1), limit=Limit(rate=2, retry_after=3))
    kinds = [service.ask(now, client)[1].status for now, client in ((0, 0), (0.5, 0), (0.9, 0), (0.9, 1), (1.0, 0))]
    assert kinds == [200, 200, 429, 200, 200]
    failure = failure_of(result(service.ask(1.1, 0)[1]))
    assert (failure.category, failure.code, failure.retry_after, failure.executed) == ("retryable", "429", 3.0, "no")


def test_a_limit_for_all_and_its_squeeze() -> None:
    """A limit may be shared by all clients, and an incident lowers it for a while."""
    squeeze = Incident(start=10, end=20, kind="squeeze", limit=1)
    service = Service(capacity=100, random=Random(1), limit=Limit(rate=2, per="all"), incidents=(squeeze,))
    requests = ((0, 0), (0, 1), (0, 2), (12, 0), (12.5, 1), (30, 0))
    kinds = [service.ask(now, client)[1].status for now, client in requests]
    assert kinds == [200, 200, 429, 200, 429, 200]


def test_slow_answers() -> None:
    """They take longer at once, or ever longer up to the end."""
    slow = Incident(start=10, end=20, kind="slow", latency=2.1)
    assert [after for after, _ in answers([5, 10, 15, 20], incidents=(slow,))] == [0.1, 2.1, 2.1, 0.1]
    ramp = Incident(start=10, end=20, kind="slow", latency=2.1, ramp=True)
    assert [after for after, _ in answers([5, 10, 15, 20], incidents=(ramp,))] == [0.1, 0.1, 1.1, 0.1]


def test_a_squeezed_capacity() -> None:
    """While it lasts each request keeps the service busy for longer."""
    squeeze = Incident(start=10, end=20, kind="squeeze", capacity=2)
    assert [after for after, _ in answers([10, 10], incidents=(squeeze,), overload="queue")] == [0.1, 0.6]


def test_codes_in_an_envelope() -> None:
    """An API with an envelope answers in its own words, which the real classifier sorts."""
    errors = Errors(registry="bitget", codes={"40725": 0.5, "43012": 0.5})
    bodies = [body for _, body in answers([0.0] * 200, errors=errors, longest_queue=9.0)]
    assert {one["code"] for one in bodies} == {"40725", "43012"}
    classifier = Policies.builtin().pipeline("bitget").classifier
    kinds = {one["code"]: classifier.classify(one).category for one in bodies}
    assert kinds == {"40725": "retryable", "43012": "user_fixable"}


def test_codes_without_an_envelope() -> None:
    """HTTP statuses are raised as such; other registries' codes as errors that carry them."""
    statuses = Errors(codes={"404": 1})
    (found,) = [error for _, error in answers([0.0], errors=statuses)]
    assert (failure_of(found).category, failure_of(found).http_status) == ("fatal", 404)
    (found,) = [error for _, error in answers([0.0], errors=Errors(registry="ccxt", codes={"BadSymbol": 1}))]
    classified = Policies.builtin().pipeline("ccxt").classifier.classify(found)
    assert (classified.code, classified.registry, classified.category) == ("BadSymbol", "ccxt", "user_fixable")


def test_errors_of_an_incident_have_their_time() -> None:
    """An incident's own codes are answered while it lasts, those of the scenario at all other times."""
    incident = Incident(start=10, end=20, kind="error", errors=Errors(codes={"404": 1}))
    found = answers([0, 10, 20], incidents=(incident,), errors=Errors(codes={"409": 1}))
    assert [error.status_code for _, error in found] == [409, 404, 409]
