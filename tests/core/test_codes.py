"""Tests of code tables: lookups, equality and texts."""

from __future__ import annotations

import pytest

from resilience import Category, CodeRegistry, Rule
from resilience._core.classify.failure import Failure
from resilience._core.policy.codes import Envelope, ItemList


def new_table(name: str = "api", **fields: object) -> CodeRegistry:
    """Return a table of two codes."""
    rules = [Rule("1", ("ONE", "X")), Rule("01", ("X",), Category.FATAL, "no")]
    return CodeRegistry(name, rules, texts=[("no funds", "01"), ("funds", "1")], **fields)  # type: ignore[arg-type]


def test_rows_are_found_by_code_name_and_text() -> None:
    """Leading zeros count; a name of two codes means the first one; the first matching text applies."""
    table = new_table()
    assert (table.rule("1"), table.rule("01"), table.rule("001")) == (Rule("1", ("ONE", "X")), list(table)[1], None)
    assert (table.named("ONE"), table.named("X"), table.named("1")) == (table.rule("1"), table.rule("1"), None)
    assert (table.by_text("you have no funds"), table.by_text("funds"), table.by_text("")) == (
        table.rule("01"),
        table.rule("1"),
        None,
    )
    assert table.texts == (("no funds", "01"), ("funds", "1"))


def test_the_content_of_a_table() -> None:
    """A table has a length, codes and a repr."""
    table = new_table()
    assert ("1" in table, "2" in table, len(table), [rule.code for rule in table]) == (True, False, 2, ["1", "01"])
    assert repr(table) == "<CodeRegistry api: 2 codes>"


def test_equal_tables() -> None:
    """Tables of equal rows are equal, so a reload without changes reports none."""
    assert new_table() == new_table()
    assert hash(new_table()) == hash(new_table())
    assert new_table() != new_table("other")
    assert new_table() != new_table(sources=["ccxt"])
    assert new_table() != new_table(envelope=Envelope("code"))
    assert (new_table() == "api") is False


def test_of_two_rows_with_one_code_the_later_wins() -> None:
    """A file may replace a row."""
    assert CodeRegistry("api", [Rule("1"), Rule("1", hint="backoff")]).rule("1") == Rule("1", hint="backoff")


@pytest.mark.parametrize(
    ("record", "values"),
    [
        (Rule("1"), ("1", (), None, "maybe", "none", "", False, False, "", (), "", ())),
        (ItemList(("data",), "code"), (("data",), "code", "", "", False, "")),
        (Envelope("code"), ("code", "", frozenset(), "", (), (), (), (), frozenset(), "")),
        (
            Failure(Category.FATAL),
            (
                Category.FATAL,
                None,
                (),
                None,
                None,
                "maybe",
                None,
                None,
                "",
                1,
                None,
                None,
                None,
                "none",
                False,
                True,
                False,
                None,
                (),
                "none",
                None,
                False,
                None,
            ),
        ),
    ],
    ids=lambda record: type(record).__name__,
)
def test_defaults(record: object, values: tuple[object, ...]) -> None:
    """Rows, envelopes and failures are frozen and have these defaults."""
    names = [name for name, field in record.__dataclass_fields__.items() if field.init]  # type: ignore[attr-defined]
    assert tuple(getattr(record, name) for name in names) == values
    assert record == type(record)(*values)
    with pytest.raises(AttributeError):
        setattr(record, next(iter(record.__dataclass_fields__)), "x")  # type: ignore[attr-defined]
