"""The `stream` section of a policy: validation, inheritance, and scaling for a sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from resilience import Policies, PolicyError
from resilience.streams import MessageRate, StreamSettings


def test_the_built_in_limits_stay_below_those_of_bitget() -> None:
    """300 connects in 5 minutes, 240 subscribe requests an hour, 10 frames a second, a ping within 2 minutes."""
    limits = Policies.builtin().policy("bitget-ws").stream
    assert limits is not None
    for pace, most, span in ((limits.connects, 300, 300), (limits.subscribes, 240, 3600), (limits.frames, 10, 1)):
        assert pace.burst < most
        assert pace.span >= span - 1e-6
    assert limits.message_bytes <= 4096
    assert limits.ping + limits.pong_within < 120
    assert limits.renew_after is not None
    assert limits.renew_after < 24 * 3600


def test_a_mistake_is_reported_with_its_position(tmp_path: Path) -> None:
    """A message has file, line, column, path, and the allowed range."""
    path = tmp_path / "bot.yaml"
    path.write_text("policies:\n  s:\n    stream: {ping: 0s, frames: {rate: 10}, overflow: never}\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        Policies.load(path)
    assert [str(one).partition("bot.yaml:")[2] for one in caught.value.problems] == [
        "3:20: policies.s.stream.ping: '0s' is out of range (more than 0s, up to 1h)",
        "3:54: policies.s.stream.overflow: 'never' is not one of block, drop_oldest, latest",
    ]


def test_a_child_policy_overrides_its_parents_limits(tmp_path: Path) -> None:
    """A child policy overrides single settings of its parent's section."""
    settings = {"extends": "bitget-ws", "stream": {"queue": 5, "frames": {"burst": 4}}}
    limits = Policies.from_mapping({"policies": {"s": settings}}).policy("s").stream
    assert limits is not None
    assert (limits.queue, limits.frames, limits.ping) == (5, MessageRate(rate=8, burst=4), 30.0)
    assert (
        Policies.from_mapping({"policies": {"s": {"extends": "bitget-ws", "stream": "off"}}}).policy("s").stream is None
    )


def test_scaling() -> None:
    """Durations are divided and rates multiplied; counts stay."""
    limits = StreamSettings().scaled(20)
    assert (limits.ping, limits.frames.rate, limits.frames.burst, limits.queue) == (1.5, 160.0, 8, 10_000)
    assert limits.connects.span == pytest.approx(15.0)
