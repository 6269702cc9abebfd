"""A short soak of the streams: connections break in ten ways, and nothing is lost, duplicated, exceeded or left."""

from __future__ import annotations

import pytest

from benchmarks.soak import KINDS, Soak


@pytest.mark.parametrize("version", ["v2", pytest.param("v3", marks=pytest.mark.slow)])
def test_nothing_is_lost_when_connections_break(version: str) -> None:
    """Each kind of break twice within 20 s: every subscription is restored, and every order's end arrives."""
    soak = Soak("ours", version, disconnects=20, seconds=20, bots=3, seed=11, pace=8, rests=8)
    result = soak.run()
    assert result.disconnects == dict.fromkeys(KINDS, 2)
    assert result.ends > 20
    assert result.flawless(), result
