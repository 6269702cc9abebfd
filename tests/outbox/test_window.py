"""A request that says that it is accepted for longer than usual: a later process waits for as long."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from resilience import NOT_FOUND, Policies, current_call, wrap
from resilience.bitget import BitgetClient
from resilience.outbox import Outbox
from resilience.outbox.row_match import resolve_row
from resilience.testing import FakeClock
from tests.outbox.bots import STAMP, Killed


class Sender:
    """A client whose request says how long it is accepted. `fence_of` makes its bounds of its own."""

    def __init__(self, window: float | None, *, dies: bool = False) -> None:
        self._window = window
        self._dies = dies

    def place(self, *, client_id: str = "") -> str:
        """Sign, and report what the request says."""
        call = current_call()
        assert call is not None
        call.stamp(STAMP)
        if self._window is not None:
            call.report_fence(dataclasses.replace(default_fence(), window=self._window))
        if self._dies:
            raise Killed
        return client_id


def default_fence() -> Any:
    """Return the bounds that hold where nothing is said: W 30 s, P 3 s, L 2 s."""
    from resilience.integrations.ccxt.exchange_support import Fence

    return Fence()


@pytest.mark.parametrize(("window", "waits"), [(None, 65.0), (10.0, 65.0), (60.0, 125.0)])
def test_the_longest_window_that_was_sent_counts_after_a_restart(
    outbox: Outbox, window: float | None, waits: float
) -> None:
    """Without the server's time it is 2 W + P + L."""
    with pytest.raises(Killed):
        bot(Sender(window, dies=True), outbox, FakeClock()).place(client_id="a")
    (row,) = outbox.open
    assert row.window == (window if window == 60.0 else None)
    clock = FakeClock()
    (write,) = outbox.resume(bot(Sender(window), outbox, clock))
    assert write.outcome == "failed"
    assert sum(clock.sleeps) == pytest.approx(waits, abs=0.1)


def bot(raw: Sender, outbox: Outbox, clock: FakeClock) -> Any:
    """Return the client under a policy whose deadline is long enough, and whose lookups find nothing."""
    settings = {"version": 1, "policies": {"trade": {"extends": "default", "deadline": "300s"}}}
    lookup: Callable[[Any], Any] = lambda _call: NOT_FOUND  # noqa: E731
    rules: dict[str, Any] = {"place": {"key": "client_id", "reconcile": lookup}}
    return wrap(raw, "trade", operations=rules, policies=Policies.from_mapping(settings, clock=clock), outbox=outbox)


@pytest.mark.parametrize(("own", "known"), [(50.0, 50.0), (5.0, 20.0)])
def test_the_receive_window_of_the_client_that_sent_it_counts(outbox: Outbox, own: float, known: float) -> None:
    """The bot was restarted with another one; what was signed before is accepted for as long as it said then."""

    def client(window: float) -> Any:
        policies = Policies.from_mapping({"policies": {"trade": {"extends": "bitget"}}}, clock=FakeClock())
        raw = BitgetClient("key", "secret", "phrase", base_url="http://127.0.0.1:9", receive_window=window)
        return wrap(raw, "trade", policies=policies, outbox=outbox)

    with pytest.raises(Exception, match="refused"):
        client(own).spot_place_order(
            symbol="BTCUSDT", side="buy", orderType="market", force="gtc", size="1", clientOid="a"
        )
    (row,) = outbox.rows("failed")
    assert row.window == own
    fence = resolve_row(client(20.0), row).info.fence
    assert fence is not None
    assert fence.window == known
