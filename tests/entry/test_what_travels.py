"""Errors, functions and policies that leave the process: as JSON, pickled, by cloudpickle and dill, and as copies."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from resilience import CircuitOpenError, Pipeline, Policies, Policy, failure_of, resilient, wrap

pytestmark = pytest.mark.slow

FILE = "version: 1\npolicies: {p: {extends: default, retry: {max_attempts: 2, backoff: {initial: 1ms, max: 2ms}}}}\n"
POLICIES = Policies.from_mapping({"policies": {"p": {"retry": None}}})


class OwnError(Exception):
    """An error of the program's own class."""


@POLICIES.resilient("p")
def order(error: Exception) -> None:
    """Fail."""
    raise error


def failed(error: Exception) -> Exception:
    """Return the error as a call under a policy has raised it."""
    with pytest.raises(type(error)) as caught:
        order(error)
    return caught.value


def run_python(program: str) -> str:
    """Run a program in a process of its own and return what it prints."""
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


ERRORS = [requests.ConnectionError("reset"), requests.ReadTimeout("slow"), OwnError("odd"), KeyError("id"), OSError(5)]


@pytest.mark.parametrize(
    "error", [one for one in ERRORS if type(one) is not OwnError], ids=lambda one: type(one).__name__
)
def test_the_programs_own_error_is_read_without_this_library(error: Exception) -> None:
    """It unpickles where nothing named resilience can be imported."""
    data = pickle.dumps(failed(error))
    printed = run_python(
        f"""
        import sys
        sys.modules["resilience"] = None
        import pickle
        error = pickle.loads({data!r})
        print(type(error).__name__, vars(error)["__resilience__"]["failure"]["executed"])
        """
    )
    assert printed == f"{type(error).__name__} {failure_of(error).executed}"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("indent", [None, 2])
def test_attributes_of_an_error_are_json(error: Exception, indent: int | None) -> None:
    """`json.dumps(vars(error))` works, and says what the error means."""
    read = json.loads(json.dumps(vars(failed(error)), indent=indent))["__resilience__"]
    failure = failure_of(error)
    assert read["failure"]["category"] == failure.category
    assert read["failure"].get("executed", "maybe") == failure.executed
    assert read["gave_up"] is True


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_is_known_of_an_error_survives_two_journeys(protocol: int) -> None:
    """`failure_of` gives the same where the error was unpickled, and where that was pickled once more."""
    error = failed(requests.ReadTimeout("slow"))
    there = pickle.loads(pickle.dumps(error, protocol))
    back = pickle.loads(pickle.dumps(there, protocol))
    assert failure_of(there) == failure_of(back) == failure_of(error)
    assert failure_of(error).attempts == 1


def test_items_and_broken_lookups_travel_as_text() -> None:
    """What a broken reconciler returned may be any object; its class travels."""

    @POLICIES.resilient("p", key="key", reconcile=lambda call: object())
    def write(key: str) -> None:
        raise requests.ReadTimeout("slow")

    with pytest.raises(requests.ReadTimeout) as caught:
        write(key="k-1")
    there = failure_of(pickle.loads(pickle.dumps(caught.value)))
    assert (there.key, there.executed, there.lookup_error) == ("k-1", "maybe", "object")


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {"failure": 5, "gave_up": True}, {"failure": {}}])
def test_a_record_that_is_none_is_not_read(value: Any) -> None:
    """A foreign attribute of that name, or one of another version, is ignored."""
    error = requests.ReadTimeout("slow")
    error.__resilience__ = value
    assert failure_of(error).category == "retryable"


def test_our_own_errors_travel() -> None:
    """A rejection is read where the library is."""
    rejection = CircuitOpenError(policy="p", operation="poll", retry_after=2.0)
    there = pickle.loads(pickle.dumps(rejection))
    assert (type(there), there.retry_after, failure_of(there).executed) == (CircuitOpenError, 2.0, "no")


PROGRAM = """
    import asyncio, sys
    import requests
    import {module}
    from resilience import Policies, configure, failure_of, resilient

    policies = Policies.load({path!r})
    configure(policies)

    @policies.resilient("p")
    def write():
        import requests
        raise requests.ReadTimeout("slow")

    @resilient(idempotent=True)
    def double(x):
        return 2 * x

    @policies.resilient("p", idempotent=True)
    async def answer():
        return 42

    class Bot:
        rate = 3

        @policies.resilient("p")
        def price(self, n):
            return n * self.rate

    def use():
        try:
            write()
        except requests.ReadTimeout:
            pass
        double(1), asyncio.run(answer()), Bot().price(1)

    if {used}:
        use()
    sys.stdout.buffer.write({module}.dumps((write, double, answer, Bot, Bot().price, policies.pipeline("p"))))
"""


@pytest.mark.parametrize("used", [False, True], ids=["before the first call", "after it"])
@pytest.mark.parametrize("module", ["cloudpickle", "dill"])
def test_decorated_functions_travel(module: str, used: bool, tmp_path: Path) -> None:
    """They run in another process under the same settings, with a state of its own; `configure` there is followed."""
    pytest.importorskip(module)
    path = tmp_path / "bot.yaml"
    path.write_text(FILE)
    program = textwrap.dedent(PROGRAM.format(module=module, path=str(path), used=used))
    (tmp_path / "program.py").write_text(program)
    sent = subprocess.run([sys.executable, str(tmp_path / "program.py")], capture_output=True, check=False)
    assert sent.returncode == 0, sent.stderr.decode()
    path.unlink()  # the settings came along
    printed = run_python(
        f"""
        import asyncio, {module}
        from resilience import configure, failure_of
        write, double, answer, Bot, price, pipeline = {module}.loads({sent.stdout!r})
        try:
            write()
        except Exception as error:
            print(failure_of(error).executed, failure_of(error).operation)
        print(double(4), asyncio.run(answer()), Bot().price(2), price(5), pipeline.call(len, "abc"))
        configure({{"policies": {{"default": {{"deadline": "1ms"}}}}}})
        print(double.__wrapped__(4), double(4))
        """
    )
    assert printed.splitlines()[-3:] == ["maybe write", "8 42 6 15 3", "8 8"]


def test_a_copy_of_policies_is_the_same_object() -> None:
    """Two would have two opinions of one service, and twice its quota."""
    pipeline = POLICIES.pipeline("p")
    for make in (copy.copy, copy.deepcopy):
        assert make(POLICIES) is POLICIES
        assert make(pipeline) is pipeline
        assert make({"settings": [POLICIES]})["settings"] == [POLICIES]


def test_policies_are_pickled_with_their_settings() -> None:
    """Breakers and quotas stay in their process."""
    policies = Policies.from_mapping({"policies": {"p": {"breaker": {"consecutive": 1}, "retry": None}}})
    pipeline = policies.pipeline("p")
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    there, pipeline_there = pickle.loads(pickle.dumps((policies, pipeline)))
    assert there.policy("p") == policies.policy("p")
    assert there.names == policies.names
    assert pipeline_there.breaker.state == "closed"
    assert pipeline_there.breaker is there.pipeline("p").breaker


def test_a_pipeline_of_its_own_says_why_it_is_not_pickled() -> None:
    """It has no settings by name that another process could read."""
    with pytest.raises(TypeError, match="stay in their process: pickle the Policies"):
        pickle.dumps(Pipeline(Policy()))


class Client:
    """A client of the program's own."""

    def get(self) -> int:
        """Return an answer."""
        return 1


WRAPPED: dict[str, Callable[[], Any]] = {
    "requests": lambda: wrap(requests.Session()),
    "httpx": lambda: wrap(httpx.Client()),
    "httpx async": lambda: wrap(httpx.AsyncClient()),
    "own": lambda: wrap(Client()),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_a_wrapped_client_is_not_copied_into_a_bare_one(kind: str) -> None:
    """A deep copy or a pickle of it says what to do; a copy is under the policy too, or refused."""
    client = WRAPPED[kind]()
    for make in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="copy or pickle the client itself and wrap it again"):
            make(client)
    if kind == "own":
        assert repr(copy.copy(client)).startswith("<resilient ")
    else:
        with pytest.raises(TypeError, match="wrap it again"):
            copy.copy(client)


def test_a_decorated_function_of_a_module_is_pickled_by_its_name() -> None:
    """As any function is."""
    assert pickle.loads(pickle.dumps(order)) is order
    assert copy.deepcopy(order) is order


@resilient
def module_level() -> int:
    """Return an answer."""
    return 5


def test_a_bare_decorator_too() -> None:
    """Before and after the first call."""
    before = pickle.dumps(module_level)
    assert module_level() == 5
    assert pickle.loads(before) is pickle.loads(pickle.dumps(module_level)) is module_level
