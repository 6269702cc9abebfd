"""Any frames in any order: a session never raises, never requests twice, keeps every limit, and becomes live."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.streams import StreamSettings
from resilience.streams.session.session import State
from tests.streams.session_rig import SessionRig

NAMES = ("a", "b", "c")
CODES = (
    429,
    30004,
    30001,
    30033,
    30007,
    30014,
    30005,
    40725,
    99999,
)  # one for each action except the one that gives up
LIMITS = StreamSettings(
    connects={"rate": "30/m", "burst": 5},  # type: ignore[arg-type]
    frames={"rate": "4/s", "burst": 4},  # type: ignore[arg-type]
    subscribes={"rate": "20/m", "burst": 20},  # type: ignore[arg-type]
    message_bytes=256,
    renew_after="2m",  # type: ignore[arg-type]
)

name = st.sampled_from(NAMES)
which = st.sampled_from([0, 0, 0, 0, 1, 2])  # of the last connections, mostly the last
frame = st.one_of(
    st.builds(lambda one: {"ack": one}, name),
    st.builds(lambda one: {"left": one}, name),
    st.just({"login": 1}),
    st.just("pong"),
    st.builds(lambda one, seq, back, whole: {"of": one, "seq": seq, "after": seq - back, "whole": whole, "data": seq},
              name, st.integers(1, 6), st.integers(1, 2), st.booleans()),
    st.builds(lambda code: {"error": code}, st.sampled_from(CODES)),
    st.builds(lambda code, one: {"error": code, "of": one, "op": "subscribe"}, st.sampled_from(CODES), name),
    st.sampled_from(["{", "[]", "5", '{"of": 1}', "null"]),
)  # fmt: skip
step = st.one_of(
    st.tuples(st.just("frame"), which, frame),
    st.tuples(st.just("frame"), which, frame),
    st.tuples(st.just("answer"), which, st.none()),
    st.tuples(st.just("connection_opened"), which, st.none()),
    st.tuples(st.just("lost"), which, st.sampled_from([ConnectionResetError(), KeyError("x"), OSError()])),
    st.tuples(st.just("wait"), st.sampled_from([0.3, 2.0, 2.0, 15.0, 40.0, 130.0]), st.none()),
    st.tuples(st.just("subscribe"), st.just(0), name),
    st.tuples(st.just("unwant"), st.just(0), name),
    st.tuples(st.just("hold"), which, st.booleans()),
    st.tuples(st.just("clock_measured"), which, st.none()),
)


class StrictVenue(SessionRig):
    """A rig that asserts that no subscription is requested twice.

    Attributes:
        subscribed: by connection, what was requested and neither removed nor rejected.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(limits=LIMITS, **options)
        self.subscribed: dict[int, set[str]] = {}

    def perform(self, steps: Any) -> None:
        """Perform steps, and assert that nothing that may be subscribed is requested again."""
        before = {connection: len(sent) for connection, sent in self.sent.items()}
        super().perform(steps)
        for connection, sent in self.sent.items():
            for frame in sent[before.get(connection, 0) :]:
                if frame == "ping" or frame["op"] not in ("subscribe", "unsubscribe"):
                    continue
                named = [one["of"] for one in frame["args"]]
                assert len(set(named)) == len(named)
                subscribed = self.subscribed.setdefault(connection, set())
                if frame["op"] == "subscribe":
                    assert not subscribed & set(named)
                    subscribed.update(named)
                else:
                    subscribed.difference_update(named)

    def deliver(self, connection: int, frame: Any) -> None:
        """Deliver a frame; a subscription that it rejects by name is not subscribed."""
        if isinstance(frame, dict) and "error" in frame and "of" in frame:
            self.subscribed.get(connection, set()).discard(frame["of"])
        text = '"pong"' if frame == "pong" else frame if isinstance(frame, str) else json.dumps(frame)
        self.perform(self.session.frame_received(connection, text, self.now))

    def nth(self, index: int) -> int | None:
        """Return the number of one of the latest connections, 0 being the latest."""
        numbers = sorted(self.sent, reverse=True)
        return numbers[index] if index < len(numbers) else None

    def answer(self, connection: int) -> None:
        """Answer everything that is outstanding on a connection, as a working venue does."""
        state = self.session.connections.get(connection)
        if state is None:
            return
        if state.opened_at is None:
            self.perform(self.session.connection_opened(connection, self.now))
        if state.login_at is not None and connection in self.session.connections:
            self.deliver(connection, {"login": 1})
        for id_ in state.subscriptions.unanswered():
            self.deliver(connection, {"ack": id_})
        for id_ in [id_ for id_, item in state.subscriptions.by_id.items() if item.state == "leaving"]:
            self.deliver(connection, {"left": id_})
        self.deliver(connection, "pong")


def within(send_times: list[float], most: int, span: float) -> bool:
    """Return True if no span of seconds contains more than `most` of these instants."""
    return all(b - a >= span - 1e-9 for a, b in zip(send_times, send_times[most:], strict=False))


@settings(max_examples=20)
@given(st.lists(step, max_size=40), st.booleans(), st.booleans())
def test_any_script(script: list[Any], private: bool, begun: bool) -> None:
    """It never raises or requests twice, keeps the limits, and becomes live with a working venue."""
    play(script, private, begun)


@pytest.mark.slow
@settings(max_examples=200)
@given(st.lists(step, max_size=40), st.booleans(), st.booleans())
def test_any_of_many_scripts(script: list[Any], private: bool, begun: bool) -> None:
    """The same with ten times as many scripts."""
    play(script, private, begun)


def play(script: list[Any], private: bool, begun: bool) -> None:
    """Run a script, then let the venue work, and check what came of it."""
    rig = StrictVenue(private=private)
    rig.policies.subscribe(lambda _event: None)
    rig.subscribe(*NAMES)
    rig.perform(rig.session.start(rig.now))
    if begun:
        rig.bring_live()
    for kind, index, value in script:
        if kind == "wait":
            rig.wait(index)
        elif kind == "subscribe":
            rig.subscribe(value)
        elif kind == "unwant":
            rig.perform(rig.session.unsubscribe([value], rig.now))
        elif (connection := rig.nth(index)) is not None:
            if kind == "frame":
                rig.deliver(connection, value)
            elif kind == "answer":
                rig.answer(connection)
            elif kind == "hold":
                rig.session.pause_reader(connection, value, rig.now)
            elif kind == "lost":
                rig.perform(rig.session.connection_lost(connection, value, rig.now))
            else:
                rig.perform(getattr(rig.session, kind)(connection, rig.now))
    for _ in range(200):
        for connection in list(rig.session.connections):
            rig.answer(connection)
        if rig.session.inactive_state is not None or (rig.session.live and len(rig.session.connections) == 1):
            break
        rig.wait(1.0)
    if rig.session.inactive_state is None:
        (connection,) = rig.session.connections.values()
        assert rig.session.state in (State.LIVE, State.STALE)
        by_id = connection.subscriptions.by_id
        assert {id_ for id_, item in by_id.items() if item.state == "live"} >= set(rig.session.wanted)
    assert within(rig.open_times, LIMITS.connects.burst, LIMITS.connects.span)
    for number, send_times in rig.send_times.items():
        assert within(send_times, LIMITS.frames.burst, LIMITS.frames.span)
        requested = [at for at, frame in zip(send_times, rig.sent[number], strict=True) if "subscribe" in str(frame)]
        assert within(requested, LIMITS.subscribes.burst, LIMITS.subscribes.span) or "unsubscribe" in str(
            rig.sent[number]
        )
