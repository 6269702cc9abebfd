"""Tests of where a call's idempotency key travels."""

from __future__ import annotations

from typing import Any

import pytest

from resilience._core.call.idempotency_key import KeySlot


def order(symbol: str, client_id: str | None = None, *, params: Any = None) -> None:
    """A function with a positional, a keyword and a mapping parameter."""


def anything(*args: Any, **kwargs: Any) -> None:
    """A function that takes any arguments."""


def slot(path: str, fn: Any = order) -> KeySlot:
    """Return a slot whose generated keys are `new`."""
    return KeySlot(path, fn, lambda: "new")


@pytest.mark.parametrize(
    ("path", "args", "kwargs", "expected"),
    [
        ("client_id", ("BTC",), {}, ("new", ("BTC",), {"client_id": "new"})),
        ("client_id", ("BTC", "mine"), {}, ("mine", ("BTC", "mine"), {})),
        ("client_id", ("BTC", None), {}, ("new", ("BTC", "new"), {})),
        ("client_id", ("BTC", ""), {"params": 1}, ("new", ("BTC", "new"), {"params": 1})),
        ("client_id", ("BTC",), {"client_id": 7}, ("7", ("BTC",), {"client_id": 7})),
        ("symbol", (None, "x"), {}, ("new", ("new", "x"), {})),
        ("params.id", ("BTC",), {}, ("new", ("BTC",), {"params": {"id": "new"}})),
        ("params.id", ("BTC",), {"params": {"id": 5, "a": 1}}, ("5", ("BTC",), {"params": {"id": 5, "a": 1}})),
        ("params.id", ("BTC",), {"params": {"id": "", "a": 1}}, ("new", ("BTC",), {"params": {"id": "new", "a": 1}})),
        ("params.id|other", (), {"params": {"other": "o"}}, ("o", (), {"params": {"other": "o"}})),
        (
            "params.id|other",
            (),
            {"params": {"id": "i", "other": "o"}},
            ("i", (), {"params": {"id": "i", "other": "o"}}),
        ),
        ("params.id|other", (), {"params": None}, ("new", (), {"params": {"id": "new"}})),
        ("client_id.id", ("BTC", {"a": 1}), {}, ("new", ("BTC", {"a": 1, "id": "new"}), {})),
    ],
)
def test_a_key_is_found_or_inserted(path: str, args: Any, kwargs: Any, expected: Any) -> None:
    """A key is read by position, by keyword or inside a mapping; None and an empty string are no key."""
    assert slot(path).fill(args, kwargs) == expected


def test_arguments_are_not_changed() -> None:
    """The caller's mapping is copied."""
    kwargs = {"params": {"a": 1}}
    slot("params.id").fill((), kwargs)
    assert kwargs == {"params": {"a": 1}}


def test_a_keyword_goes_by_keyword_where_the_function_takes_any() -> None:
    """A function with `**kwargs` or without a signature gets the key as a keyword."""
    assert slot("id", anything).fill(("a", "b"), {}) == ("new", ("a", "b"), {"id": "new"})
    assert slot("id", max).fill((1,), {}) == ("new", (1,), {"id": "new"})
    assert slot("params", order).fill(("a", "b"), {}) == ("new", ("a", "b"), {"params": "new"})


def place_only(symbol: str, /) -> None:
    """A function whose parameter is positional-only."""


class Silent:
    """A callable without a name."""

    def __call__(self, a: int) -> None:
        """Take one argument."""


@pytest.mark.parametrize(
    ("fn", "path", "message"),
    [
        (order, "odd", r"order\(\) takes no keyword parameter 'odd' to carry the key"),
        (place_only, "symbol", r"place_only\(\) takes no keyword parameter 'symbol'"),
        (Silent(), "odd", r"Silent\(\) takes no keyword parameter 'odd'"),
        (order, 3, "key names a parameter, got int"),
    ],
)
def test_a_missing_parameter_is_a_mistake(fn: Any, path: Any, message: str) -> None:
    """It is reported when the function is wrapped, not at its first call."""
    with pytest.raises(TypeError, match=message):
        slot(path, fn)
