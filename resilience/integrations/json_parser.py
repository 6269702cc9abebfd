"""Parses JSON text with `msgspec` where it is installed, else with the standard library: both return the same values.

`msgspec` keeps integers of any length and the last of two equal keys, and rounds floats alike. What it refuses and the
standard library takes (NaN, Infinity, lone surrogates, numbers that become infinite) is parsed once more by the latter,
which also raises the error. `orjson` would not do: it turns integers above 64 bits into floats.
"""

from __future__ import annotations

import json
from typing import Any

try:
    from msgspec.json import Decoder
except ImportError:  # an optional library
    _quick: Any = None
else:
    _quick = Decoder().decode

__all__ = ["parse_json"]


_scan: Any = vars(json.JSONDecoder())["scan_once"]  # `json.loads` without its looks for spaces at both ends


def _parse(text: str) -> Any:
    try:
        return _quick(text)
    except Exception:
        return json.loads(text)


def _parse_by_standard_library(text: str) -> Any:
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError):
        return json.loads(text)
    return value if end == len(text) else json.loads(text)


parse_json = _parse_by_standard_library if _quick is None else _parse
