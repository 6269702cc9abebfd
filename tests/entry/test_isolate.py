"""The kill switch of `Policies`: what it rejects, what passes, where it comes from and how it ends."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from resilience import NOT_FOUND, CircuitOpenError, Found, Pipeline, Policies, Policy, PolicyError, failure_of
from resilience.testing import FakeClock, recorded_events
from tests.conftest import Driver

QUICK = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}}


def policies(**policy: Any) -> Policies:
    """Return policies with one named `p`, on a clock of their own."""
    return Policies.from_mapping({"policies": {"p": {"retry": QUICK, **policy}}}, clock=FakeClock())


def test_every_call_is_rejected_until_the_release(driver: Driver) -> None:
    """The error says by whom and why; the events count what was rejected; the release returns how much it lifted."""
    rules = policies()
    call = rules.resilient("p", operation="read")(driver.function(lambda: "done"))
    with recorded_events(rules) as events:
        rules.isolate("p", reason="the strategy is wrong")
        for _ in range(2):
            with pytest.raises(CircuitOpenError, match="policy 'p' is isolated by hand, nothing was sent: the strat"):
                driver.call(call)
        assert rules.release("p") == 1
        assert rules.release("p") == 0
    assert driver.call(call) == "done"
    named = {event.name: event for event in events}
    assert (named["circuit_isolated"].policy, named["circuit_isolated"].by) == ("p", "hand")
    assert (named["circuit_released"].refused, named["circuit_released"].reason) == (2, "the strategy is wrong")
    assert named["call_rejected"].reason == "isolated"


def test_the_error_travels() -> None:
    """It has the fields of every rejection, pickled too."""
    rules = policies()
    rules.isolate(reason="maintenance")
    with pytest.raises(CircuitOpenError) as caught:
        rules.pipeline("p").call(len, "abc")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.reason, error.policy, error.retry_after) == ("isolated", "p", None)
    assert failure_of(error).executed == "no"


def test_a_policy_without_breaker_is_isolated_too(driver: Driver) -> None:
    """The switch needs none, and one of another policy stays as it was."""
    rules = Policies.from_mapping({"policies": {"p": {"breaker": "off"}, "q": {}}})
    rules.isolate("p")
    call = rules.resilient("p")(driver.function(lambda: 1))
    with pytest.raises(CircuitOpenError):
        driver.call(call)
    assert driver.call(rules.resilient("q")(driver.function(lambda: 2))) == 2


def test_a_retry_under_way_is_not_sent(driver: Driver) -> None:
    """The call ends with the API's own error, and the rejection is its cause."""
    rules = policies()
    sent = []

    def api() -> None:
        sent.append(1)
        rules.isolate("p", reason="stop")
        raise ConnectionError("down")

    with pytest.raises(ConnectionError) as caught:
        driver.call(rules.resilient("p", idempotent=True)(driver.function(api)))
    assert len(sent) == 1
    assert isinstance(caught.value.__cause__, CircuitOpenError)
    assert caught.value.__cause__.reason == "isolated"


def test_a_call_that_waits_for_its_quota_is_not_sent(driver: Driver) -> None:
    """What waits is asked again when the wait ends."""
    rules = policies(quota=[{"rate": "1/10s", "burst": 1}], deadline="60s")
    call = rules.resilient("p")(driver.function(lambda: rules.isolate("p")))
    driver.call(call)
    with pytest.raises(CircuitOpenError, match="isolated"):
        driver.call(call)


@pytest.mark.parametrize("found", [True, False])
def test_lookups_of_uncertain_writes_are_sent(driver: Driver, found: bool) -> None:
    """It may use calls under the same policy, which may use others; the write itself is not sent again."""
    rules = policies(reconcile={"early_checks": 1, "wait": "1s", "fence": "5s"}, deadline="60s")
    sent, asked = [], []

    def send(client_id: str = "") -> None:
        sent.append(client_id)
        rules.isolate("p", reason="stop")
        raise TimeoutError("no answer")

    inner = rules.resilient("p", operation="fetch", idempotent=True)(driver.function(lambda: asked.append(1)))
    if driver.kind == "sync":
        outer = rules.resilient("p", operation="ask", idempotent=True)(inner)
        reconcile: Any = lambda call: (outer(), Found("there") if found else NOT_FOUND)[1]  # noqa: E731
    else:

        async def ask() -> None:
            await inner()

        outer = rules.resilient("p", operation="ask", idempotent=True)(ask)

        async def reconcile(call: Any) -> Any:
            await outer()
            return Found("there") if found else NOT_FOUND

    place = rules.resilient("p", operation="create_order", key="client_id", reconcile=reconcile)(driver.function(send))
    if found:
        assert driver.call(place) == "there"
    else:
        with pytest.raises(TimeoutError) as caught:
            driver.call(place)
        assert failure_of(caught.value).executed == "no"
        assert getattr(caught.value.__cause__, "reason", "") == "isolated"
    assert (len(sent), asked != []) == (1, True)


def test_pure_cancels_pass_where_it_says_so(driver: Driver) -> None:
    """An edit does not, and without `cancels` neither does."""
    rules = policies()
    names = ("cancel_order", "edit_order", "cancel_replace", "create_order")

    def outcomes() -> list[str]:
        made = []
        for name in names:
            try:
                made.append(driver.call(rules.resilient("p", operation=name)(driver.function(lambda: "sent"))))
            except CircuitOpenError as error:
                made.append(error.reason)
        return made

    rules.isolate(cancels=True)
    assert outcomes() == ["sent", "isolated", "isolated", "isolated"]
    rules.isolate()
    assert outcomes() == ["isolated"] * 4


def test_one_of_all_ends_only_with_all() -> None:
    """The release of one policy lifts what was isolated by its name alone."""
    rules = policies()
    rules.isolate()
    rules.isolate("p")
    assert rules.release("p") == 1
    with pytest.raises(CircuitOpenError, match="every policy is isolated"):
        rules.pipeline("p").call(len, "")
    assert rules.release() == 1
    assert rules.pipeline("p").call(len, "abc") == 3


@pytest.mark.parametrize("call", ["isolate", "release"])
def test_an_unknown_policy(call: str) -> None:
    """It is an error that lists the names, and nothing is switched."""
    rules = policies()
    with pytest.raises(PolicyError, match=r"no policy 'bitgat'.*did you mean 'bitget'"):
        getattr(rules, call)("bitgat")
    assert rules.snapshot()["isolated"] == []


def test_a_reason_that_is_no_text() -> None:
    """It is refused where it is given."""
    with pytest.raises(TypeError, match="reason: expected a string, got int"):
        policies().isolate("p", reason=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cancels: expected True or False, got str"):
        policies().isolate("p", cancels="no")  # type: ignore[arg-type]


def write(path: Path, text: str) -> Path:
    """Write a policy file."""
    path.write_text(text)
    return path


def is_isolated(rules: Policies, policy: str = "p") -> bool:
    """Return whether a call under a policy is rejected for that."""
    try:
        rules.pipeline(policy).call(len, "")
    except CircuitOpenError as error:
        return error.reason == "isolated"
    return False


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nisolated: moving house\npolicies: {p: {}}\n",
        "version: 1\npolicies: {p: {isolated: moving house}}\n",
    ],
)
def test_a_file_isolates_from_the_start(tmp_path: Path, text: str) -> None:
    """At the top level or in a policy; a release lifts it, and a reload of the same words does not bring it back."""
    path = write(tmp_path / "bot.yaml", text)
    rules = Policies.load(path)
    assert is_isolated(rules)
    assert [one["by"] for one in rules.snapshot()["isolated"]] == ["policy"]
    rules.release()
    write(path, text.replace("p: {", "p: {deadline: 20s, ").replace(", }", "}"))
    rules.reload()
    assert not is_isolated(rules)
    write(path, text.replace("moving house", "moving back"))
    rules.reload()
    assert is_isolated(rules)
    write(path, "version: 1\npolicies: {p: {}}\n")
    assert "isolated" in " ".join(str(change) for change in rules.reload())
    assert not is_isolated(rules)


def test_what_was_isolated_by_hand_survives_a_reload(tmp_path: Path) -> None:
    """Whatever the file says."""
    path = write(tmp_path / "bot.yaml", "version: 1\npolicies: {p: {}}\n")
    rules = Policies.load(path)
    call = rules.resilient("p")(lambda: 1)
    rules.isolate("p")
    write(path, "version: 1\npolicies: {p: {deadline: 20s, isolated: off}}\n")
    rules.reload()
    with pytest.raises(CircuitOpenError):
        call()
    rules.release()
    assert call() == 1


@pytest.mark.parametrize("value", ["true", "false", "[1]", "on", "1"])
def test_a_file_that_does_not_say_why(tmp_path: Path, value: str) -> None:
    """`isolated: false` must not isolate with the reason "false": it is an error with its place."""
    path = write(tmp_path / "bot.yaml", f"version: 1\nisolated: {value}\npolicies: {{p: {{isolated: {value}}}}}\n")
    with pytest.raises(PolicyError) as caught:
        Policies.load(path)
    assert [(problem.line, problem.path) for problem in caught.value.problems] == [
        (2, "isolated"),
        (3, "policies.p.isolated"),
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("moving house", "moving house"), ("1", ""), ("TRUE", ""), ("0", None), ("off", None), ("", None)],
)
def test_the_environment_isolates_from_the_start(
    monkeypatch: pytest.MonkeyPatch, value: str, reason: str | None
) -> None:
    """Every policy, until somebody releases; a value that means "no" does not."""
    monkeypatch.setenv("RESILIENCE_ISOLATED", value)
    rules = policies()
    assert is_isolated(rules) is (reason is not None)
    assert [one["reason"] for one in rules.snapshot()["isolated"]] == ([] if reason is None else [reason])
    rules.release()
    assert not is_isolated(rules)


def test_a_policy_in_python_that_is_isolated() -> None:
    """Its pipeline sends nothing; released, what it compiles later is sent too."""
    pipeline = Pipeline(Policy(name="mine", isolated="not yet"))
    with pytest.raises(CircuitOpenError, match="policy 'mine' is isolated by its settings, nothing was sent: not yet"):
        pipeline.call(len, "")
    rules = policies()
    mine = Policy(name="mine", isolated="not yet")
    with pytest.raises(CircuitOpenError):
        rules.resilient(mine)(lambda: 1)()
    assert rules.release(mine) == 1
    assert rules.resilient(mine)(lambda: 1)() == 1


def test_a_hedged_call_starts_no_second_attempt(driver: Driver) -> None:
    """Neither the first nor the second leg is sent."""
    if driver.kind == "sync":
        pytest.skip("a hedge needs an event loop")
    rules = Policies.from_mapping({"policies": {"p": {"hedge": {"delay": "1ms"}, "retry": "off"}}})
    api = driver.transport(["done"])
    call = rules.resilient("p", idempotent=True)(driver.function(api))
    rules.isolate("p")
    with pytest.raises(CircuitOpenError):
        driver.call(call)
    assert len(api.calls) == 0
