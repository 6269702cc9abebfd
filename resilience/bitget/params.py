"""Parameters before they are sent: an undefined one is None, and is left out, or refused when strict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import UndefinedParameterError

__all__ = ["defined"]


def defined(params: Mapping[str, Any], *, strict: bool, path: str = "") -> dict[str, Any]:
    """Return the parameters that have a value; the caller's mapping is not touched.

    Raises:
        UndefinedParameterError: one is None and `strict` is on; its name is told, and nothing was sent.
    """
    clean: dict[str, Any] = {}
    for name, value in params.items():
        at = f"{path}{name}"
        if value is None:
            if strict:
                raise UndefinedParameterError(f"parameter {at!r} is None: give it a value, or leave it out")
            continue
        clean[str(name)] = _inside(value, strict, at)
    return clean


def _inside(value: Any, strict: bool, at: str) -> Any:
    if isinstance(value, Mapping):
        return defined(value, strict=strict, path=f"{at}.")
    if isinstance(value, (list, tuple)):
        return [_inside(one, strict, f"{at}[{place}]") for place, one in enumerate(value)]
    return value
