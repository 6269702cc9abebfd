"""Defines contradictions between settings that are right one by one, and checks the rules of one section."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple, NoReturn

__all__ = ["WRONG", "Contradiction", "Rule", "own_contradictions"]


class Contradiction(NamedTuple):
    """Two settings that contradict each other.

    Attributes:
        path: the path of the setting that is reported, from the section with the rule.
        message: what is wrong and what is allowed.
        other: the path of the other setting; empty if there is none.
    """

    path: str
    message: str
    other: str = ""


Rule = Callable[[Any], Iterable[Contradiction]]
"""Yields the contradictions among the settings of a section."""


class _WrongSettingError(Exception):
    """A rule has read a setting whose own mistake is reported already."""


class _Wrong:
    """Stands for the value of a setting that has a mistake. A rule that reads it ends, and the other rules go on."""

    def __repr__(self) -> str:
        return "WRONG"

    def _end_rule(self, *_: object) -> NoReturn:
        raise _WrongSettingError

    __getattr__ = __getitem__ = __iter__ = __contains__ = __len__ = __bool__ = __call__ = __format__ = _end_rule
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _end_rule
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _end_rule
    __hash__ = object.__hash__


WRONG: Final[Any] = _Wrong()


def own_contradictions(rules: Iterable[Rule], settings: Any) -> Iterator[Contradiction]:
    """Yield what the rules find in the settings of one section, which may contain `WRONG`."""
    for rule in rules:
        try:
            yield from rule(settings)
        except _WrongSettingError:
            pass
