"""A session's decisions: scripted frames, losses and instants on a clock that stands still."""

from __future__ import annotations

from typing import Any

import pytest

from resilience.streams import StreamSettings
from resilience.streams.session.session import State
from tests.streams.scripted import LIMITS, Play


def subscribed(play: Play, link: int) -> list[str]:
    """Return what was asked for on a connection."""
    return [
        one["of"]
        for frame in play.sent[link]
        if frame != "ping" and frame["op"] == "subscribe"
        for one in frame["args"]
    ]


def test_the_way_to_live() -> None:
    """Connect, log in, subscribe in one frame, live."""
    play = Play()
    play.want("a", "b")
    assert play.session.state is State.IDLE
    play.take(play.session.start(0.0))
    assert play.session.state is State.CONNECTING
    play.take(play.session.connection_opened(1, 0.0))
    assert play.session.state is State.AUTHENTICATING
    assert subscribed(play, 1) == []
    play.frame(1, login=1)
    assert play.session.state is State.SUBSCRIBING
    assert subscribed(play, 1) == ["a", "b"]
    play.frame(1, ack="a")
    play.frame(1, ack="b")
    assert play.session.state is State.LIVE
    assert play.names() == ["open", "authenticated"]


def test_a_lost_connection_is_made_again_after_the_backoff() -> None:
    """The delay grows from loss to loss and begins anew once a connection has held; REST's events are told."""
    play = Play(retry={"backoff": {"initial": "1s", "factor": 2, "max": "4s", "jitter": "none"}})
    link = play.live("a")
    for delay in (1.0, 2.0, 4.0, 4.0):
        play.take(play.session.connection_lost(link, ConnectionResetError(), play.now))
        assert play.session.state is State.WAITING
        before = len(play.opened)
        play.wait(delay - 0.01)
        assert len(play.opened) == before
        play.wait(0.02)
        assert len(play.opened) == before + 1
        link = play.restore("a")
    play.wait(LIMITS.steady_after)
    play.take(play.session.connection_lost(link, ConnectionResetError(), play.now))
    assert play.failures()[-1].wait_for == 1.0
    assert [one.wait_for for one in play.failures()] == [1.0, 2.0, 4.0, 4.0, 1.0]
    names = [event.name for event in play.events]
    assert names[:3] == ["attempt_failed", "call_recovered", "attempt_failed"]
    assert {event.operation for event in play.events} == {"stream"}


def test_a_stream_never_gives_up_on_what_waiting_helps() -> None:
    """Hundreds of refused connects, long after `max_attempts`: the delay stays at its longest."""
    play = Play(breaker="off", budget="off", retry={"max_attempts": 3, "backoff": {"max": "1s", "jitter": "none"}})
    play.want("a")
    play.take(play.session.start(0.0))
    for _ in range(300):
        play.take(play.session.connection_lost(max(play.sent), ConnectionRefusedError(), play.now))
        play.wait(30.0)
    assert play.session.inactive_state is None
    assert len(play.opened) > 300
    assert {one.wait_for for one in play.failures()[10:]} == {1.0}


def test_without_retry_it_ends_at_the_first_loss() -> None:
    """`retry: off` means what it says."""
    play = Play(retry="off")
    link = play.live("a")
    play.take(play.session.connection_lost(link, ConnectionResetError(), 1.0))
    assert play.session.state is State.GIVEN_UP
    assert play.names()[-2:] == ["exception", "close"]


def test_the_breaker_of_the_policy_is_asked() -> None:
    """Failed connects open it; the next waits for it, and its events are told."""
    breaker = {"consecutive": 3, "open_for": "10s", "open_max": "10s"}
    play = Play(breaker=breaker, retry={"backoff": {"initial": "100ms", "max": "100ms", "jitter": "none"}})
    play.want("a")
    play.take(play.session.start(0.0))
    for _ in range(3):
        play.take(play.session.connection_lost(max(play.sent), ConnectionRefusedError(), play.now))
        play.wait(0.2)
    assert len(play.opened) == 3
    assert play.failures()[-1].wait_for == pytest.approx(10.0)
    play.wait(10.0)
    assert len(play.opened) == 4
    play.restore("a")
    assert [one.name for one in play.events if one.name.startswith("circuit")] == [
        "circuit_opened", "circuit_half_opened", "circuit_closed",
    ]  # fmt: skip


def test_an_empty_budget_means_the_longest_delay() -> None:
    """A budget does not end a stream, it slows it."""
    play = Play(budget={"ratio": 0, "floor": 0}, retry={"backoff": {"initial": "10ms", "max": "7s", "jitter": "none"}})
    link = play.live("a")
    play.take(play.session.connection_lost(link, ConnectionResetError(), 0.0))
    assert play.failures()[0].wait_for == 7.0
    assert "budget_exhausted" in [event.name for event in play.events]


def test_a_first_connect_that_nobody_can_help_ends_it() -> None:
    """A wrong address or a bad certificate is not hammered; once the address was right it is tried again."""
    wrong: Any = type("InvalidURI", (Exception,), {"__module__": "websockets.exceptions"})
    play = Play()
    play.want("a")
    play.take(play.session.start(0.0))
    play.take(play.session.connection_lost(1, wrong(), 0.0))
    assert play.session.state is State.GIVEN_UP
    assert play.failures()[0].remedy.startswith("Fix the URL")
    later = Play()
    link = later.live("a")
    later.take(later.session.connection_lost(link, ConnectionResetError(), 0.0))
    later.wait(30.0)
    later.take(later.session.connection_lost(max(later.sent), wrong(), later.now))
    assert later.session.inactive_state is None


def test_connects_stay_within_their_window() -> None:
    """However often it is lost: never more than the venue takes in its span."""
    limits = StreamSettings(connects={"rate": "1/s", "burst": 5}, steady_after="10ms")  # type: ignore[arg-type]
    play = Play(limits=limits, breaker="off", budget="off", retry={"backoff": {"initial": 0, "max": 0}})
    link = play.live("a")
    for _ in range(40):
        play.take(play.session.connection_lost(link, ConnectionResetError(), play.now))
        play.wait(0.5)
        link = play.restore("a") if max(play.sent) in play.open else link
    assert all(b - a >= 5.0 for a, b in zip(play.opened, play.opened[5:], strict=False))


def test_frames_and_subscribes_stay_within_their_windows() -> None:
    """Batches below the byte limit, so many requests a minute, so many frames a second, pings included."""
    play = Play()
    names = [f"subscription-{n:03}" for n in range(100)]
    play.want(*names)
    play.take(play.session.start(0.0))
    play.take(play.session.connection_opened(1, 0.0))
    play.frame(1, login=1)
    for _ in range(400):
        play.wait(1.0)
        waiting = play.session.connections[1].subscriptions.unanswered() if 1 in play.session.connections else []
        for one in waiting:
            play.frame(1, ack=one)
        play.take(play.session.frame_received(1, '"pong"', play.now))
        if play.session.state is State.LIVE:
            break
    assert sorted(subscribed(play, 1)) == names
    stamps = play.stamps[1]
    assert all(b - a >= 1.0 for a, b in zip(stamps, stamps[4:], strict=False))
    asked = [
        at for at, frame in zip(stamps, play.sent[1], strict=True) if frame != "ping" and frame["op"] == "subscribe"
    ]
    assert len(asked) > 6
    assert all(b - a >= 60.0 for a, b in zip(asked, asked[6:], strict=False))


def test_silence_is_asked_about_and_then_believed() -> None:
    """An early ping after a long silence; whatever comes proves life; nothing at all ends the connection."""
    play = Play()
    link = play.live("a")
    play.wait(LIMITS.stale_after + 0.1)
    assert play.sent[link][-1] == "ping"
    assert play.session.state is State.STALE
    play.take(play.session.frame_received(link, '"pong"', play.now))
    assert play.session.state is State.LIVE
    play.wait(LIMITS.stale_after + LIMITS.pong_within + 0.2)
    assert [one.code for one in play.failures()] == ["no_pong"]


def test_two_pings_without_a_pong_are_enough() -> None:
    """Updates flow, but the venue does not see our pings: it would drop us at a bad moment."""
    play = Play()
    link = play.live("a")
    for second in range(200):
        play.wait(1.0)
        play.frame(link, of="a", data=second)
        if play.failures():
            break
    assert [one.code for one in play.failures()] == ["no_pong"]
    assert play.sent[link].count("ping") == 2


def test_a_slow_consumer_is_not_a_dead_connection() -> None:
    """While the reader waits nothing can be heard: silence proves nothing, pings go on."""
    play = Play()
    link = play.live("a")
    play.session.pause_reader(link, True, play.now)
    play.wait(200.0)
    assert play.failures() == []
    assert play.sent[link].count("ping") >= 6
    play.session.pause_reader(link, False, play.now)
    play.wait(LIMITS.stale_after - 1)
    assert play.failures() == []


@pytest.mark.parametrize("stage", ["connect", "login", "subscribe"])
def test_what_is_never_answered(stage: str) -> None:
    """A connect and a login have their time; a subscription is asked for twice before the connection is given up."""
    play = Play()
    play.want("a")
    play.take(play.session.start(0.0))
    if stage != "connect":
        play.take(play.session.connection_opened(1, 0.0))
    if stage == "subscribe":
        play.frame(1, login=1)
    play.wait(10.5)
    if stage == "subscribe":
        assert [one["op"] for one in play.sent[1] if one != "ping"] == ["login", "subscribe", "unsubscribe"]
        play.frame(1, left="a")
        play.wait(0.5)
        assert subscribed(play, 1) == ["a", "a"]
        assert play.failures()[0].action_text == "asks for it again"
        play.take(play.session.frame_received(1, '"pong"', play.now))
        play.wait(15)
        play.take(play.session.frame_received(1, '"pong"', play.now))
        play.wait(6)
    code = "not_opened" if stage == "connect" else "no_answer"
    assert (play.failures()[-1].code, play.failures()[-1].phase) == (code, stage)
    assert 1 not in play.open


def test_refusals_without_a_name_are_worked_out() -> None:
    """The one that is never acknowledged is the one that was refused; a stray refusal drops nothing."""
    play = Play(private=False)
    play.want("a", "b", "c")
    play.take(play.session.start(0.0))
    play.take(play.session.connection_opened(1, 0.0))
    play.frame(1, error=30001)
    assert play.failures() == []
    play.frame(1, ack="a")
    play.frame(1, ack="c")
    (failure,) = play.failures()
    assert (dict(failure.arg), failure.action_text) == ({"of": "b"}, "drops this subscription")
    assert play.session.state is State.LIVE
    play.frame(1, error=30001)
    assert play.failures()[-1].arg is None
    assert list(play.session.wanted) == ["a", "c"]


def test_only_what_was_refused_is_asked_for_again() -> None:
    """A refusal for a while that names one of a batch leaves the others alone: they are answered by themselves."""
    play = Play(private=False)
    play.want("a", "b")
    play.take(play.session.start(0.0))
    play.take(play.session.connection_opened(1, 0.0))
    play.frame(1, error=30006, of="a", op="subscribe")
    play.frame(1, ack="b")
    play.wait(5.0)
    assert subscribed(play, 1) == ["a", "b", "a"]
    play.frame(1, ack="a")
    assert play.session.state is State.LIVE


def test_a_successor_takes_over_when_it_is_live() -> None:
    """Both bring updates meanwhile; each is told once, and the old connection is read a moment longer."""
    play = Play()
    first = play.live("a")
    play.frame(first, error=30033)
    assert len(play.opened) == 2
    second = play.restore()
    play.frame(first, of="a", data=1)
    play.frame(second, ack="a")
    play.frame(second, of="a", data=1)
    play.frame(second, of="a", data=2)
    play.frame(first, of="a", data=2)
    assert first in play.open
    play.wait(LIMITS.linger + 0.1)
    assert first not in play.open
    assert [value["data"] for event, value in play.told if event == "update"] == [1, 2]
    assert play.names() == ["open", "authenticated", "exception", "authenticated", "reconnected"]


def test_an_announced_end_that_comes_early_is_no_exception() -> None:
    """The old connection ends before the successor is live: it takes over at once, and the gap is told."""
    play = Play()
    first = play.live("a")
    play.frame(first, error=30033)
    play.take(play.session.connection_lost(first, ConnectionResetError(), play.now))
    play.restore("a")
    assert [one.code for one in play.failures()] == ["30033"]
    assert play.names()[-1] == "gap"
    assert play.session.state is State.LIVE


def test_a_successor_that_fails_costs_nothing() -> None:
    """The old connection stays, and another successor is made after the backoff."""
    play = Play()
    first = play.live("a")
    play.frame(first, error=30033)
    play.take(play.session.connection_lost(2, ConnectionRefusedError(), play.now))
    assert play.session.state is State.LIVE
    assert play.failures()[-1].action_text.startswith("keeps the old connection")
    play.wait(5.0)
    assert len(play.opened) == 3


def test_numbers_that_do_not_follow() -> None:
    """A gap is told once and asked about anew; what came already is not told again."""
    play = Play()
    link = play.live("a")
    play.frame(link, of="a", seq=5, after=0, whole=True)
    play.frame(link, of="a", seq=6, after=5)
    play.frame(link, of="a", seq=6, after=5)
    play.frame(link, of="a", seq=8, after=7)
    play.frame(link, of="a", seq=9, after=8)
    assert [one.code for one in play.failures()] == ["sequence_gap"]
    assert play.sent[link][-1] == {"op": "unsubscribe", "args": [{"of": "a"}]}
    play.frame(link, left="a")
    play.wait(1.0)
    assert subscribed(play, link) == ["a", "a"]
    play.frame(link, ack="a")
    play.frame(link, of="a", seq=9, after=0, whole=True)
    play.frame(link, of="a", seq=10, after=9)
    assert [value["seq"] for event, value in play.told if event == "update"] == [5, 6, 9, 10]


def test_a_stream_that_gave_up_can_begin_anew() -> None:
    """Somebody put the key right: `start` begins again with everything wanted."""
    play = Play()
    link = play.live("a")
    play.frame(link, error=30011)
    assert play.session.state is State.GIVEN_UP
    play.wait(1000.0)
    assert len(play.opened) == 1
    play.take(play.session.start(play.now))
    play.restore("a")
    assert play.session.state is State.LIVE


def test_a_refusal_for_too_much_asks_again_for_what_it_named() -> None:
    """The others of the same request are acknowledged after it: they are not asked for twice."""
    play = Play()
    play.want("a", "b", "c")
    play.take(play.session.start(0.0))
    play.restore()
    play.frame(1, error=429, of="a", op="subscribe")
    play.frame(1, ack="b")
    play.frame(1, ack="c")
    play.wait(5.0)
    assert subscribed(play, 1) == ["a", "b", "c", "a"]
    play.frame(1, ack="a")
    assert play.session.state is State.LIVE
    assert len(play.failures()) == 1


def test_a_refusal_for_too_much_without_a_name() -> None:
    """After the wait what is still not answered is given up and asked for anew; nothing is asked for twice at once."""
    play = Play()
    play.want("a", "b")
    play.take(play.session.start(0.0))
    play.restore()
    play.frame(1, error=30006)
    play.frame(1, ack="b")
    play.wait(5.0)
    assert [one for one in play.sent[1] if one != "ping"][-1] == {"op": "unsubscribe", "args": [{"of": "a"}]}
    play.frame(1, left="a")
    play.wait(1.0)
    assert subscribed(play, 1) == ["a", "b", "a"]
    assert len(play.failures()) == 1


def test_every_subscription_refused_for_want_of_a_login() -> None:
    """One login for all of them, and each is asked for again after it."""
    play = Play()
    play.want("a", "b", "c")
    play.take(play.session.start(0.0))
    play.restore()
    for one in ("a", "b", "c"):
        play.frame(1, error=30004, of=one, op="subscribe")
    play.wait(1.0)
    assert [one["op"] for one in play.sent[1] if one != "ping"] == ["login", "subscribe", "login"]
    play.frame(1, login=1)
    play.wait(1.0)
    assert subscribed(play, 1) == ["a", "b", "c"] * 2
    assert len(play.failures()) == 3


def test_one_subscription_that_is_never_answered_does_not_cost_the_others() -> None:
    """It is asked for ever more slowly on a connection that is good, and told once."""
    play = Play()
    link = play.live("a", "b")
    play.want("c")
    for _ in range(600):
        play.wait(1.0)
        play.frame(link, left="c")
        play.take(play.session.frame_received(link, '"pong"', play.now))
    assert len(play.opened) == 1
    assert [one.code for one in play.failures()] == ["no_answer"]
    assert 3 < subscribed(play, link).count("c") < 9
