"""Parses durations, rates, ratios and counts, and describes the range that each setting allows.

The `Spec` in a field's annotation is read by the settings class, the policy loader and the JSON schema. A setting
that is not a number has an `About` instead.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from .value_text import shown

__all__ = [
    "MAX_WINDOW_CALLS",
    "About",
    "Calls",
    "Kind",
    "Spec",
    "parse_duration",
    "parse_rate",
    "parse_ratio",
]

Kind = Literal["duration", "rate", "ratio", "count", "factor", "window"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# The number of digits is bounded so that no text of a file becomes an integer that takes long to convert.
_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile(_NUMBER + r"\s*(ms|s|m|h|d)")
_RATE = re.compile(_NUMBER + r"\s*/\s*([0-9]{0,6})(ms|s|m|h|d)")
_RATIO = re.compile(_NUMBER + r"\s*%")
_CALLS = re.compile(r"([0-9]{1,12})\s*calls?")
MAX_WINDOW_CALLS = 100_000
"""The largest window that counts calls."""


@dataclass(frozen=True, slots=True)
class Calls:
    """A window given as a number of calls: `100 calls`."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} calls"


def _number(value: Any) -> float | None:
    # bool is a subclass of int: without this check `deadline: true` would be one second.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:  # an int above the range of float
        return None
    return number if math.isfinite(number) else None


def parse_duration(value: Any) -> float | None:
    """Return seconds for `250ms`, `5s`, `2m`, `1h`, `1d`, a number of seconds or a timedelta; None for all else."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        return float(match[1]) * _SECONDS[match[2]] if match else None
    return _number(value)


def parse_rate(value: Any) -> float | None:
    """Return events per second for `10/s`, `600/m`, `1200/10s` or a number per second; None for anything else."""
    if isinstance(value, str):
        match = _RATE.fullmatch(value.strip())
        if not match:
            return None
        span = float(match[2] or 1) * _SECONDS[match[3]]
        return float(match[1]) / span if span else None
    return _number(value)


def parse_ratio(value: Any) -> float | None:
    """Return a share for `20%` or `0.2`; None for anything else."""
    if isinstance(value, str):
        match = _RATIO.fullmatch(value.strip())
        return float(match[1]) / 100 if match else None
    return _number(value)


def _parse_count(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _parse_window(value: Any) -> float | Calls | None:
    match = _CALLS.fullmatch(value.strip()) if isinstance(value, str) else None
    if match or isinstance(value, Calls):
        return Calls(int(match[1])) if match else value
    return parse_duration(value)


_PARSE: dict[str, Any] = {
    "duration": parse_duration,
    "rate": parse_rate,
    "ratio": parse_ratio,
    "count": _parse_count,
    "factor": _number,
    "window": _parse_window,
}
_EXPECTED = {
    "duration": "a duration such as 250ms, 5s, 2m or 1h",
    "rate": "a rate such as 10/s or 600/m",
    "ratio": "a ratio such as 20% or 0.2",
    "count": "a whole number",
    "factor": "a number",
    "window": "a duration such as 10s, or a number of calls such as 100 calls",
}


_UNITS = {"duration": "seconds", "rate": "per second", "ratio": "share", "window": "seconds or calls"}


@dataclass(frozen=True, slots=True)
class About:
    """The meaning of a setting that is not a number, and an example in the syntax of a policy file."""

    help: str
    example: str


@dataclass(frozen=True, slots=True)
class Spec:
    """The kind and the allowed range of a numeric setting, in the unit of its kind (seconds, per second, share)."""

    kind: Kind
    low: float
    high: float
    help: str = ""
    example: str = ""
    above: bool = False
    """True when `low` itself is not allowed."""

    def read(self, value: Any, mask: str = "") -> float | int | Calls:
        """Return the value in the kind's unit; `mask` is shown in messages in place of a value that must be hidden.

        Raises:
            ValueError: it is not of this kind or out of range; the message has the allowed range.
        """
        number: float | int | Calls | None = _PARSE[self.kind](value)
        if number is None:
            raise ValueError(f"expected {self.expected}, got {mask or shown(value)}")
        if self._allows(number):
            return number
        text = mask or shown(str(value) if isinstance(value, Calls) else value)
        raise ValueError(f"{text} is out of range ({self.allowed()})")

    def _allows(self, number: float | Calls) -> bool:
        if isinstance(number, Calls):
            return 1 <= number.count <= MAX_WINDOW_CALLS
        return (self.low < number if self.above else self.low <= number) and number <= self.high

    @property
    def expected(self) -> str:
        """The syntax of a value of this kind, with examples."""
        return _EXPECTED[self.kind]

    @property
    def unit(self) -> str:
        """The unit of a bare number; empty for counts and factors."""
        return _UNITS.get(self.kind, "")

    def allowed(self) -> str:
        """Return the range in words, such as `1 to 1000` or `more than 0s, up to 1h`."""
        low, high = self.write(self.low), self.write(self.high)
        calls = f", or 1 to {MAX_WINDOW_CALLS} calls" if self.kind == "window" else ""
        return (f"more than {low}, up to {high}" if self.above else f"{low} to {high}") + calls

    def write(self, number: float) -> str:
        """Return a number of this kind in the syntax of a policy file."""
        if self.kind in ("duration", "window"):
            for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
                if number >= size and number % size == 0:
                    return f"{number / size:.12g}{unit}"
            return f"{number * 1000:.12g}ms" if 0 < number < 1 else f"{number:.12g}s"
        if self.kind == "rate":
            # The first unit in which the rate is a whole number: 1/m instead of 0.0166666666667/s.
            spans = (("s", 1), ("m", 60), ("h", 3600))
            unit, size = next(
                (span for span in spans if abs(number * span[1] - round(number * span[1])) < 1e-9), spans[0]
            )
            return f"{number * size:.12g}/{unit}"
        return f"{number * 100:.12g}%" if self.kind == "ratio" else f"{number:.12g}"
