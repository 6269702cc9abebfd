"""Tests of the settings classes: values are read by their annotations, and bad ones are rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import pytest

from resilience import Category, Policy, PolicyError
from resilience._core.policy.contradictions import WRONG, Contradiction, Rule, own_contradictions
from resilience._core.policy.section import Section, changed, contradictions, unchecked
from resilience._core.policy.units import Spec
from resilience._core.policy.value_text import listed, one_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Part(Section):
    """A section inside another."""

    size: Annotated[int, Spec("count", 1, 3)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Section):
    """One field of each kind."""

    name: str = "n"
    flag: bool = False
    category: Category = Category.FATAL
    kind: Literal["a", "b", 1, True] = "a"
    ask: Callable[..., Any] = len
    part: Part = field(default_factory=Part)
    perhaps: Part | None = None
    either: Literal["x"] | Callable[..., Any] | None = None
    parts: tuple[Part, ...] = ()
    named: Mapping[str, Part] = field(default_factory=dict)
    anything: Any = None


def test_good_values_are_read() -> None:
    """Mappings become sections at any depth; words become categories; None stays None."""
    whole = Whole(
        name="m", flag=True, category="retryable", kind="b", ask=max, part={"size": 2}, perhaps={"size": 3},
        either=min, parts=[{"size": 2}, Part()], named={"one": {"size": 3}}, anything=[1],
    )  # type: ignore[arg-type]  # fmt: skip
    assert whole == Whole(
        name="m", flag=True, category=Category.RETRYABLE, kind="b", ask=max, part=Part(size=2), perhaps=Part(size=3),
        either=min, parts=(Part(size=2), Part()), named={"one": Part(size=3)}, anything=[1],
    )  # fmt: skip
    assert (whole.category is Category.RETRYABLE, type(whole.parts), Whole(either="x").either) == (True, tuple, "x")
    assert Whole(perhaps=None).perhaps is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": 3}, "name: expected a string, got a int"),
        ({"flag": 1}, "flag: expected a bool, got a int"),
        ({"category": "odd"}, "category: 'odd' is not a valid Category"),
        ({"kind": "c"}, "kind: 'c' is not one of a, b, 1, true"),
        ({"kind": False}, "kind: False is not one of"),
        ({"ask": 3}, "ask: expected a function, got a int"),
        ({"part": 3}, "part: expected a mapping with size (or Part), got int"),
        ({"part": {"size": 4}}, "part.size: 4 is out of range (1 to 3)"),
        ({"part": {"size": 1, "sise": 1, "odd": 2}}, "part: unknown sise, odd; available: size"),
        ({"perhaps": {"size": 0}}, "perhaps.size: 0 is out of range"),
        ({"perhaps": len}, "perhaps: expected a mapping with size (or Part), got builtin_function_or_method"),
        ({"either": "y"}, "either: 'y' is not one of x"),
        ({"parts": "text"}, "parts: expected a list, got a str"),
        ({"parts": {"size": 1}}, "parts: expected a list, got a dict"),
        ({"parts": 3}, "parts: expected a list, got a int"),
        ({"named": [1]}, "named: expected a mapping, got a list"),
        ({"named": {1: {}}}, "named: expected a string, got a int"),
    ],
)
def test_a_bad_value_is_rejected_with_its_path(settings: dict[str, Any], message: str) -> None:
    """The message is one line with the path and the allowed values."""
    with pytest.raises(PolicyError) as caught:
        Whole(**settings)
    (problem,) = caught.value.problems
    assert f"{problem.path}: {problem.message}".startswith(message)
    assert (problem.line, problem.column) == (0, 0)


def test_all_mistakes_are_reported_together() -> None:
    """The error lists every mistake, so that they can be fixed in one go."""
    with pytest.raises(PolicyError) as caught:
        Policy(deadline="-1s", retry={"max_attempts": 0, "backoff": {"factor": 0}}, classify_results="odd")  # type: ignore[arg-type]
    assert [problem.path for problem in caught.value.problems] == [
        "deadline",
        "retry.max_attempts",
        "retry.backoff.factor",
        "classify_results",
    ] or sorted(problem.path for problem in caught.value.problems) == [
        "deadline",
        "classify_results",
        "retry.backoff.factor",
        "retry.max_attempts",
    ]


def test_one_is_not_true() -> None:
    """1 is not accepted for true, nor true for 1."""
    assert one_of((1, True), True) is True
    assert (one_of((1, True), 1), type(one_of((True, 1), 1))) == (1, int)
    with pytest.raises(ValueError, match="1 is not one of true, false"):
        one_of((True, False), 1)
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the words are compared below
        one_of(("a",), "x" * 100)
    assert str(caught.value) == f"'{'x' * 56}... is not one of a"
    assert listed((True, "b", 3)) == "true, b, 3"


def test_a_section_cannot_be_changed() -> None:
    """Settings are shared by threads and checked once."""
    with pytest.raises(AttributeError):
        Whole().name = "other"  # type: ignore[misc]


def uneven(whole: Any) -> Iterator[Contradiction]:
    """Find a size that differs from the number of parts."""
    if whole.parts and whole.part.size != len(whole.parts):
        yield Contradiction("part.size", f"{whole.part.size} is not {len(whole.parts)}", "parts")


def unnamed(whole: Any) -> Iterator[Contradiction]:
    """Find a flag without a name."""
    if whole.flag and whole.name == "n":
        yield Contradiction("flag", "needs a name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled(Whole):
    """Settings that may contradict each other."""

    RULES: ClassVar[tuple[Rule, ...]] = (uneven, unnamed)


def mistakes(kind: type[Section], **settings: Any) -> list[str]:
    """Return the mistakes in settings, each with its path."""
    try:
        kind(**settings)
    except PolicyError as error:
        return [f"{problem.path}: {problem.message}" for problem in error.problems]
    return []


def test_contradictions_are_reported_with_the_other_mistakes() -> None:
    """A rule is left out only where it reads a setting that has a mistake of its own."""
    assert mistakes(Ruled, flag=True) == ["flag: needs a name"]
    assert mistakes(Ruled, flag=True, category="odd", parts=[{}, {}]) == [
        "category: 'odd' is not a valid Category",
        "part.size: 1 is not 2",
        "flag: needs a name",
    ]
    assert mistakes(Ruled, flag=True, part={"size": 9}, parts=[{}, {}]) == [
        "part.size: 9 is out of range (1 to 3)",
        "flag: needs a name",
    ]
    assert mistakes(Ruled, flag=3, parts=[{}, {"size": 9}]) == [
        "flag: expected a bool, got a int",
        "parts[1].size: 9 is out of range (1 to 3)",
        "part.size: 1 is not 2",
    ]


def test_contradictions_in_the_sections_below_have_their_paths() -> None:
    """Also in sections of a list, or by name."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Above(Section):
        one: Any = None
        several: Any = ()
        named: Any = None

    wrong = unchecked(Ruled, {"flag": True})
    above = unchecked(Above, {"one": wrong, "several": (1, wrong), "named": {"a": wrong, "b": 2}})
    assert [found.path for found in contradictions(above)] == ["one.flag", "several[1].flag", "named.a.flag"]
    uneven_parts = unchecked(Ruled, {"parts": (Part(), Part())})
    assert contradictions(unchecked(Above, {"one": uneven_parts})) == [("one.part.size", "1 is not 2", "one.parts")]


def test_a_wrong_value_ends_every_rule_that_reads_it() -> None:
    """Whatever the rule does with it, no second mistake follows from the first."""
    reads: list[Rule] = [
        lambda _: WRONG.name, lambda _: WRONG > 1, lambda _: WRONG < 1, lambda _: WRONG != 1, lambda _: [*WRONG],
        lambda _: sum((1, WRONG)), lambda _: f"{WRONG:g}", lambda _: WRONG(1), lambda _: WRONG[0], lambda _: 1 in WRONG,
        lambda _: [1] if WRONG else [2], lambda _: 2 * WRONG, lambda _: WRONG - 1, lambda _: len(WRONG),
    ]  # fmt: skip
    assert list(own_contradictions([*reads, unnamed], Whole(flag=True))) == [("flag", "needs a name", "")]
    assert repr(WRONG) == "WRONG"


def test_unchecked_settings_are_equal_to_checked_ones() -> None:
    """The values that are not given have their defaults; a copy has the other values."""
    assert unchecked(Whole, {"name": "m"}) == Whole(name="m")
    assert changed(Whole(name="m", flag=True), name="o") == Whole(name="o", flag=True)
    with pytest.raises(TypeError, match="Whole has not all of the settings name, nmae"):
        unchecked(Whole, {"name": "m", "nmae": "m"})


def test_defaults_need_no_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings with their defaults are made without it; any other value is read by it."""
    monkeypatch.setattr("resilience._core.policy.validator._provided", [])
    assert Whole() == Whole(parts=(), perhaps=None, part=Part())
    assert Policy() == Policy(name="default", codes=("http",))
    with pytest.raises(IndexError):
        Whole(flag=True)
