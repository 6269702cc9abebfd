"""Tests of the public functions: what decorating and wrapping preserve, and the errors of wrong use."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

import resilience
from resilience import ApiError, CircuitOpenError, Policies, Policy, PolicyError, configure, failure_of, resilient, wrap
from resilience._entry import configured, epoch
from resilience.testing import FakeClock


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Each test begins with nothing configured, in an empty folder."""
    monkeypatch.setattr(configured, "_configured", None)
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.undo()
    epoch.start_new_epoch()


@resilient
def bare(a: int, *, b: str = "x") -> str:
    """Join both."""
    return f"{a}{b}"


class Bot:
    """A bot with every kind of method."""

    name = "bot"

    @resilient()
    def method(self, x: int) -> tuple[str, int]:
        """Do something."""
        return self.name, x

    @resilient(idempotent=True)
    async def amethod(self) -> str:
        return self.name

    @resilient
    @staticmethod
    def static(x: int) -> int:
        return x

    @classmethod
    @resilient
    def cls(cls) -> str:
        return cls.name


def test_what_decorating_preserves() -> None:
    """A decorated function keeps its name, documentation, signature and module, and whether it is async."""
    assert (bare.__name__, bare.__doc__, bare.__module__) == ("bare", "Join both.", __name__)
    assert str(inspect.signature(bare)) == "(a: 'int', *, b: 'str' = 'x') -> 'str'"
    assert bare(1, b="y") == "1y"
    assert inspect.iscoroutinefunction(Bot.amethod)
    assert not inspect.iscoroutinefunction(bare)


def test_methods_of_every_kind() -> None:
    """Plain, async, static and class methods work."""
    bot = Bot()
    assert bot.method(2) == ("bot", 2)
    assert asyncio.run(bot.amethod()) == "bot"
    assert (Bot.static(3), bot.static(3), Bot.cls()) == (3, 3, "bot")


@pytest.mark.parametrize("wrong", [5, None, object(), [1]])
def test_what_cannot_be_called_is_rejected(wrong: Any) -> None:
    """The decorator raises a clear TypeError."""
    for decorate in (resilient(), resilient("default")):
        with pytest.raises(TypeError, match="expected a function"):
            decorate(wrong)


def test_a_key_that_the_function_cannot_carry() -> None:
    """The decorator raises a TypeError that names the parameter."""
    with pytest.raises(TypeError, match="takes no keyword parameter 'client_id'"):
        resilient(key="client_id")(lambda symbol: symbol)


def test_an_unknown_policy() -> None:
    """The first call raises a PolicyError that lists the available names."""
    fn = resilient("tarde")(lambda: 1)
    with pytest.raises(PolicyError, match="no policy 'tarde'; available: bitget, bitget-ws, ccxt, default, http"):
        fn()


def test_configured_after_decoration(tmp_path: Path) -> None:
    """The policy is looked up at the first call and again after `configure`."""
    calls: list[int] = []

    @resilient("mine", idempotent=True)
    def flaky() -> None:
        calls.append(1)
        raise ConnectionRefusedError

    for attempts in (2, 4):
        path = tmp_path / f"bot{attempts}.yaml"
        retry = f"{{max_attempts: {attempts}, backoff: {{initial: 0}}}}"
        path.write_text(f"version: 1\npolicies: {{mine: {{retry: {retry}}}}}", encoding="utf-8")
        configure(path)
        calls.clear()
        with pytest.raises(ConnectionRefusedError):
            flaky()
        assert len(calls) == attempts


def test_where_policies_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default policies are those of the environment variable, else of ./resilience.yaml, else the built-ins."""
    assert configured.configured_policies().names == ("bitget", "bitget-ws", "ccxt", "default", "http")
    for name, where in (("here", "resilience.yaml"), ("there", "other.yaml")):
        (tmp_path / where).write_text(f"policies: {{{name}: {{}}}}", encoding="utf-8")
    monkeypatch.setattr(configured, "_configured", None)
    assert "here" in configured.configured_policies().names
    monkeypatch.setattr(configured, "_configured", None)
    monkeypatch.setenv("RESILIENCE_POLICIES", str(tmp_path / "other.yaml"))
    assert "there" in configured.configured_policies().names
    monkeypatch.setattr(configured, "_configured", None)
    monkeypatch.setenv("RESILIENCE_POLICIES", str(tmp_path / "none.yaml"))
    with pytest.raises(PolicyError, match=r"RESILIENCE_POLICIES names .*none\.yaml: cannot be read"):
        configured.configured_policies()


def test_a_wrong_source_leaves_what_was_configured() -> None:
    """A wrong source changes nothing."""
    good = configure({"policies": {"mine": {}}})
    with pytest.raises(PolicyError):
        configure({"policies": {"mine": {"deadlin": 1}}})
    with pytest.raises(TypeError, match="a path, a mapping or Policies"):
        configure(5)  # type: ignore[arg-type]
    assert configured.configured_policies() is good


def test_reload_keeps_breakers_and_rejects_wrong_files(tmp_path: Path) -> None:
    """A reload replaces policies and keeps an open breaker open; a wrong file changes nothing."""
    path = tmp_path / "bot.yaml"
    path.write_text("policies: {p: {breaker: {consecutive: 1, open_for: 5s}}}", encoding="utf-8")
    policies = Policies.load(path, clock=FakeClock())
    events: list[str] = []
    policies.subscribe(lambda event: events.append(event.name))
    with pytest.raises(ConnectionRefusedError):
        policies.resilient("p")(_refused)()
    path.write_text("policies: {p: {deadline: 9s, breaker: {consecutive: 1, open_for: 5s}}}", encoding="utf-8")
    policies.reload()
    assert policies.policy("p").deadline == 9.0
    with pytest.raises(CircuitOpenError):
        policies.resilient("p")(_refused)()
    path.write_text("policies: {p: {deadline: never}}", encoding="utf-8")
    with pytest.raises(PolicyError):
        policies.reload()
    assert policies.policy("p").deadline == 9.0
    assert [name for name in events if name.startswith("policy")] == ["policy_reloaded", "policy_rejected"]


def _refused() -> None:
    raise ConnectionRefusedError


class Client:
    """A client of a user."""

    base = "https://x"

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.entered = False

    def __enter__(self) -> Self:
        self.entered = True
        return self

    def __exit__(self, *_error: object) -> None:
        self.entered = False

    def __len__(self) -> int:
        return 7

    def fetch_ticker(self, symbol: str) -> str:
        """Read."""
        self.calls.append(symbol)
        if len(self.calls) < 3:
            raise TimeoutError
        return symbol

    async def create_order(self, symbol: str, params: dict[str, Any] | None = None) -> Any:
        """Write."""
        self.calls.append(params)
        if len(self.calls) < 2:
            raise ConnectionRefusedError
        return params

    def pages(self) -> Iterator[int]:
        yield from (1, 2)


def test_a_proxy_passes_for_the_client() -> None:
    """`isinstance`, attributes, context managers, `len` and generators work as before."""
    client = Client()
    with wrap(client) as wrapped:
        assert client.entered
        assert isinstance(wrapped, Client)
        assert (wrapped.base, len(wrapped), list(wrapped.pages())) == ("https://x", 7, [1, 2])
        wrapped.base = "https://y"
        assert client.base == "https://y"
        assert inspect.iscoroutinefunction(wrapped.create_order)
        with pytest.raises(AttributeError):
            _ = wrapped.nothing
    assert not client.entered


def test_operations_by_glob() -> None:
    """Globs give methods their policy, their retry safety and the parameter of their key."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 3}}}}, clock=FakeClock())
    operations = {"fetch_*": {"idempotent": True}, "create_*": {"key": "params.clientOrderId"}}
    client = wrap(Client(), "p", policies=policies, operations=operations)
    assert client.fetch_ticker("BTC") == "BTC"
    client.calls.clear()
    params = asyncio.run(client.create_order("BTC"))
    assert len(params["clientOrderId"]) == 32
    assert client.calls == [params, params]
    given = {"a": 1}
    assert asyncio.run(client.create_order("BTC", given))["a"] == 1
    assert given == {"a": 1}


def test_a_path_is_no_outbox() -> None:
    """The error says what to write, when the client is wrapped and not at the first order."""
    with pytest.raises(TypeError, match=r"write outbox=Outbox\('orders.db'\)"):
        wrap(Client(), outbox="orders.db")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, Client, print, "binance"])
def test_what_is_no_client(wrong: Any) -> None:
    """A class, a function, a string or None raises a clear TypeError."""
    with pytest.raises(TypeError, match="wrap takes a client object"):
        wrap(wrong)


def test_wrong_operations() -> None:
    """The TypeError names an unknown option."""
    with pytest.raises(TypeError, match=r"unknown polici; allowed"):
        wrap(Client(), operations={"*": {"polici": "x"}})
    with pytest.raises(TypeError, match="a policy's name or a mapping"):
        wrap(Client(), operations={"*": 5})


@pytest.mark.parametrize(
    "error",
    [
        CircuitOpenError("open", policy="p", operation="o", retry_after=1.0, retry_at=2.0),
        ApiError("43012", "Insufficient balance", {"code": "43012"}),
        PolicyError("bad"),
    ],
)
def test_our_errors_pickle_and_copy(error: Exception) -> None:
    """A pickled or copied error has the same type, text and attributes."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(other), str(other), vars(other)) == (type(error), str(error), vars(error))


def test_refusals_of_requests_pickle_and_are_requests_errors() -> None:
    """Users of requests catch rejections as RequestException."""
    import requests

    from resilience.integrations.requests import REJECTION_TYPES

    for base, subclass in REJECTION_TYPES.items():
        error = subclass("refused", policy="p", retry_after=1.0)
        other = pickle.loads(pickle.dumps(error))
        assert isinstance(other, base)
        assert isinstance(other, requests.RequestException)
        assert (other.policy, other.retry_after) == ("p", 1.0)


def test_importing_costs_nothing_heavy() -> None:
    """Neither third-party libraries nor asyncio are imported before they are needed."""
    program = (
        "import sys, resilience\n"
        "from resilience import *\n"
        "heavy = {'tenacity', 'pybreaker', 'structlog', 'requests', 'pydantic', 'pydantic_core', 'yaml', 'asyncio'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_all_names_are_there() -> None:
    """Every public name can be imported; an unknown one is an AttributeError."""
    for name in resilience.__all__:
        assert getattr(resilience, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = resilience.nothing


def test_a_policy_in_python() -> None:
    """A `Policy` may be given instead of a name."""
    clock = FakeClock()
    policies = Policies.builtin(clock=clock)
    policy = Policy(name="mine", retry={"max_attempts": 2, "backoff": {"initial": "1s", "jitter": "none"}})  # type: ignore[arg-type]
    tries: list[int] = []

    @resilient(policy, policies=policies)
    def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionRefusedError
        return "fine"

    assert flaky() == "fine"
    assert clock.sleeps == [1.0]


def test_describe_and_the_breaker_by_hand() -> None:
    """`describe` returns plain data, and the breaker can be isolated and closed by hand."""
    pipeline = Policies.builtin(clock=FakeClock()).pipeline("default")
    description = pipeline.describe()
    assert (description["policy"], description["max_attempts"]) == ("default", 3)
    assert (description["breaker"]["key"], description["breaker"]["state"], description["breaker"]["failure_rate"]) == (
        "default",
        "closed",
        0.8,
    )
    breaker = pipeline.breaker
    assert breaker is not None
    breaker.isolate()
    with pytest.raises(CircuitOpenError) as caught:
        pipeline.call(lambda: 1)
    assert caught.value.retry_after is None
    assert breaker.state == pipeline.describe()["breaker"]["state"] == "isolated"
    breaker.close()
    assert pipeline.call(lambda: 1) == 1


def test_failure_of_anything() -> None:
    """An error that no pipeline has seen is classified by its type."""
    assert failure_of(ConnectionResetError()).executed == "maybe"
    assert failure_of(object()).category in ("retryable", "fatal", "user_fixable")
