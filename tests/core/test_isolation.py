"""Which names only cancel, whom an isolation concerns, and how isolations stand among the holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience._core.stages.hold import Hold, Holds
from resilience._core.stages.isolation import Isolation, cancels_only, isolation_text, new_isolation


@pytest.mark.parametrize(
    "name",
    [
        "cancel_order", "cancelOrder", "cancel_all_orders", "cancel_all_orders_after", "bot.cancel",
        "POST /api/v2/spot/trade/cancel-order", "delete api.binance.com/api/v3/order", "DELETE /api/v3/openOrders",
        "Client.cancel_plan_order", "privateDeleteOrder", "fapi_private_delete_all_open_orders",
    ],
)  # fmt: skip
def test_what_only_cancels(name: str) -> None:
    """A name that says so, or a DELETE of orders."""
    assert cancels_only(name)


@pytest.mark.parametrize(
    "name",
    [
        "create_order", "edit_order", "cancel_replace_order", "POST /api/v3/order/cancelReplace", "cancel_and_create",
        "DELETE /positions/3", "order", "", "place_order_or_cancel", "delete_everything",
        "POST /api/v5/trade/amend-order", "cancel_and_reverse", "cancelThenOpenPosition", "recreate_cancelled_orders",
        "fetch_canceled_orders", "GET /deleted/orders", "POST /orders/cancelled/42/retry", "cancel_or_hedge",
    ],
)  # fmt: skip
def test_what_does_more(name: str) -> None:
    """Whatever takes on risk, and whatever is not known to cancel."""
    assert not cancels_only(name)


@pytest.mark.parametrize(
    ("policy", "by", "reason", "text"),
    [
        ("p", "hand", "why", "policy 'p' is isolated by hand, nothing was sent: why"),
        (None, "policy", "", "every policy is isolated by its settings, nothing was sent"),
        (None, "environment", "x", "every policy is isolated by $RESILIENCE_ISOLATED, nothing was sent: x"),
    ],
)
def test_the_text_says_by_whom_and_why(policy: str | None, by: str, reason: str, text: str) -> None:
    """It is what a rejected caller reads."""
    assert isolation_text(new_isolation(policy, by, reason, 1.0)) == text


def isolated(policy: str | None, by: str = "hand", since: float = 1.0) -> Isolation:
    """Return an isolation without a reason."""
    return new_isolation(policy, by, "", since)


def test_it_stands_among_the_holds_of_its_operations() -> None:
    """Of those that are there, and of those that come later; a hold beside it stays."""
    holds = Holds()
    one, other = holds.of("h", "", "one", "p"), holds.of("h", "", "other", "q")
    holds.isolate(isolated("p"))
    later = holds.of("h", "", "later", "p")
    assert [state.isolation("p") is not None for state in (one, other, later)] == [True, False, True]
    assert one.isolation("q") is None
    hold = Hold("operation", "h", "", "one", 5.0, "retry_after", "p", False)
    one.start(0.0, hold)
    assert (one.holds, one.ready_at(0.0)) == ([hold], 5.0)
    assert holds.end_isolations(holds.isolations) != []
    assert (list(one.current), list(later.current), holds.isolations) == ([hold], [], [])


def test_a_later_one_by_the_same_hand_replaces_it() -> None:
    """One by another hand stands beside it, and each ends by itself, for one caller alone."""
    holds = Holds()
    state = holds.of("", "", "one", "p")
    first, second, third = isolated("p"), isolated("p", since=2.0), isolated("p", "policy", since=3.0)
    for isolation in (first, third, second):
        holds.isolate(isolation)
    assert holds.isolations == [second, third]
    assert set(state.current) == {second, third}
    assert holds.end_isolations([first]) == []
    assert holds.end_isolations([second]) == [second]
    assert holds.end_isolations([second]) == []
    assert list(state.current) == [third]


def test_one_of_all_policies_concerns_each() -> None:
    """It has no name."""
    holds = Holds()
    holds.isolate(isolated(None))
    assert holds.of("", "", "one", "p").isolation("p") == holds.isolations[0]


class Interrupted(dict[Any, bool]):
    """The holds of an operation; a signal handler runs before each is set."""

    def __init__(self, handler: Callable[[], object]) -> None:
        super().__init__()
        self.handler = handler

    def __setitem__(self, key: Any, value: bool) -> None:
        self.handler()
        super().__setitem__(key, value)


def test_a_signal_handler_releases_what_is_just_isolated() -> None:
    """Nothing of it stays with an operation, where nobody could end it any more."""
    holds = Holds()
    state = holds.of("", "", "one", "p")
    state.current = Interrupted(lambda: holds.end_isolations(holds.isolations))
    holds.isolate(isolated("p"))
    assert (holds.isolations, dict(state.current)) == ([], {})


def test_a_signal_handler_releases_while_an_operation_is_new() -> None:
    """The operation is not rejected for ever."""
    holds = Holds()

    class Released(Isolation):
        def concerns(self, policy: str) -> bool:
            holds.end_isolations([self])
            return super().concerns(policy)

    holds.isolate(Released(*isolated("p")))
    assert dict(holds.of("", "", "one", "p").current) == {}


def test_a_signal_handler_releases_and_isolates_during_a_release() -> None:
    """Each is ended once, and what the handler has isolated stays isolated."""
    holds = Holds()
    state = holds.of("", "", "one", "p")
    first, second, later = isolated("p"), isolated(None), isolated("p", since=2.0)
    holds.isolate(first)
    holds.isolate(second)

    def interrupted() -> Iterator[Isolation]:
        yield first
        assert holds.end_isolations([first, second]) == [second]
        holds.isolate(later)
        yield second

    assert holds.end_isolations(interrupted()) == [first]
    assert (holds.isolations, list(state.current)) == ([later], [later])
