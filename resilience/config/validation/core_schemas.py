"""Builds the schemas with which pydantic validates settings, of Python values and of a file's nodes alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from pydantic_core import CoreSchema, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from ..._core.policy.contradictions import WRONG
from ..._core.policy.section import Section, unchecked
from .annotations import Leaf, Others, schema_of

__all__ = ["CoreSchemas", "ValueForm"]


class ValueForm(Protocol):
    """What values look like where they come from: in Python, or in a file.

    A method returns the value, or raises a `ValueError` with the message. `open_...` return what contains the values;
    their `context` is what `validate_python` was given.
    """

    def fields_of(self, kind: type[Section]) -> Mapping[str, Any]:
        """Return the annotations of the settings that values can be given for."""

    def read(self, leaf: Leaf, value: Any) -> Any:
        """Return the value of a setting that has no others in it."""

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

    def leaf(self, leaf: Leaf) -> CoreSchema:
        """Return the schema of a setting that has no others in it."""
        return cs.no_info_plain_validator_function(partial(self._form.read, leaf))

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
