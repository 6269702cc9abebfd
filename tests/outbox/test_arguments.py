"""Arguments come back exactly as they were given, or the write is refused before anything is sent."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict, UserDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Found
from resilience.outbox import Outbox
from resilience.outbox.argument_codec import FORMAT, decode_arguments, encode_arguments
from tests.outbox.bots import Bot, Killed, wrapped


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.text(st.characters(categories=["Cs", "L"])) | st.binary() | st.uuids() | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False) | st.sampled_from(["$decimal", "$dict", "$"])
    | st.datetimes(timezones=st.none() | st.just(UTC))
)  # fmt: skip
keys = st.text() | st.sampled_from(["$decimal", "$tuple", "$dict", "$"]) | st.integers() | st.none() | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(values, max_size=3).map(tuple), st.dictionaries(st.text(), values, max_size=3))
def test_what_is_stored_comes_back(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Values, types, digits and the order of mappings."""
    returned = decode_arguments(encode_arguments(args, kwargs), FORMAT)
    assert same(returned, (args, kwargs))


@pytest.mark.parametrize(
    "value",
    [
        Decimal("0.10"),
        Decimal("-0"),
        -0.0,
        10**30,
        True,
        ("a", ["b", ("c",)]),
        {"$decimal": "BTC"},
        {1: "a", "1": "b", (1, 2): "c"},
        b"\x00\xff",
        datetime(2026, 10, 25, 2, 30, fold=1),  # noqa: DTZ001  # without a zone, as some bots have it
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        date(2026, 1, 1),
        UUID(int=1),
    ],
    ids=repr,
)
def test_a_resumed_write_has_its_arguments(outbox: Outbox, value: Any) -> None:
    """Positional and by keyword, the reconciler gets what the caller had given."""
    looked_up = []

    def lookup(call: Any) -> Any:
        looked_up.append((call.args, call.kwargs))
        return Found("found")

    with pytest.raises(Killed):
        wrapped(Bot(dies=True), outbox).place(value, note=value, client_id="a")
    assert [write.outcome for write in outbox.resume(wrapped(Bot(), outbox, lookup=lookup))] == ["done"]
    assert same(looked_up, [((value,), {"note": value, "client_id": "a"})])


class Side(enum.StrEnum):
    BUY = "buy"


class Flag(enum.IntEnum):
    ON = 1


class Price(float):
    """A float of another library, such as numpy's."""


class Pair(NamedTuple):
    base: str
    quote: str


def circular() -> list[Any]:
    """Return a list that holds itself."""
    value: list[Any] = []
    value.append(value)
    return value


REFUSED: list[tuple[Any, str]] = [
    (Side.BUY, "a Side: pass a plain str"),
    (Flag.ON, "a Flag: pass a plain int"),
    (Price(1.5), "a Price: pass a plain float"),
    (Pair("BTC", "USDT"), "a Pair: pass a plain tuple"),
    (OrderedDict(a=1), "a OrderedDict: pass a plain dict"),
    (UserDict(a=1), "a UserDict; it stores None, bool, int"),
    ({1, 2}, "a set; it stores"),
    (bytearray(b"a"), "a bytearray; it stores"),
    (Fraction(1, 2), "a Fraction; it stores"),
    (time(1), "a time; it stores"),
    (math.nan, "nan is not a finite number"),
    (math.inf, "inf is not a finite number"),
    (Decimal("NaN"), "NaN is not a finite number"),
    (Decimal("-Infinity"), "-Infinity is not a finite number"),
    (datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "neither UTC nor a fixed offset"),
    (10**5000, "an int with too many digits"),
    (circular(), "refers to itself or is nested too deeply"),
    (object(), "a object; it stores"),
    (iter("ab"), "a str_ascii_iterator; it stores"),
]


@pytest.mark.parametrize(("value", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_would_come_back_differently_is_refused(outbox: Outbox, value: Any, reason: str) -> None:
    """The `TypeError` names the argument and what to pass; nothing is sent and no row is left."""
    bot = Bot()
    client = wrapped(bot, outbox)
    with pytest.raises(TypeError) as caught:
        client.place("BTC", size=value, client_id="a")
    assert "an outbox cannot store the argument 'size'" in str(caught.value)
    assert reason in str(caught.value)
    assert (bot.sent, outbox.find("a")) == ([], None)
    assert client.place("BTC", size="1", client_id="a") == "a"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (lambda bot: bot.place("BTC", {1}, client_id="a"), "number 2"),
        (lambda bot: bot.place("BTC", legs=[{"size": 1}, {"size": {1}}], client_id="a"), "'legs'[1]['size']"),
        (lambda bot: bot.place_named("BTC", {1}, client_id="a"), "'size'"),
        (lambda bot: bot.place("BTC", sizes={frozenset(): 1}, client_id="a"), "'sizes' (a key)"),
    ],
)
def test_a_refusal_names_the_argument(outbox: Outbox, place: Callable[[Any], Any], name: str) -> None:
    """By the parameter's name, else by its number, and by the way to a part of it."""

    class Named(Bot):
        def place_named(self, symbol: str, size: Any, *, client_id: str) -> str:
            raise AssertionError("sent")

    with pytest.raises(TypeError) as caught:
        place(wrapped(Named(), outbox))
    assert f"cannot store the argument {name}, a " in str(caught.value)


def test_a_key_that_no_file_can_hold_is_refused(outbox: Outbox) -> None:
    """Half of a surrogate pair is no text."""
    bot = Bot()
    with pytest.raises(TypeError, match="the key is no valid text"):
        wrapped(bot, outbox).place(client_id="\ud800")
    assert bot.sent == []
