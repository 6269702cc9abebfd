"""Removes parameters whose value is None, or rejects them in strict mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import UndefinedParameterError

__all__ = ["drop_undefined"]


def drop_undefined(params: Mapping[str, Any], *, strict: bool, path: str = "") -> dict[str, Any]:
    """Return a copy of the parameters without those that are None; nested mappings and lists included.

    Args:
        params: the parameters; the mapping is not changed.
        strict: raise instead of removing.
        path: prefix of the names in error messages.

    Raises:
        UndefinedParameterError: a parameter is None and `strict` is on; the message names it.
    """
    clean: dict[str, Any] = {}
    for name, value in params.items():
        full_name = f"{path}{name}"
        if value is None:
            if strict:
                raise UndefinedParameterError(f"parameter {full_name!r} is None: give it a value, or leave it out")
            continue
        clean[str(name)] = _clean_value(value, strict, full_name)
    return clean


def _clean_value(value: Any, strict: bool, name: str) -> Any:
    if isinstance(value, Mapping):
        return drop_undefined(value, strict=strict, path=f"{name}.")
    if isinstance(value, (list, tuple)):
        return [_clean_value(item, strict, f"{name}[{index}]") for index, item in enumerate(value)]
    return value
