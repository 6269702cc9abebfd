"""Order books that a checksum or a number checks: what is handed on, and what a book that is wrong leads to."""

from __future__ import annotations

import decimal
from typing import Any

import pytest

from tests.streams.session_rig import LIMITS, SessionRig

WHOLE: dict[str, Any] = {
    "of": "a",
    "whole": True,
    "bids": ["10.0x1"],
    "asks": ["11.0x1"],
    "sum": "10.0x1 11.0x1",
    "data": 0,
}


def change(
    words: str | None, bids: list[str] | None = None, asks: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    """Return an update of a book."""
    return {"of": "a", "bids": bids or [], "asks": asks or [], "sum": words, "data": [words, more], **more}


def handed_on(rig: SessionRig) -> list[Any]:
    """Return the checksums of the updates that were handed on."""
    return [value["sum"] for event, value in rig.emitted if event == "update"]


def asked(rig: SessionRig, connection: int) -> list[str]:
    """Return the operations that were sent."""
    return [frame["op"] for frame in rig.sent[connection] if frame != "ping"]


def renew(rig: SessionRig, connection: int) -> None:
    """Answer the request to remove the book, and the one for a new snapshot."""
    rig.frame(connection, left="a")
    rig.wait(1.0)
    rig.frame(connection, ack="a")


def test_a_book_that_fits_is_handed_on() -> None:
    """Levels are set, replaced, removed and sorted by their number; the texts stay as the venue wrote them."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, **WHOLE)
    sums = [
        "10.0x0.50 9.0x7 11.0x1",
        "10.0x0.50 9.0x7 10.5x2 11.0x1",
        "9.0x7 8x1 10.5x2 11.0x1",
        "9.00x3 8x1 10.5x2 11.0x1",
    ]
    rig.frame(connection, **change(sums[0], ["9.0x7", "10.0x0.50"]))
    rig.frame(connection, **change(sums[1], [], ["10.5x2", "100x5"]))
    rig.frame(connection, **change(sums[2], ["10x0.000", "8x1", "7x0"]))
    rig.frame(connection, **change(sums[3], ["9.00x3"]))
    assert handed_on(rig) == [WHOLE["sum"], *sums]
    assert rig.failures() == []


def test_a_book_that_does_not_fit() -> None:
    """It is told once and requested again; nothing of it is handed on before a snapshot that fits."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, **WHOLE)
    rig.frame(connection, **change("10.0x1 11.0x3", [], []))
    rig.frame(connection, **change("10.0x1 11.0x1", [], []))
    (failure,) = rig.failures()
    assert (failure.code, failure.arg, failure.action_text) == ("sequence_gap", {"of": "a"}, "subscribes to it again")
    assert rig.sent[connection][-1] == {"op": "unsubscribe", "args": [{"of": "a"}]}
    renew(rig, connection)
    assert asked(rig, connection) == ["subscribe", "unsubscribe", "subscribe"]
    rig.frame(connection, **WHOLE)
    rig.frame(connection, **change("10.0x2 11.0x1", ["10.0x2"]))
    assert handed_on(rig) == [WHOLE["sum"], WHOLE["sum"], "10.0x2 11.0x1"]
    assert len(rig.failures()) == 1


@pytest.mark.parametrize("wrong", [change("5x1", ["6x1"]), {**WHOLE, "sum": "12x1"}], ids=["update", "snapshot"])
def test_a_book_that_is_wrong_from_the_start(wrong: dict[str, Any]) -> None:
    """An update without a snapshot before it, and a snapshot that does not fit, are no books."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, **wrong)
    assert [one.code for one in rig.failures()] == ["sequence_gap"]
    assert handed_on(rig) == []


def test_a_book_that_never_fits_is_requested_ever_more_slowly() -> None:
    """It does not use up the requests of the other subscriptions, and each event says how long the client waits."""
    rig = SessionRig(private=False)
    connection = rig.live("a", "b")
    for _ in range(5):
        rig.frame(connection, **{**WHOLE, "sum": "12x1"})
        rig.wait(rig.failures()[-1].wait_for or 0.0)
        assert asked(rig, connection)[-1] == "unsubscribe"
        renew(rig, connection)
        assert asked(rig, connection)[-1] == "subscribe"
    waits = [one.wait_for for one in rig.failures()]
    assert waits == [None, 1.0, 1.0, 1.0, 2.0]
    assert rig.failures()[-1].action_text == "subscribes to it again in 2 s"
    assert handed_on(rig) == []
    rig.frame(connection, **WHOLE)
    rig.clock.advance(61.0)
    rig.frame(connection, **change("12x1"))
    assert (rig.failures()[-1].code, rig.failures()[-1].wait_for) == (
        "sequence_gap",
        None,
    )


def test_a_book_without_a_checksum_is_handed_on() -> None:
    """Where the venue sends none there is nothing to compare; a later one is compared with all changes before it."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, **{**WHOLE, "sum": None})
    rig.frame(connection, **change(None, ["10.0x2"]))
    rig.frame(connection, **change("10.0x2 11.0x1"))
    assert handed_on(rig) == [None, None, "10.0x2 11.0x1"]


@pytest.mark.parametrize("level", ["NaNx1", "Infinityx1", "ten x1", "10xone", "10xNaN"])
def test_levels_that_are_no_numbers(level: str) -> None:
    """They make the book wrong, and end nothing."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, **WHOLE)
    rig.frame(connection, **change(WHOLE["sum"], [level]))
    assert [one.code for one in rig.failures()] == ["sequence_gap"]


def test_prices_keep_all_their_digits() -> None:
    """The precision of the program's decimal context changes no price."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    with decimal.localcontext(prec=2):
        rig.frame(connection, **{**WHOLE, "bids": ["1.2345x1", "1.2346x1"], "asks": [], "sum": "1.2346x1 1.2345x1"})
        rig.frame(connection, **change("1.2346x1", ["1.2345x0"]))
    assert rig.failures() == []


def test_a_book_of_a_subscription_that_was_removed() -> None:
    """Nothing of it is told, and it begins anew with the next snapshot."""
    rig = SessionRig(private=False)
    connection = rig.live("a", "b")
    rig.frame(connection, **WHOLE)
    rig.perform(rig.session.unsubscribe(["a"], rig.now))
    rig.frame(connection, **change("x"))
    rig.frame(connection, left="a")
    rig.subscribe("a")
    rig.frame(connection, ack="a")
    rig.frame(connection, **WHOLE)
    assert rig.failures() == []
    assert handed_on(rig) == [WHOLE["sum"]] * 2
    rig.frame(connection, **{**change("x"), "of": "unknown"})
    assert rig.failures()[-1].action_text == "continues without this book"


def test_two_connections_have_books_of_their_own() -> None:
    """While a successor takes over, each update is handed on once and in order."""
    rig = SessionRig(private=False)
    first = rig.live("a")
    rig.frame(first, **WHOLE, seq=10)
    rig.frame(first, error=30033)
    second = rig.bring_live()
    two, three = "10.0x2 11.0x1", "10.0x3 11.0x1"
    rig.frame(first, **change(two, ["10.0x2"], seq=11))
    rig.frame(second, ack="a")
    rig.frame(second, **WHOLE, seq=10)  # older than what the first connection has delivered
    rig.frame(second, **change(two, ["10.0x2"], seq=11))
    rig.frame(second, **change(three, ["10.0x3"], seq=12))
    rig.frame(first, **change(three, ["10.0x3"], seq=12))
    rig.frame(first, **change("nonsense", seq=13))  # it is left anyway
    assert handed_on(rig) == [WHOLE["sum"], two, three]
    rig.wait(2 * LIMITS.linger + 0.2)
    rig.frame(second, **change("10.0x3 11.0x2", [], ["11.0x2"], seq=3))  # the venue numbers anew
    assert handed_on(rig)[-1] == "10.0x3 11.0x2"
    assert [one.code for one in rig.failures()] == ["30033"]


def numbers(rig: SessionRig) -> list[int]:
    """Return the numbers of the updates that were handed on."""
    return [value["seq"] for event, value in rig.emitted if event == "update"]


def test_the_first_update_after_a_snapshot_may_begin_before_it() -> None:
    """A venue cuts updates as it likes: one that begins before the snapshot and ends after it misses nothing."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, of="a", seq=105, after=0, whole=True)
    rig.frame(connection, of="a", seq=107, after=103)
    rig.frame(connection, of="a", seq=109, after=107)
    assert numbers(rig) == [105, 107, 109]
    assert rig.failures() == []


@pytest.mark.parametrize("seq", [3, 300])
def test_numbers_that_begin_again(seq: int) -> None:
    """An update that follows none makes the book unknown; it is requested again and not silently dropped for good."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, of="a", seq=105, after=0, whole=True)
    rig.frame(connection, of="a", seq=seq, after=0)
    assert [one.code for one in rig.failures()] == ["sequence_gap"]
    renew(rig, connection)
    rig.frame(connection, of="a", seq=seq + 2, after=0, whole=True)
    rig.frame(connection, of="a", seq=seq + 3, after=seq + 2)
    assert numbers(rig) == [105, seq + 2, seq + 3]


def test_a_snapshot_that_comes_unasked() -> None:
    """On one connection a snapshot holds even with a lower number: the venue has begun again."""
    rig = SessionRig(private=False)
    connection = rig.live("a")
    rig.frame(connection, of="a", seq=105, after=0, whole=True)
    rig.frame(connection, of="a", seq=2, after=0, whole=True)
    rig.frame(connection, of="a", seq=3, after=2)
    assert numbers(rig) == [105, 2, 3]


def test_a_gap_on_a_connection_that_is_left() -> None:
    """The book is requested again on the connection that replaced it, which would else wait for a snapshot for ever."""
    rig = SessionRig(private=False)
    first = rig.live("a")
    rig.frame(first, error=30033)
    second = rig.bring_live()
    rig.frame(second, ack="a")
    rig.frame(second, of="a", seq=5, after=0, whole=True)
    rig.frame(first, of="a", seq=9, after=8)
    assert rig.sent[second][-1] == {"op": "unsubscribe", "args": [{"of": "a"}]}
