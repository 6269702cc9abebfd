"""The soak of the streams in small: connections broken in ten ways, and nothing lost, doubled, exceeded or left."""

from __future__ import annotations

import pytest

from benchmarks.soak import KINDS, Soak


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_nothing_is_lost_when_connections_break(version: str) -> None:
    """Each kind twice within 20 s: every subscription is there again, and every order's end was heard of."""
    soak = Soak("ours", version, disconnects=20, seconds=20, bots=3, seed=11, pace=8, rests=8)
    count = soak.run()
    assert count.disconnects == dict.fromkeys(KINDS, 2)
    assert count.ends > 20
    assert count.flawless(), count
