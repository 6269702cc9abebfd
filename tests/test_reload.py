"""Tests of reloads: the state they keep, the state they reset, and the calls that follow them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from resilience import CircuitOpenError, Policies, PolicyError, wrap
from resilience.testing import FakeClock, recorded_events


class File:
    """A policy file with a policy `p` that tests rewrite."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.write("deadline: 20s")
        self.policies = Policies.load(path, clock=self.clock)

    def write(self, *lines: str, more: str = "") -> None:
        """Write the policy's settings, one per line."""
        settings = "".join(f"    {line}\n" for line in lines)
        self.path.write_text(f"version: 1\npolicies:\n  p:\n{settings}{more}")

    def load(self, *lines: str, more: str = "") -> tuple[str, ...]:
        """Write and reload; return the changes as strings."""
        self.write(*lines, more=more)
        return tuple(map(str, self.policies.reload()))

    def describe(self) -> dict[str, Any]:
        """Describe the policy."""
        return self.policies.pipeline("p").describe()


@pytest.fixture
def file(tmp_path: Path) -> File:
    """A file with a policy that only has a deadline."""
    return File(tmp_path / "bot.yaml")


def fail_before_sending() -> None:
    """Fail before anything is sent."""
    raise ConnectionRefusedError


def test_an_open_breaker_takes_new_settings(file: File) -> None:
    """It stays open, but no longer than the new settings allow."""
    file.load("breaker: {consecutive: 1, open_for: 1m, open_max: 1m}")
    with pytest.raises(ConnectionRefusedError):
        file.policies.pipeline("p").call(fail_before_sending)
    assert file.load("breaker: {consecutive: 1, open_for: 5s, open_max: 10s}") == (
        "p.breaker.open_for: 60 → 5",
        "p.breaker.open_max: 60 → 10",
    )
    with pytest.raises(CircuitOpenError):
        file.policies.pipeline("p").call(len, "a")
    assert file.describe()["breaker"]["ready_in"] == 10.0
    file.clock.advance(10)
    assert file.policies.pipeline("p").call(len, "a") == 1
    assert file.describe()["breaker"]["state"] == "closed"


@pytest.mark.parametrize("span", ["5s", "40s"])
def test_a_window_of_another_span_keeps_its_counts(file: File, span: str) -> None:
    """Calls within the new span still count, until they are older than it."""
    file.load("breaker: {window: 20s}")
    file.policies.pipeline("p").call(len, "a")
    file.load(f"breaker: {{window: {span}}}")
    file.policies.pipeline("p").call(len, "a")
    assert file.describe()["breaker"]["settled"]["succeeded"] == 2
    file.clock.advance(100)
    assert file.describe()["breaker"]["settled"]["succeeded"] == 0


def test_a_wider_window_forgets_nothing_early(file: File) -> None:
    """Calls of a ten-second window count in a window of a hundred seconds until they are a hundred seconds old."""
    file.load("breaker: {window: 10s}")
    call = file.policies.pipeline("p").compile(len)

    def seconds(number: int) -> None:
        for _ in range(number):
            call("a")
            file.clock.advance(1)

    seconds(10)
    file.load("breaker: {window: 100s}")
    seconds(80)
    assert file.describe()["breaker"]["settled"]["succeeded"] == 90
    seconds(200)
    assert 100 <= file.describe()["breaker"]["settled"]["succeeded"] <= 111


def test_a_window_of_calls_takes_another_size(file: File) -> None:
    """The last calls still count, as many as both sizes hold."""
    file.load("breaker: {window: 4 calls, min_calls: 100}")
    for _ in range(9):
        file.policies.pipeline("p").call(len, "a")
    file.load("breaker: {window: 8 calls, min_calls: 100}")
    assert file.describe()["breaker"]["settled"]["succeeded"] == 4
    file.load("breaker: {window: 2 calls, min_calls: 100}")
    assert file.describe()["breaker"]["settled"]["succeeded"] == 2


def test_a_window_of_another_kind_is_reset(file: File) -> None:
    """A window of seconds cannot become one of calls; the breaker's state stays."""
    file.load("breaker: {window: 20s}")
    breaker = file.policies.pipeline("p").breaker
    assert breaker is not None
    file.policies.pipeline("p").call(len, "a")
    file.load("breaker: {window: 20 calls}")
    assert file.describe()["breaker"]["settled"]["succeeded"] == 0
    assert file.policies.pipeline("p").breaker is breaker


def test_a_section_that_was_off_for_one_reload(file: File) -> None:
    """A section that is switched off and on again keeps its state."""
    settings = "breaker: {consecutive: 1, open_for: 1m, open_max: 1m}", "quota: [{rate: 2/m, burst: 2}]"
    file.load(*settings)
    with pytest.raises(ConnectionRefusedError):
        file.policies.pipeline("p").call(fail_before_sending)
    assert set(file.load("breaker: off", "quota: off")) == {"p.breaker: present → off", "p.quota: ['present'] → []"}
    assert file.policies.pipeline("p").call(len, "a") == 1
    file.load(*settings)
    assert (file.describe()["breaker"]["state"], file.describe()["quota"][0]["left"]) == ("open", 1)


def test_a_changed_rate_keeps_what_was_sent(file: File) -> None:
    """A larger and a smaller quota count the same sends."""
    file.load("quota: [{rate: 5/m, burst: 5}]")
    pipeline = file.policies.pipeline("p")
    for _ in range(3):
        pipeline.call(len, "a")
    assert file.load("quota: [{rate: 9/m, burst: 9}]") == (
        "p.quota[0].rate: 0.0833333 → 0.15",
        "p.quota[0].burst: 5 → 9",
    )
    assert pipeline.describe()["quota"][0]["left"] == 6
    file.load("quota: [{rate: 2/m, burst: 2}]")
    assert pipeline.describe()["quota"][0]["left"] == 0
    file.clock.advance(60)
    assert pipeline.describe()["quota"][0]["left"] == 2


def test_a_reserve_that_comes_and_goes_loses_no_send(file: File) -> None:
    """Sends count, however they are divided among lanes."""
    file.load("quota: [{rate: 10/m, burst: 10}]")
    pipeline = file.policies.pipeline("p")
    for _ in range(7):
        pipeline.call(len, "a")
    for reserve in ("50%", "10%", "0%", "30%"):
        file.load(f"quota: [{{rate: 10/m, burst: 10, reserve: {reserve}}}]")
        assert pipeline.describe()["quota"][0]["left"] == 3


def test_an_entry_is_recognised_by_its_settings_when_its_index_changes(file: File) -> None:
    """When the first entry is removed, the second does not get its count."""
    file.load("quota: [{rate: 10/m, burst: 10}, {rate: 100/h, burst: 100}]")
    pipeline = file.policies.pipeline("p")
    for _ in range(3):
        pipeline.call(len, "a")
    file.load("quota: [{rate: 100/h, burst: 100}]")
    assert [quota["left"] for quota in pipeline.describe()["quota"]] == [97]
    file.load("quota: [{rate: 100/h, burst: 100}, {rate: 10/m, burst: 10}]")
    assert [quota["left"] for quota in pipeline.describe()["quota"]] == [97, 7]


def test_a_running_call_ends_under_the_policy_with_which_it_began(file: File) -> None:
    """A running call has the attempts of the old file, and the next call those of the new one."""
    file.load("retry: {max_attempts: 3, backoff: {initial: 0}}")
    calls: list[int] = []

    @file.policies.resilient("p")
    def flaky() -> None:
        calls.append(1)
        if len(calls) == 1:
            file.load("retry: {max_attempts: 1}")
        raise ConnectionRefusedError

    for expected in (3, 4):
        with pytest.raises(ConnectionRefusedError):
            flaky()
        assert len(calls) == expected


def test_everything_that_names_its_policy_follows_a_reload(file: File) -> None:
    """Decorated functions, wrapped clients, pipelines, and what pipelines have compiled."""

    class Client:
        def ask(self) -> None:
            attempts.append(1)
            raise ConnectionRefusedError

        async def aask(self) -> None:
            self.ask()

    attempts: list[int] = []
    pipeline, client = file.policies.pipeline("p"), Client()
    wrapped = wrap(client, "p", policies=file.policies)
    calls: list[Any] = [
        file.policies.resilient("p")(client.ask),
        wrapped.ask,
        lambda: pipeline.call(client.ask),
        pipeline.compile(client.ask),
        lambda: asyncio.run(pipeline.acall(client.aask)),
        lambda: asyncio.run(pipeline.compile(client.aask)()),
    ]
    for max_attempts in (1, 2, 3):
        file.load(f"retry: {{max_attempts: {max_attempts}, backoff: {{initial: 0}}}}")
        for call in calls:
            attempts.clear()
            with pytest.raises(ConnectionRefusedError):
                call()
            assert len(attempts) == max_attempts
    assert pipeline.policy.retry is not None


def test_last_good_answers_survive(file: File) -> None:
    """A reload does not forget the last good answers."""
    good = [True]

    @file.policies.resilient("p", idempotent=True)
    def price(symbol: str) -> float:
        if good:
            return 42.0
        raise ConnectionRefusedError

    file.load("fallback: {stale_for: 30s}")
    assert price("BTC") == 42.0
    file.load("fallback: {stale_for: 60s}")
    good.clear()
    assert price("BTC") == 42.0


def test_a_policy_in_use_cannot_be_removed(file: File) -> None:
    """A file without it is rejected, and calls continue under the old one."""
    pipeline = file.policies.pipeline("p")
    file.load("deadline: 40s")  # no call since this reload: the policy still counts as used
    file.path.write_text("version: 1\npolicies: {q: {deadline: 1s}}\n")
    with recorded_events(file.policies) as events, pytest.raises(PolicyError, match="p: is gone, but calls of this"):
        file.policies.reload()
    assert [event.name for event in events] == ["policy_rejected"]
    assert pipeline.call(len, "abc") == 3
    assert "q" not in file.policies.names


def test_a_key_that_a_function_cannot_carry_is_rejected(file: File) -> None:
    """The file is rejected, because the function would fail at its next call."""

    class Client:
        def cancel(self, number: int) -> int:
            return number

    @file.policies.resilient("p", operation="place")
    def place(symbol: str) -> str:
        return symbol

    wrapped = file.policies.wrap(Client(), "p")
    assert (place("BTC"), wrapped.cancel(1)) == ("BTC", 1)
    for name in ("place", "cancel"):
        with pytest.raises(PolicyError, match=rf"operations.{name}.key: .*client_id"):
            file.load("deadline: 30s", more=f"operations: [{{match: {name}, key: client_id}}]\n")
    assert (place("BTC"), wrapped.cancel(1)) == ("BTC", 1)


def test_a_rejected_file_is_reported_with_its_positions(file: File) -> None:
    """The event has every mistake as data, with file, line and column."""
    with recorded_events(file.policies) as events, pytest.raises(PolicyError):
        file.load("deadline: never", "retires: 3")
    (event,) = events
    assert (event.name, event.level, event.source) == ("policy_rejected", "error", str(file.path))
    assert event.problems is not None
    assert [(problem["line"], problem["path"]) for problem in event.problems] == [
        (4, "policies.p.deadline"),
        (5, "policies.p.retires"),
    ]


def test_the_changes_are_reported_as_data(file: File) -> None:
    """Each change has a path, before and after; a file of the same settings changes nothing."""
    with recorded_events(file.policies) as events:
        file.load("deadline: 30s", more='operations: [{match: "fetch_*", policy: p}]\n')
        file.load("deadline: 30s", more='operations: [{match: "fetch_*", policy: p}] # the same\n')
    first, second = events
    assert first.changes == (
        {"path": "p.deadline", "before": 20.0, "after": 30.0},
        {"path": "operations.fetch_*", "before": "absent", "after": "present"},
    )
    assert second.changes == ()


def test_changed_rows_of_a_table_are_reported(file: File, tmp_path: Path) -> None:
    """A code table that the file names by path is read again with it."""
    table = tmp_path / "shop.yaml"
    row = 'rules: [{{code: "E1", category: {}, executed: no}}]\n'
    table.write_text(row.format("retryable"))
    file.load("codes: [shop.yaml]")
    assert file.policies.files == (str(file.path), str(table))
    table.write_text(row.format("fatal"))
    assert file.load("codes: [shop.yaml]") == (f"{table}[E1].category: retryable → fatal",)
    assert file.policies.pipeline("p").classifier.classify({"code": "E1"}).category == "fatal"


def test_policies_without_a_file(file: File) -> None:
    """Policies from a mapping have nothing to read again and nothing to watch."""
    policies = Policies.from_mapping({"policies": {"p": {}}})
    assert (policies.reload(), policies.files) == ((), ())
    with pytest.raises(PolicyError, match="nothing to watch"):
        policies.watch()
