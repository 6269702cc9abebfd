"""Whatever comes, in whatever order: a session never raises, never asks twice, keeps every limit, and ends up live."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from resilience.streams import StreamSettings
from resilience.streams.session.session import State
from tests.streams.scripted import Play

NAMES = ("a", "b", "c")
CODES = (429, 30004, 30001, 30033, 30007, 30014, 30005, 40725, 99999)  # one for each action that is not the end
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
    st.tuples(st.just("want"), st.just(0), name),
    st.tuples(st.just("unwant"), st.just(0), name),
    st.tuples(st.just("hold"), which, st.booleans()),
    st.tuples(st.just("clock_measured"), which, st.none()),
)


class Venue(Play):
    """A venue that holds a client to its limits: what was asked for is there until it is given up or refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(limits=LIMITS, **options)
        self.there: dict[int, set[str]] = {}

    def take(self, steps: Any) -> None:
        """Do what is asked for, and see that nothing that may be there is asked for again."""
        before = {link: len(sent) for link, sent in self.sent.items()}
        super().take(steps)
        for link, sent in self.sent.items():
            for told in sent[before.get(link, 0) :]:
                if told == "ping" or told["op"] not in ("subscribe", "unsubscribe"):
                    continue
                named = [one["of"] for one in told["args"]]
                assert len(set(named)) == len(named)
                there = self.there.setdefault(link, set())
                if told["op"] == "subscribe":
                    assert not there & set(named)
                    there.update(named)
                else:
                    there.difference_update(named)

    def hear(self, link: int, told: Any) -> None:
        """Let a frame come; what it refuses by name is not there."""
        if isinstance(told, dict) and "error" in told and "of" in told:
            self.there.get(link, set()).discard(told["of"])
        text = '"pong"' if told == "pong" else told if isinstance(told, str) else json.dumps(told)
        self.take(self.session.frame_received(link, text, self.now))

    def nth(self, place: int) -> int | None:
        """Return one of the last connections."""
        numbers = sorted(self.sent, reverse=True)
        return numbers[place] if place < len(numbers) else None

    def answer(self, link: int) -> None:
        """Answer as a good venue does: everything that is open."""
        one = self.session.connections.get(link)
        if one is None:
            return
        if one.opened_at is None:
            self.take(self.session.connection_opened(link, self.now))
        if one.login_at is not None and link in self.session.connections:
            self.hear(link, {"login": 1})
        for waits in one.subscriptions.unanswered():
            self.hear(link, {"ack": waits})
        for leaves in [name for name, sub in one.subscriptions.by_id.items() if sub.state == "leaving"]:
            self.hear(link, {"left": leaves})
        self.hear(link, "pong")


def within(stamps: list[float], most: int, span: float) -> bool:
    """Tell whether no span holds more than that many."""
    return all(b - a >= span - 1e-9 for a, b in zip(stamps, stamps[most:], strict=False))


@settings(max_examples=200)
@given(st.lists(step, max_size=40), st.booleans(), st.booleans())
def test_any_script(script: list[Any], private: bool, begun: bool) -> None:
    """It never raises, nothing that may be there is asked for twice, limits hold, a good venue makes it live again."""
    play = Venue(private=private)
    play.policies.subscribe(lambda _event: None)
    play.want(*NAMES)
    play.take(play.session.start(play.now))
    if begun:
        play.restore()
    for kind, place, value in script:
        if kind == "wait":
            play.wait(place)
        elif kind == "want":
            play.want(value)
        elif kind == "unwant":
            play.take(play.session.unsubscribe([value], play.now))
        elif (link := play.nth(place)) is not None:
            if kind == "frame":
                play.hear(link, value)
            elif kind == "answer":
                play.answer(link)
            elif kind == "hold":
                play.session.pause_reader(link, value, play.now)
            elif kind == "lost":
                play.take(play.session.connection_lost(link, value, play.now))
            else:
                play.take(getattr(play.session, kind)(link, play.now))
    for _ in range(200):
        for link in list(play.session.connections):
            play.answer(link)
        if play.session.inactive_state is not None or (play.session.live and len(play.session.connections) == 1):
            break
        play.wait(1.0)
    if play.session.inactive_state is None:
        (link,) = play.session.connections.values()
        assert play.session.state in (State.LIVE, State.STALE)
        assert {one for one, sub in link.subscriptions.by_id.items() if sub.state == "live"} >= set(play.session.wanted)
    assert within(play.opened, LIMITS.connects.burst, LIMITS.connects.span)
    for number, stamps in play.stamps.items():
        assert within(stamps, LIMITS.frames.burst, LIMITS.frames.span)
        asked = [at for at, told in zip(stamps, play.sent[number], strict=True) if "subscribe" in str(told)]
        assert within(asked, LIMITS.subscribes.burst, LIMITS.subscribes.span) or "unsubscribe" in str(play.sent[number])
