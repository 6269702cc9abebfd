"""Builds the schemas with which pydantic validates settings, of Python values and of a file's nodes alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from pydantic_core import CoreSchema, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from ..._core.policy.contradictions import WRONG
from ..._core.policy.section import Section, unchecked
from ..._core.policy.units import Spec
from .annotations import Others, schema_of

__all__ = ["CoreSchemas", "ValueForm"]


class ValueForm(Protocol):
    """What values look like where they come from: in Python, or in a file.

    A method returns the value, or raises a `ValueError` with the message. `open_...` return what contains the values;
    their `context` is what `validate_python` was given.
    """

    def fields_of(self, kind: type[Section]) -> Mapping[str, Any]:
        """Return the annotations of the settings that values can be given for."""

    def read_number(self, spec: Spec, value: Any) -> Any:
        """Return a number in the unit of its kind."""

    def read_word(self, options: tuple[Any, ...], value: Any) -> Any:
        """Return one of the options."""

    def read_category(self, value: Any) -> Any:
        """Return a category."""

    def read_flag(self, value: Any) -> Any:
        """Return true or false."""

    def read_text(self, value: Any) -> Any:
        """Return a string."""

    def read_anything(self, value: Any) -> Any:
        """Return any value."""

    def read_other(self, others: Others, value: Any, read_usual: Callable[[Any], Any]) -> Any:
        """Return one of the other values that a setting may have, or read the usual one."""

    def open_section(self, kind: type[Section], value: Any, context: Any) -> Any:
        """Return the values by name; settings of the class need no reading and are returned as they are."""

    def open_list(self, value: Any) -> Any:
        """Return the items."""

    def open_mapping(self, value: Any, context: Any, /) -> Mapping[Any, Any]:
        """Return the values by name."""


class CoreSchemas:
    """Builds the schemas for one form of values, each once."""

    def __init__(self, form: ValueForm, *, lenient: bool = False) -> None:
        """Prepare.

        Args:
            form: what values look like.
            lenient: a wrong value becomes `WRONG`, so that the others can be compared with each other.
        """
        self._form = form
        self._lenient = lenient
        self._validators: dict[tuple[type[Section], tuple[str, ...]], SchemaValidator] = {}

    def validator(self, kind: type[Section], skip: tuple[str, ...] = ()) -> SchemaValidator:
        """Return the validator of the settings of a class by name, without those to skip."""
        known = self._validators.get((kind, skip))
        if known is None:
            known = self._validators[kind, skip] = SchemaValidator(self._fields(kind, skip))
        return known

    def number(self, spec: Spec) -> CoreSchema:
        """Return the schema of a number."""
        return cs.no_info_plain_validator_function(partial(self._form.read_number, spec))

    def words(self, options: tuple[Any, ...]) -> CoreSchema:
        """Return the schema of one of a few words."""
        return cs.no_info_plain_validator_function(partial(self._form.read_word, options))

    def category(self) -> CoreSchema:
        """Return the schema of a category."""
        return cs.no_info_plain_validator_function(self._form.read_category)

    def flag(self) -> CoreSchema:
        """Return the schema of true and false."""
        return cs.no_info_plain_validator_function(self._form.read_flag)

    def text(self) -> CoreSchema:
        """Return the schema of a string."""
        return cs.no_info_plain_validator_function(self._form.read_text)

    def anything(self) -> CoreSchema:
        """Return the schema of any value."""
        return cs.no_info_plain_validator_function(self._form.read_anything)

    def function(self) -> CoreSchema:
        """Return the schema of a function."""
        return cs.no_info_plain_validator_function(_read_function)

    def section(self, kind: type[Section]) -> CoreSchema:
        """Return the schema of a section; the result is an object of the class."""

        def read(value: Any, handler: cs.ValidatorFunctionWrapHandler, info: cs.ValidationInfo) -> Any:
            opened = self._form.open_section(kind, value, info.context)
            return opened if isinstance(opened, Section) else unchecked(kind, handler(opened))

        return cs.with_info_wrap_validator_function(read, self._fields(kind))

    def items(self, item: CoreSchema) -> CoreSchema:
        """Return the schema of a list; the result is a tuple."""
        listed = cs.no_info_before_validator_function(self._form.open_list, cs.list_schema(self._leniently(item)))
        return cs.no_info_after_validator_function(tuple, listed)

    def by_name(self, item: CoreSchema) -> CoreSchema:
        """Return the schema of a mapping from names."""

        def open_mapping(value: Any, info: cs.ValidationInfo) -> Any:
            return self._form.open_mapping(value, info.context)

        return cs.with_info_before_validator_function(open_mapping, cs.dict_schema(None, self._leniently(item)))

    def choice(self, usual: CoreSchema, others: Others) -> CoreSchema:
        """Return the schema of a setting that may be off, or have another value than the usual one."""
        return cs.no_info_wrap_validator_function(partial(self._form.read_other, others), usual)

    def _fields(self, kind: type[Section], skip: tuple[str, ...] = ()) -> CoreSchema:
        read = {
            name: cs.typed_dict_field(self._leniently(schema_of(hint, self)), required=False)
            for name, hint in self._form.fields_of(kind).items()
            if name not in skip
        }
        return cs.typed_dict_schema(read, extra_behavior="ignore")

    def _leniently(self, schema: CoreSchema) -> CoreSchema:
        return cs.no_info_wrap_validator_function(_or_wrong, schema) if self._lenient else schema


def _or_wrong(value: Any, handler: cs.ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return WRONG


def _read_function(value: Any) -> Any:
    if not callable(value):
        raise ValueError(f"expected a function, got a {type(value).__name__}")
    return value
