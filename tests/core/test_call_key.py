"""Tests of what makes two calls the same: owner, function and the normal form of the arguments."""

from __future__ import annotations

import functools
from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntFlag
from fractions import Fraction
from types import MethodType
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.stages.call_key import CallKey, KeyedFunction, normal_form

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.dates()
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def read(a: Any, b: Any = 2, *more: Any, c: Any = None, **others: Any) -> None:
    """Take arguments of every kind."""


KEYED = KeyedFunction(read)


def rebuilt(value: Any) -> Any:
    """Return an equal value of the same types, of other objects, with the items of mappings in another order."""
    if isinstance(value, dict):
        return {key: rebuilt(item) for key, item in reversed(value.items())}
    if isinstance(value, (list, tuple)):
        return type(value)([rebuilt(item) for item in value])
    return value


@given(PLAIN)
def test_equal_content_has_one_form(value: Any) -> None:
    """Neither identity nor the order of a mapping makes a difference, and the form can be hashed."""
    assert normal_form(value) == normal_form(rebuilt(value))
    assert hash(normal_form(value)) == hash(normal_form(rebuilt(value)))


@given(SCALARS, SCALARS)
def test_other_content_has_another_form(one: Any, other: Any) -> None:
    """Two values with one form have one type and are written alike."""
    if normal_form(one) == normal_form(other):
        assert (type(one), repr(one)) == (type(other), repr(other))


@given(PLAIN, PLAIN, st.dictionaries(st.sampled_from(["x", "y"]), PLAIN))
def test_the_way_of_passing_makes_no_difference(a: Any, b: Any, others: dict[str, Any]) -> None:
    """By position or by name, in any order."""
    forms = [
        KEYED.key((a, b), others),
        KEYED.key((a,), {"b": b, **others}),
        KEYED.key((), {**dict(reversed(others.items())), "b": b, "a": a}),
        KEYED.key((a, b), {"c": None, **others}),
    ]
    assert forms == [forms[0]] * 4
    assert forms[0] is not None


def test_defaults_are_arguments() -> None:
    """A default that is passed, or not, is the same argument."""
    assert KEYED.key((1,), {}) == KEYED.key((1, 2), {}) != KEYED.key((1, 2, 3), {})


class Side(Enum):
    """A member of a program's own."""

    BUY = "buy"


class Flag(IntFlag):
    """Flags, which can be combined."""

    A = 1
    B = 2


NOT_GIVEN = object()
DIFFERENT = [
    NOT_GIVEN, object(),
    1, True, 1.0, 1 + 0j, "1", b"1", bytearray(b"1"), Decimal(1), Decimal("1.0"), Fraction(1), 0.0, -0.0,
    [1], (1,), {1}, frozenset({1}), {1: 1}, {True: 1}, {1: True}, None, Side.BUY, "buy", Flag.A, Flag.A | Flag.B,
    date(2026, 1, 1), datetime.fromisoformat("2026-01-01"), datetime(2026, 1, 1, tzinfo=UTC), time(1), timedelta(1),
    datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), UUID(int=1),
]  # fmt: skip


def test_values_that_are_equal_to_python_only() -> None:
    """Each of these values is another argument."""
    assert len({normal_form(value) for value in DIFFERENT}) == len(DIFFERENT)
    assert normal_form(float("nan")) == normal_form(float("nan"))
    assert normal_form(OrderedDict(a=1, b=2)) == normal_form({"b": 2, "a": 1})


class Zone(tzinfo):
    """A time zone of a program's own, whose text says nothing."""


def endless() -> list[Any]:
    """Return a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [Zone(), [Zone()], {"a": Zone()}, {Zone(): 1}, iter([1]), datetime(2026, 1, 1, tzinfo=Zone()), endless()],
)
def test_what_has_no_normal_form(value: Any) -> None:
    """An object may mean something else at the next call; so the call has no key."""
    with pytest.raises(ValueError, match="no plain data, nested too deeply, or in itself"):
        normal_form(value)
    assert KEYED.key((value,), {}) is None


def test_a_marker_of_a_missing_argument() -> None:
    """A bare object means the same at each call."""

    def get(coin: Any = NOT_GIVEN) -> None:
        """Read."""

    assert (
        KeyedFunction(get).key((), {})
        == KeyedFunction(get).key((NOT_GIVEN,), {})
        != KeyedFunction(get).key((None,), {})
    )


def test_arguments_that_do_not_fit() -> None:
    """The call itself raises the error that the caller expects."""
    assert KEYED.key((), {}) is None
    assert KeyedFunction(lambda: None).key((1,), {}) is None


class Client:
    """A client that is equal to all others."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Client)

    __hash__ = None  # type: ignore[assignment]

    def get(self, path: str = "/") -> None:
        """Read."""

    def put(self, path: str = "/") -> None:
        """Write."""

    def __call__(self, path: str = "/") -> None:
        """Read."""


def owner_of(fn: Any, *args: Any) -> Any:
    """Return the owner of a call."""
    key = KeyedFunction(fn).key(args, {})
    assert key is not None
    return key.owner


def test_whose_function_it_is() -> None:
    """A method is its object's; every other function, partial and callable object is its own."""
    client, partial = Client(), functools.partial(read, 1)
    assert owner_of(client.get) is client
    assert owner_of(Client.get, client) is client
    assert owner_of(client) is client
    assert owner_of(partial) is partial
    assert owner_of(read, 1) is read
    assert owner_of(len, "abc") is not None
    assert KeyedFunction(client.get).key((), {}) == KeyedFunction(client.get).key(("/",), {})
    assert KeyedFunction(client.get).key((), {}) != KeyedFunction(client.put).key((), {})
    key, other = (KeyedFunction(method).key((client,), {}) for method in (Client.get, Client.put))
    assert isinstance(key, CallKey)
    assert isinstance(other, CallKey)
    assert key.key != other.key


def test_functions_of_an_odd_kind() -> None:
    """A builtin without a signature is keyed by its arguments as passed; what cannot be hashed has no key."""
    assert KeyedFunction(dict).key((), {"a": 1}) == KeyedFunction(dict).key((), {"a": 1})
    assert KeyedFunction(getattr).key((1, "x"), {}) is not None
    assert KeyedFunction(MethodType(Client(), 1)).key((), {}) is None
