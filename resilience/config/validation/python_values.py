"""Validates the values that settings classes are given in Python. The core asks for it when it needs it first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import ValidationError

from ..._core.base.deprecation import warn
from ..._core.policy.codes import Category
from ..._core.policy.renaming import renewed
from ..._core.policy.section import Section, hints
from ..._core.policy.value_text import one_of
from ...errors import PolicyError
from .annotations import Leaf, Others
from .core_schemas import CoreSchemas

__all__ = ["read_values"]


def read_values(kind: type[Section], values: Mapping[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the values by name, with `WRONG` in place of wrong ones, and a (path, message) for each mistake."""
    try:
        return _STRICT.validator(kind).validate_python(values, context=warn), []
    except ValidationError as error:
        # The second reading is to compare what is right; it warns of nothing again.
        return _LENIENT.validator(kind).validate_python(values, context=_ignore), list(_mistakes(error))


def _ignore(_warning: str) -> None:
    pass


def _mistakes(error: ValidationError) -> Iterable[tuple[str, str]]:
    for details in error.errors(include_url=False, include_input=False):
        *_, raised = details["ctx"].values()
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in details["loc"]).lstrip(".")
        if isinstance(raised, _OldNamesError):
            yield from ((f"{path}.{problem.path}", problem.message) for problem in raised.problems)
        else:
            yield path, str(raised)


class _OldNamesError(ValueError):
    """Carries the mistakes of settings under old names through pydantic."""

    def __init__(self, error: PolicyError) -> None:
        super().__init__(str(error))
        self.problems = error.problems


def _of_type(kind: type, name: str) -> Callable[[Leaf, Any], Any]:
    def read(_leaf: Leaf, value: Any) -> Any:
        if not isinstance(value, kind):
            raise ValueError(f"expected a {name}, got a {type(value).__name__}")
        return value

    return read


_READERS: Mapping[str, Callable[[Leaf, Any], Any]] = {
    "number": lambda leaf, value: leaf.spec.read(value),  # type: ignore[union-attr]  # a number has a Spec
    "word": lambda leaf, value: one_of(leaf.options, value),
    "category": lambda _leaf, value: Category(value),
    "flag": _of_type(bool, "bool"),
    "text": _of_type(str, "string"),
    "anything": lambda _leaf, value: value,
    "function": _of_type(Callable, "function"),  # type: ignore[arg-type]  # an abstract class
}


def _check_names(kind: type[Section], settings: Any) -> None:
    """Raise a ValueError for what is no mapping, or has names that are no settings of the class."""
    names = hints(kind)
    if not isinstance(settings, Mapping):
        expected = f"a mapping with {', '.join(names)} (or {kind.__name__})"
        raise ValueError(f"expected {expected}, got {type(settings).__name__}")
    unknown = [str(key) for key in settings if key not in names and key not in kind.OLD_SPELLINGS]
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; available: {', '.join(names)}")


class _PythonValues:
    """What values look like in Python."""

    def fields_of(self, kind: type[Section]) -> Mapping[str, Any]:
        return hints(kind)

    def read(self, leaf: Leaf, value: Any) -> Any:
        return _READERS[leaf.kind](leaf, value)

    def read_other(self, others: Others, value: Any, read_usual: Callable[[Any], Any]) -> Any:
        is_other = (others.off and value is None) or (others.function and callable(value)) or others.anything
        return value if is_other else read_usual(value)

    def open_section(self, kind: type[Section], value: Any, context: Any) -> Any:
        if isinstance(value, kind):
            return value
        _check_names(kind, value)
        try:
            return renewed(kind, value, context)
        except PolicyError as error:
            raise _OldNamesError(error) from None

    def open_list(self, value: Any) -> list[Any]:
        if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
            raise ValueError(f"expected a list, got a {type(value).__name__}")
        return list(value)

    def open_mapping(self, value: Any, _context: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a mapping, got a {type(value).__name__}")
        for name in value:
            _READERS["text"](Leaf("text"), name)
        return value


_STRICT, _LENIENT = CoreSchemas(_PythonValues()), CoreSchemas(_PythonValues(), lenient=True)
