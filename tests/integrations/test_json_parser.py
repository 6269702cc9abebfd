"""A frame has the same values whether `msgspec` parses it or the standard library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.integrations import json_parser

PARSERS = [json_parser.parse_json, json_parser._parse_by_standard_library]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def outcome(parse: Any, text: str) -> str:
    """Return what a parser makes of a text: the value with the types of its numbers, or the class of the error."""
    try:
        return repr(parse(text))
    except Exception as error:
        return type(error).__name__


@given(VALUES)
def test_any_value(value: Any) -> None:
    """NaN, infinities, lone surrogates and integers of any length too."""
    text = json.dumps(value)
    for parse in PARSERS:
        assert outcome(parse, text) == outcome(json.loads, text)


@pytest.mark.parametrize(
    "text",
    [
        "18446744073709551616", "-9223372036854775809", "-0", "-0.0", "1e400", "1E5", "9007199254740993.0", "0.1e-400",
        "0.10000000000000000555", '{"a":1,"a":2}', "NaN", "-Infinity", '"\\ud800"', '"\t"', "[1,]", " 1 ", "\ufeff1",
        '{"a":1}x', "01", "1" * 5000, "[" * 300 + "]" * 300, "", "nan", "'a'",
    ],
)  # fmt: skip
def test_what_parsers_differ_in(text: str) -> None:
    """Large integers stay integers, the last of equal keys counts, and what is refused is refused with one error."""
    for parse in PARSERS:
        assert outcome(parse, text) == outcome(json.loads, text)
