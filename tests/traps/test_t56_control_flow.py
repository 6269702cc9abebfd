"""An exception by which a framework steers its program is taken for a failure: the task is published twice."""

from __future__ import annotations

import concurrent.futures
import unittest
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tenacity import Retrying, stop_after_attempt

from resilience import Found, Pipeline, Policies, Policy, PolicyError, failure_of
from resilience.testing import FakeClock
from tests.conftest import Driver

SETTINGS: dict[str, Any] = {"retry": {"max_attempts": 3}, "breaker": {"consecutive": 3}}


def kind(path: str, base: type[Exception] = Exception) -> type[Exception]:
    """Return a class like that of a package which need not be installed."""
    module, _, name = path.rpartition(".")
    return type(name, (base,), {"__module__": module})


class Stop(Exception):
    """The bot's own control flow."""


PREDICATE = kind("celery.exceptions.TaskPredicate")
STEERING: list[type[Exception]] = [
    kind("celery.exceptions.Retry", PREDICATE),
    kind("celery.exceptions.Ignore", PREDICATE),
    kind("celery.exceptions.Reject", PREDICATE),
    kind("my_tasks.flow.Later", kind("celery.exceptions.Retry", PREDICATE)),
    kind("billiard.exceptions.SoftTimeLimitExceeded"),
    kind("django.http.response.Http404"),
    kind("django.core.exceptions.PermissionDenied"),
    web.HTTPFound,
    web.HTTPNotFound,
    unittest.SkipTest,
    concurrent.futures.CancelledError,
    StopIteration,
]


def raised(error: type[Exception]) -> Exception:
    """Return an instance."""
    return error("/there") if issubclass(error, web.HTTPFound) else error()


def test_naive() -> None:
    """Tenacity repeats celery's `Retry`, which has published the task already."""
    published: list[int] = []

    def publish() -> None:
        published.append(1)
        raise raised(STEERING[0])

    with pytest.raises(STEERING[0]):
        Retrying(stop=stop_after_attempt(2), reraise=True)(publish)
    assert len(published) == 2


@pytest.mark.parametrize("error", STEERING, ids=lambda one: one.__name__)
def test_ours(driver: Driver, error: type[Exception]) -> None:
    """It is raised once, unchanged and without a note; no breaker counts it, and no event reports it."""
    if error is StopIteration and driver.kind != "sync":
        pytest.skip("Python turns it into a RuntimeError")
    events: list[Any] = []
    runs: list[int] = []
    pipeline = Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True, listeners=[events.append])

    def steer() -> None:
        runs.append(1)
        raise raised(error)

    for _ in range(3):
        with pytest.raises(error) as caught:
            driver.call(pipeline.compile(driver.function(steer)))
        assert not getattr(caught.value, "__notes__", [])
    assert len(runs) == 3
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"
    assert events == []


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (499, 1), (500, 3), (503, 3)])
@pytest.mark.parametrize("path", ["starlette.exceptions.HTTPException", "werkzeug.exceptions.HTTPException"])
def test_an_answer_of_ones_own_server(path: str, status: int, attempts: int) -> None:
    """Starlette's and Werkzeug's exceptions are control flow below 500, subclasses such as FastAPI's too."""
    name = "status_code" if path.startswith("starlette") else "code"
    error = type("HTTPException", (kind(path),), {"__module__": "fastapi.exceptions", name: status})
    runs: list[int] = []

    def steer() -> None:
        runs.append(1)
        raise error

    with pytest.raises(error):
        Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).call(steer)
    assert len(runs) == attempts


@pytest.mark.parametrize("added", [[Stop], [f"{__name__}.Stop"]])
def test_a_class_of_ones_own(driver: Driver, added: list[Any]) -> None:
    """One setting adds a class, or the path that Python prints; the known ones stay."""
    pipeline = Pipeline(Policy(**SETTINGS, pass_through=added), clock=FakeClock(), idempotent=True)
    for error in (Stop, STEERING[0]):
        runs: list[int] = []

        def steer(error: type[Exception] = error, runs: list[int] = runs) -> None:
            runs.append(1)
            raise error

        with pytest.raises(error):
            driver.call(pipeline.compile(driver.function(steer)))
        assert runs == [1]


def test_a_class_in_a_policy_file(tmp_path: Path) -> None:
    """A policy file names it, under any path from which it can be imported, and other policies inherit it."""
    file = tmp_path / "p.yaml"
    file.write_text(
        "policies: {p: {retry: {max_attempts: 3}, pass_through: [concurrent.futures.BrokenExecutor]}, q: {extends: p}}"
    )
    runs: list[int] = []

    @Policies.load(file).resilient("q", idempotent=True)
    def steer() -> None:
        runs.append(1)
        raise concurrent.futures.BrokenExecutor

    with pytest.raises(concurrent.futures.BrokenExecutor):
        steer()
    assert runs == [1]


@pytest.mark.parametrize("wrong", [int, KeyboardInterrupt, 3, "my bot", "", "a..B"])
def test_something_that_is_no_class(wrong: Any) -> None:
    """What is neither an exception class nor a path is an error of the policy."""
    with pytest.raises(PolicyError, match=r"pass_through\[0\]: expected an exception class"):
        Policy(pass_through=[wrong])


def test_a_keyed_write_that_was_stopped(driver: Driver) -> None:
    """A soft time limit in the middle of an order leaves it unknown: the error has the key."""
    error = STEERING[4]
    events: list[Any] = []
    look_up = driver.function(lambda _: Found("never asked"))
    pipeline = Pipeline(Policy(**SETTINGS), clock=FakeClock(), key="key", reconcile=look_up, listeners=[events.append])

    def order(*, key: str | None = None) -> None:
        raise error

    with pytest.raises(error) as caught:
        driver.call(pipeline.compile(driver.function(order)), key="mine-1")
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key) == ("maybe", "mine-1")
    assert [event.name for event in events] == ["call_abandoned"]


def test_a_time_limit_during_a_lookup(driver: Driver) -> None:
    """It ends the call: a lookup is not repeated after it."""
    error = STEERING[4]
    lookups: list[int] = []

    def look_up(_call: Any) -> Any:
        lookups.append(1)
        raise error

    pipeline = Pipeline(Policy(**SETTINGS), clock=FakeClock(), key="key", reconcile=driver.function(look_up))

    def order(*, key: str | None = None) -> None:
        raise TimeoutError

    with pytest.raises(error) as caught:
        driver.call(pipeline.compile(driver.function(order)), key="mine-1")
    assert lookups == [1]
    assert (failure_of(caught.value).executed, failure_of(caught.value).key) == ("maybe", "mine-1")


def test_no_fallback_covers_it(driver: Driver) -> None:
    """A fallback returns nothing in its place."""
    policy = Policy(fallback={"value": "stale", "on": ["fatal", "retryable"]})
    pipeline = Pipeline(policy, clock=FakeClock(), idempotent=True, operation="x")

    def steer() -> None:
        raise STEERING[5]

    with pytest.raises(STEERING[5]):
        driver.call(pipeline.compile(driver.function(steer)))


def test_a_group_of_it() -> None:
    """A group is control flow if all its members are."""
    runs: list[int] = []

    def steer(*members: Exception) -> None:
        runs.append(1)
        raise ExceptionGroup("of tasks", members)

    pipeline = Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True)
    for members, attempts in (([raised(STEERING[5])], 1), ([raised(STEERING[5]), ConnectionRefusedError()], 2)):
        runs.clear()
        with pytest.raises(ExceptionGroup):
            pipeline.call(steer, *members)
        assert len(runs) == attempts
