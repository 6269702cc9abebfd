"""The queues of viewers: bounded, counted, and without a subscription while nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience.console.viewers import MAX_QUEUED, Viewer, Viewers


class Subscriptions:
    """Counts the listeners, in place of policies."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Any], None]] = []

    def subscribe(self, listener: Callable[[Any], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


def test_a_full_queue_counts_what_it_drops() -> None:
    """What is queued stays; the count is given once."""
    viewer = Viewer()
    events: list[Any] = [object() for _ in range(MAX_QUEUED + 5)]
    for event in events:
        viewer.offer(event)
    assert (viewer.take_dropped(), viewer.take_dropped()) == (5, 0)
    assert [viewer.next_event(0.001) for _ in range(MAX_QUEUED + 1)] == [*events[:MAX_QUEUED], None]


def test_there_is_a_subscription_only_while_somebody_watches() -> None:
    """Without a viewer, events cost nothing."""
    subscriptions = Subscriptions()
    viewers = Viewers(subscriptions.subscribe)
    event: Any = object()
    with viewers.admit() as first:
        with viewers.admit() as second:
            assert len(subscriptions.listeners) == 1
            subscriptions.listeners[0](event)
        assert len(subscriptions.listeners) == 1
        assert (first.next_event(0.001), second.next_event(0.001)) == (event, event)
    assert subscriptions.listeners == []


def test_close_wakes_a_waiting_viewer() -> None:
    """It need not wait for its next snapshot."""
    viewers = Viewers(Subscriptions().subscribe)
    with viewers.admit() as viewer:
        viewers.close()
        assert (viewer.next_event(3600), viewer.closed) == (None, True)
