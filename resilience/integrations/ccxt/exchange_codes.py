"""Builds the table of an exchange's codes from what ccxt knows of it: the class that it raises for a code or a text.

The runtime needs no such table, because ccxt has raised the class by then. It is for those who ask what a code means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import ccxt  # type: ignore[import-untyped]  # ccxt has no types

from ...config.codes.code_tables import CodeRegistry

__all__ = ["exchange_codes"]

_MAX_TEXT = 200


def exchange_codes(exchange_id: str) -> CodeRegistry | None:
    """Return what ccxt's classes say of the codes of one of its exchanges; None if it has no such exchange.

    A row says what its class says: a class proves nothing, so `executed` is that of ccxt's table.
    """
    if exchange_id not in ccxt.exchanges:
        return None
    exceptions = getattr(ccxt, exchange_id)().exceptions or {}
    classes = CodeRegistry.builtin("ccxt")
    rows = []
    for text, kind, is_part in _entries(exceptions):
        rule = classes.named(f"ccxt.{kind.__name__}")
        if rule is not None and 0 < len(text) <= _MAX_TEXT:
            rows.append(
                replace(rule, code=text, names=(kind.__name__,), match="part" if is_part else "", source=("ccxt",))
            )
    return CodeRegistry(exchange_id, rows, references={"ccxt": f"the class that ccxt {ccxt.__version__} raises"})


def _entries(exceptions: Mapping[str, Any], *, is_part: bool = False) -> Iterator[tuple[str, type, bool]]:
    """Yield the codes and texts of an exchange, with the class of each, and whether a part of a text is enough."""
    for text, value in exceptions.items():
        if isinstance(value, Mapping):  # `exact` and `broad`, and on some exchanges one of each for every API
            yield from _entries(value, is_part=text == "broad" or is_part)
        elif isinstance(value, type):
            yield str(text), value, is_part
