"""A session's decisions on scripted frames, lost connections and timers, on a fake clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from resilience.streams import MessageRate, StreamSettings
from resilience.streams.session.session import State
from tests.streams.session_rig import LIMITS, SessionRig


def subscribed(rig: SessionRig, connection: int) -> list[str]:
    """Return the subscriptions that were requested on a connection."""
    return [
        one["of"]
        for frame in rig.sent[connection]
        if frame != "ping" and frame["op"] == "subscribe"
        for one in frame["args"]
    ]


def test_the_states_until_live() -> None:
    """The states from idle to live: connect, log in, subscribe in one frame."""
    rig = SessionRig()
    rig.subscribe("a", "b")
    assert rig.session.state is State.IDLE
    rig.perform(rig.session.start(0.0))
    assert rig.session.state is State.CONNECTING
    rig.perform(rig.session.connection_opened(1, 0.0))
    assert rig.session.state is State.AUTHENTICATING
    assert subscribed(rig, 1) == []
    rig.frame(1, login=1)
    assert rig.session.state is State.SUBSCRIBING
    assert subscribed(rig, 1) == ["a", "b"]
    rig.frame(1, ack="a")
    rig.frame(1, ack="b")
    assert rig.session.state is State.LIVE
    assert rig.names() == ["open", "authenticated"]


def test_a_lost_connection_is_reopened_after_the_backoff() -> None:
    """The delay grows with each loss and restarts once a connection was steady; the events of REST are emitted."""
    rig = SessionRig(retry={"backoff": {"initial": "1s", "factor": 2, "max": "4s", "jitter": "none"}})
    connection = rig.live("a")
    for delay in (1.0, 2.0, 4.0, 4.0):
        rig.perform(rig.session.connection_lost(connection, ConnectionResetError(), rig.now))
        assert rig.session.state is State.WAITING
        before = len(rig.open_times)
        rig.wait(delay - 0.01)
        assert len(rig.open_times) == before
        rig.wait(0.02)
        assert len(rig.open_times) == before + 1
        connection = rig.bring_live("a")
    rig.wait(LIMITS.steady_after)
    rig.perform(rig.session.connection_lost(connection, ConnectionResetError(), rig.now))
    assert rig.failures()[-1].wait_for == 1.0
    assert [one.wait_for for one in rig.failures()] == [1.0, 2.0, 4.0, 4.0, 1.0]
    names = [event.name for event in rig.events]
    assert names[:3] == ["attempt_failed", "call_recovered", "attempt_failed"]
    assert {event.operation for event in rig.events} == {"stream"}


@pytest.mark.slow
def test_a_stream_never_gives_up_on_retryable_errors() -> None:
    """After hundreds of refused connections, far beyond `max_attempts`, it still retries at the longest delay."""
    rig = SessionRig(breaker="off", budget="off", retry={"max_attempts": 3, "backoff": {"max": "1s", "jitter": "none"}})
    rig.subscribe("a")
    rig.perform(rig.session.start(0.0))
    for _ in range(300):
        rig.perform(rig.session.connection_lost(max(rig.sent), ConnectionRefusedError(), rig.now))
        rig.wait(30.0)
    assert rig.session.inactive_state is None
    assert len(rig.open_times) > 300
    assert {one.wait_for for one in rig.failures()[10:]} == {1.0}


def test_without_retry_it_ends_at_the_first_loss() -> None:
    """With `retry: off` the first lost connection ends the stream."""
    rig = SessionRig(retry="off")
    connection = rig.live("a")
    rig.perform(rig.session.connection_lost(connection, ConnectionResetError(), 1.0))
    assert rig.session.state is State.GIVEN_UP
    assert rig.names()[-2:] == ["exception", "close"]


def test_the_breaker_of_the_policy_admits_attempts() -> None:
    """Failed attempts open the breaker, the next attempt waits for it, and its events are emitted."""
    breaker = {"consecutive": 3, "open_for": "10s", "open_max": "10s"}
    rig = SessionRig(breaker=breaker, retry={"backoff": {"initial": "100ms", "max": "100ms", "jitter": "none"}})
    rig.subscribe("a")
    rig.perform(rig.session.start(0.0))
    for _ in range(3):
        rig.perform(rig.session.connection_lost(max(rig.sent), ConnectionRefusedError(), rig.now))
        rig.wait(0.2)
    assert len(rig.open_times) == 3
    assert rig.failures()[-1].wait_for == pytest.approx(10.0)
    rig.wait(10.0)
    assert len(rig.open_times) == 4
    rig.bring_live("a")
    assert [one.name for one in rig.events if one.name.startswith("circuit")] == [
        "circuit_opened", "circuit_half_opened", "circuit_closed",
    ]  # fmt: skip


class RefusedHandshake(Exception):
    """An answer to a handshake: the address is banned for a minute."""

    status_code = 418
    retry_after = 60.0


def test_a_ban_is_kept_and_leaves_the_breaker_alone() -> None:
    """A handshake is banned: the stream waits, and so does another one that was connected meanwhile."""
    rig = SessionRig(breaker={"consecutive": 1}, retry={"backoff": {"initial": "1s", "max": "1s", "jitter": "none"}})
    rig.subscribe("a")
    rig.perform(rig.session.start(0.0))
    rig.perform(rig.session.connection_lost(1, RefusedHandshake(), rig.now))
    assert rig.failures()[-1].wait_for == 60.0
    assert rig.attempts.begin(30.0) == (False, None)
    assert rig.attempts.ready_at(30.0) == 60.0
    rig.wait(59.0)
    assert len(rig.open_times) == 1
    rig.wait(2.0)
    assert len(rig.open_times) == 2
    assert [(one.name, one.scope) for one in rig.events if "hold" in one.name] == [
        ("hold_started", "host"), ("hold_ended", "host"),
    ]  # fmt: skip
    assert not [one for one in rig.events if one.name.startswith("circuit")]


def test_an_empty_budget_means_the_longest_delay() -> None:
    """An exhausted budget does not end a stream, it slows it down."""
    rig = SessionRig(
        budget={"ratio": 0, "floor": 0}, retry={"backoff": {"initial": "10ms", "max": "7s", "jitter": "none"}}
    )
    connection = rig.live("a")
    rig.perform(rig.session.connection_lost(connection, ConnectionResetError(), 0.0))
    assert rig.failures()[0].wait_for == 7.0
    assert "budget_exhausted" in [event.name for event in rig.events]


def test_a_first_attempt_that_the_user_must_fix_ends_it() -> None:
    """A wrong URL is not retried at the first attempt; after a connection has opened it is."""
    wrong: Any = type("InvalidURI", (Exception,), {"__module__": "websockets.exceptions"})
    rig = SessionRig()
    rig.subscribe("a")
    rig.perform(rig.session.start(0.0))
    rig.perform(rig.session.connection_lost(1, wrong(), 0.0))
    assert rig.session.state is State.GIVEN_UP
    assert rig.failures()[0].remedy.startswith("Fix the URL")
    later = SessionRig()
    connection = later.live("a")
    later.perform(later.session.connection_lost(connection, ConnectionResetError(), 0.0))
    later.wait(30.0)
    later.perform(later.session.connection_lost(max(later.sent), wrong(), later.now))
    assert later.session.inactive_state is None


def test_connects_stay_within_their_window() -> None:
    """However often the connection is lost, the connect limit is never exceeded."""
    limits = StreamSettings(connects={"rate": "1/s", "burst": 5}, steady_after="10ms")  # type: ignore[arg-type]
    rig = SessionRig(limits=limits, breaker="off", budget="off", retry={"backoff": {"initial": 0, "max": 0}})
    connection = rig.live("a")
    for _ in range(40):
        rig.perform(rig.session.connection_lost(connection, ConnectionResetError(), rig.now))
        rig.wait(0.5)
        connection = rig.bring_live("a") if max(rig.sent) in rig.open else connection
    assert all(b - a >= 5.0 for a, b in zip(rig.open_times, rig.open_times[5:], strict=False))


def test_the_announced_delay_is_that_of_the_connect_limit() -> None:
    """If the limit of new connections allows the next one later than the backoff, the event says so."""
    rig = SessionRig(limits=replace(LIMITS, connects=MessageRate(rate=1 / 60, burst=1)))
    connection = rig.live("a")
    rig.perform(rig.session.connection_lost(connection, ConnectionResetError(), rig.now))
    (failure,) = rig.failures()
    assert failure.wait_for == 60.0
    rig.wait(59.9)
    assert len(rig.open_times) == 1
    rig.wait(0.1)
    assert len(rig.open_times) == 2


def test_frames_and_subscribes_stay_within_their_windows() -> None:
    """Batches stay below the byte limit, requests and frames (pings included) below their rates."""
    rig = SessionRig()
    names = [f"subscription-{n:03}" for n in range(100)]
    rig.subscribe(*names)
    rig.perform(rig.session.start(0.0))
    rig.perform(rig.session.connection_opened(1, 0.0))
    rig.frame(1, login=1)
    for _ in range(400):
        rig.wait(1.0)
        waiting = rig.session.connections[1].subscriptions.unanswered() if 1 in rig.session.connections else []
        for one in waiting:
            rig.frame(1, ack=one)
        rig.perform(rig.session.frame_received(1, '"pong"', rig.now))
        if rig.session.state is State.LIVE:
            break
    assert sorted(subscribed(rig, 1)) == names
    send_times = rig.send_times[1]
    assert all(b - a >= 1.0 for a, b in zip(send_times, send_times[4:], strict=False))
    requested = [
        at for at, frame in zip(send_times, rig.sent[1], strict=True) if frame != "ping" and frame["op"] == "subscribe"
    ]
    assert len(requested) > 6
    assert all(b - a >= 60.0 for a, b in zip(requested, requested[6:], strict=False))


def test_silence_causes_a_ping_and_then_a_reconnect() -> None:
    """A long silence causes an early ping; any frame proves life; no frame at all ends the connection."""
    rig = SessionRig()
    connection = rig.live("a")
    rig.wait(LIMITS.stale_after + 0.1)
    assert rig.sent[connection][-1] == "ping"
    assert rig.session.state is State.STALE
    rig.perform(rig.session.frame_received(connection, '"pong"', rig.now))
    assert rig.session.state is State.LIVE
    rig.wait(LIMITS.stale_after + LIMITS.pong_within + 0.2)
    assert [one.code for one in rig.failures()] == ["no_pong"]


def test_two_pings_without_a_pong_are_enough() -> None:
    """Two pings without a pong end the connection although updates arrive: the venue does not see our pings."""
    rig = SessionRig()
    connection = rig.live("a")
    for second in range(200):
        rig.wait(1.0)
        rig.frame(connection, of="a", data=second)
        if rig.failures():
            break
    assert [one.code for one in rig.failures()] == ["no_pong"]
    assert rig.sent[connection].count("ping") == 2


def test_a_slow_consumer_is_not_a_dead_connection() -> None:
    """While the reader waits for a slow consumer, silence does not end the connection, and pings continue."""
    rig = SessionRig()
    connection = rig.live("a")
    rig.session.pause_reader(connection, True, rig.now)
    rig.wait(200.0)
    assert rig.failures() == []
    assert rig.sent[connection].count("ping") >= 6
    rig.session.pause_reader(connection, False, rig.now)
    rig.wait(LIMITS.stale_after - 1)
    assert rig.failures() == []


@pytest.mark.parametrize("stage", ["connect", "login", "subscribe"])
def test_missing_answers(stage: str) -> None:
    """Opening and login time out; an unanswered subscription is requested twice before the connection is dropped."""
    rig = SessionRig()
    rig.subscribe("a")
    rig.perform(rig.session.start(0.0))
    if stage != "connect":
        rig.perform(rig.session.connection_opened(1, 0.0))
    if stage == "subscribe":
        rig.frame(1, login=1)
    rig.wait(10.5)
    if stage == "subscribe":
        assert [one["op"] for one in rig.sent[1] if one != "ping"] == ["login", "subscribe", "unsubscribe"]
        rig.frame(1, left="a")
        rig.wait(0.5)
        assert subscribed(rig, 1) == ["a", "a"]
        assert rig.failures()[0].action_text == "asks for it again"
        rig.perform(rig.session.frame_received(1, '"pong"', rig.now))
        rig.wait(15)
        rig.perform(rig.session.frame_received(1, '"pong"', rig.now))
        rig.wait(6)
    code = "not_opened" if stage == "connect" else "no_answer"
    assert (rig.failures()[-1].code, rig.failures()[-1].phase) == (code, stage)
    assert 1 not in rig.open


def test_unnamed_errors_are_assigned_to_subscriptions() -> None:
    """An unnamed error belongs to the subscription that is never acknowledged; a stray error removes nothing."""
    rig = SessionRig(private=False)
    rig.subscribe("a", "b", "c")
    rig.perform(rig.session.start(0.0))
    rig.perform(rig.session.connection_opened(1, 0.0))
    rig.frame(1, error=30001)
    assert rig.failures() == []
    rig.frame(1, ack="a")
    rig.frame(1, ack="c")
    (failure,) = rig.failures()
    assert (dict(failure.arg), failure.action_text) == ({"of": "b"}, "drops this subscription")
    assert rig.session.state is State.LIVE
    rig.frame(1, error=30001)
    assert rig.failures()[-1].arg is None
    assert list(rig.session.wanted) == ["a", "c"]


def test_only_the_rejected_subscription_is_requested_again() -> None:
    """An error that names one subscription of a batch does not affect the others."""
    rig = SessionRig(private=False)
    rig.subscribe("a", "b")
    rig.perform(rig.session.start(0.0))
    rig.perform(rig.session.connection_opened(1, 0.0))
    rig.frame(1, error=30006, of="a", op="subscribe")
    rig.frame(1, ack="b")
    rig.wait(5.0)
    assert subscribed(rig, 1) == ["a", "b", "a"]
    rig.frame(1, ack="a")
    assert rig.session.state is State.LIVE


def test_a_successor_takes_over_when_it_is_live() -> None:
    """While both connections deliver updates each is emitted once, and the old one is read a moment longer."""
    rig = SessionRig()
    first = rig.live("a")
    rig.frame(first, error=30033)
    assert len(rig.open_times) == 2
    second = rig.bring_live()
    rig.frame(first, of="a", data=1)
    rig.frame(second, ack="a")
    rig.frame(second, of="a", data=1)
    rig.frame(second, of="a", data=2)
    rig.frame(first, of="a", data=2)
    assert first in rig.open
    rig.wait(LIMITS.linger + 0.1)
    assert first not in rig.open
    assert [value["data"] for event, value in rig.emitted if event == "update"] == [1, 2]
    assert rig.names() == ["open", "authenticated", "exception", "authenticated", "reconnected"]


def test_an_announced_end_that_comes_early_is_no_exception() -> None:
    """If the old connection ends before the successor is live, the successor takes over and a gap is emitted."""
    rig = SessionRig()
    first = rig.live("a")
    rig.frame(first, error=30033)
    rig.perform(rig.session.connection_lost(first, ConnectionResetError(), rig.now))
    rig.bring_live("a")
    assert [one.code for one in rig.failures()] == ["30033"]
    assert rig.names()[-1] == "gap"
    assert rig.session.state is State.LIVE


def test_a_failed_successor_leaves_the_old_connection() -> None:
    """If the successor fails, the old connection stays, and another is opened after the backoff."""
    rig = SessionRig()
    first = rig.live("a")
    rig.frame(first, error=30033)
    rig.perform(rig.session.connection_lost(2, ConnectionRefusedError(), rig.now))
    assert rig.session.state is State.LIVE
    assert rig.failures()[-1].action_text.startswith("keeps the old connection")
    rig.wait(5.0)
    assert len(rig.open_times) == 3


def test_a_sequence_gap() -> None:
    """A sequence gap is emitted once and the subscription renewed; old updates are not emitted again."""
    rig = SessionRig()
    connection = rig.live("a")
    rig.frame(connection, of="a", seq=5, after=0, whole=True)
    rig.frame(connection, of="a", seq=6, after=5)
    rig.frame(connection, of="a", seq=6, after=5)
    rig.frame(connection, of="a", seq=8, after=7)
    rig.frame(connection, of="a", seq=9, after=8)
    assert [one.code for one in rig.failures()] == ["sequence_gap"]
    assert rig.sent[connection][-1] == {"op": "unsubscribe", "args": [{"of": "a"}]}
    rig.frame(connection, left="a")
    rig.wait(1.0)
    assert subscribed(rig, connection) == ["a", "a"]
    rig.frame(connection, ack="a")
    rig.frame(connection, of="a", seq=9, after=0, whole=True)
    rig.frame(connection, of="a", seq=10, after=9)
    assert [value["seq"] for event, value in rig.emitted if event == "update"] == [5, 6, 9, 10]


def test_a_stream_that_gave_up_can_be_started_again() -> None:
    """After the key is fixed, `start` restores every subscription."""
    rig = SessionRig()
    connection = rig.live("a")
    rig.frame(connection, error=30011)
    assert rig.session.state is State.GIVEN_UP
    rig.wait(1000.0)
    assert len(rig.open_times) == 1
    rig.perform(rig.session.start(rig.now))
    rig.bring_live("a")
    assert rig.session.state is State.LIVE


def test_a_rate_limit_error_that_names_a_subscription() -> None:
    """A rate limit error that names a subscription does not make the others of its batch be requested twice."""
    rig = SessionRig()
    rig.subscribe("a", "b", "c")
    rig.perform(rig.session.start(0.0))
    rig.bring_live()
    rig.frame(1, error=429, of="a", op="subscribe")
    rig.frame(1, ack="b")
    rig.frame(1, ack="c")
    rig.wait(5.0)
    assert subscribed(rig, 1) == ["a", "b", "c", "a"]
    rig.frame(1, ack="a")
    assert rig.session.state is State.LIVE
    assert len(rig.failures()) == 1


def test_a_rate_limit_error_without_a_name() -> None:
    """After the pause, unanswered subscriptions are removed and requested again, never twice at once."""
    rig = SessionRig()
    rig.subscribe("a", "b")
    rig.perform(rig.session.start(0.0))
    rig.bring_live()
    rig.frame(1, error=30006)
    rig.frame(1, ack="b")
    rig.wait(5.0)
    assert [one for one in rig.sent[1] if one != "ping"][-1] == {"op": "unsubscribe", "args": [{"of": "a"}]}
    rig.frame(1, left="a")
    rig.wait(1.0)
    assert subscribed(rig, 1) == ["a", "b", "a"]
    assert len(rig.failures()) == 1


def test_every_subscription_rejected_for_a_missing_login() -> None:
    """One login serves all subscriptions that were rejected for it, and each is requested again."""
    rig = SessionRig()
    rig.subscribe("a", "b", "c")
    rig.perform(rig.session.start(0.0))
    rig.bring_live()
    for one in ("a", "b", "c"):
        rig.frame(1, error=30004, of=one, op="subscribe")
    rig.wait(1.0)
    assert [one["op"] for one in rig.sent[1] if one != "ping"] == ["login", "subscribe", "login"]
    rig.frame(1, login=1)
    rig.wait(1.0)
    assert subscribed(rig, 1) == ["a", "b", "c"] * 2
    assert len(rig.failures()) == 3


def test_an_unanswered_subscription_does_not_affect_the_others() -> None:
    """On a live connection it is requested ever more slowly, and emitted once."""
    rig = SessionRig()
    connection = rig.live("a", "b")
    rig.subscribe("c")
    for _ in range(600):
        rig.wait(1.0)
        rig.frame(connection, left="c")
        rig.perform(rig.session.frame_received(connection, '"pong"', rig.now))
    assert len(rig.open_times) == 1
    assert [one.code for one in rig.failures()] == ["no_answer"]
    assert 3 < subscribed(rig, connection).count("c") < 9
