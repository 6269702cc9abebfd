"""Durations, rates and ratios as people write them, and the range that each setting allows.

One `Spec` in a field's annotation serves the dataclass (which checks itself at birth), the policy
loader and the JSON schema; a setting that is no number says what it is by an `About`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "MAX_WINDOW_CALLS",
    "About",
    "Calls",
    "Kind",
    "Spec",
    "in_yaml",
    "listed",
    "one_of",
    "parse_duration",
    "parse_rate",
    "parse_ratio",
    "shown",
]

Kind = Literal["duration", "rate", "ratio", "count", "factor", "window"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile(_NUMBER + r"\s*(ms|s|m|h|d)")
_RATE = re.compile(_NUMBER + r"\s*/\s*([0-9]{0,6})(ms|s|m|h|d)")
_RATIO = re.compile(_NUMBER + r"\s*%")
_CALLS = re.compile(r"([0-9]{1,12})\s*calls?")
MAX_WINDOW_CALLS = 100_000
"""The longest window of calls."""


@dataclass(frozen=True, slots=True)
class Calls:
    """A number of calls, where a span of time could stand as well: `100 calls`."""

    count: int

    def __str__(self) -> str:
        return f"{self.count} calls"


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def parse_duration(value: Any) -> float | None:
    """Return seconds for `250ms`, `5s`, `2m`, `1h`, `1d` or a number of seconds; None if it is none of them."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        return float(found[1]) * _SECONDS[found[2]] if found else None
    return _number(value)


def parse_rate(value: Any) -> float | None:
    """Return events a second for `10/s`, `600/m`, `1200/10s` or a number a second; None if it is none of them."""
    if isinstance(value, str):
        found = _RATE.fullmatch(value.strip())
        if not found:
            return None
        span = float(found[2] or 1) * _SECONDS[found[3]]
        return float(found[1]) / span if span else None
    return _number(value)


def parse_ratio(value: Any) -> float | None:
    """Return a share for `20%` or `0.2`; None if it is neither."""
    if isinstance(value, str):
        found = _RATIO.fullmatch(value.strip())
        return float(found[1]) / 100 if found else None
    return _number(value)


def _parse_count(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) else None


def _parse_window(value: Any) -> float | Calls | None:
    found = _CALLS.fullmatch(value.strip()) if isinstance(value, str) else None
    if found or isinstance(value, Calls):
        return Calls(int(found[1])) if found else value
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
    """What a setting means that is no number, and an example as a policy file writes it."""

    help: str
    example: str


@dataclass(frozen=True, slots=True)
class Spec:
    """What a setting is and the range it allows, in the unit of its kind (seconds, per second, share)."""

    kind: Kind
    low: float
    high: float
    help: str = ""
    example: str = ""
    above: bool = False
    """True when `low` itself is not allowed."""

    def read(self, value: Any, said: str = "") -> float | int | Calls:
        """Return the value in the kind's unit; `said` stands for it in messages where it must not be shown.

        Raises:
            ValueError: it is not of the kind or out of range; the message says what is allowed.
        """
        number: float | int | Calls | None = _PARSE[self.kind](value)
        if number is None:
            raise ValueError(f"expected {self.expected}, got {said or shown(value)}")
        if isinstance(number, Calls):
            if 1 <= number.count <= MAX_WINDOW_CALLS:
                return number
        elif (self.low < number if self.above else self.low <= number) and number <= self.high:
            return number
        told = str(value) if isinstance(value, Calls) else value
        raise ValueError(f"{said or shown(told)} is out of range: allowed is {self.allowed()}")

    @property
    def expected(self) -> str:
        """Say how a value of this kind is written."""
        return _EXPECTED[self.kind]

    @property
    def unit(self) -> str:
        """Name what a number without a unit counts; empty for counts and factors."""
        return _UNITS.get(self.kind, "")

    def allowed(self) -> str:
        """Say the range in words, such as `more than 0s up to 1h`."""
        low = f"more than {self.say(self.low)}" if self.above else f"{self.say(self.low)}"
        calls = f", or 1 up to {MAX_WINDOW_CALLS} calls" if self.kind == "window" else ""
        return f"{low} up to {self.say(self.high)}{calls}"

    def say(self, number: float) -> str:
        """Write a number of this kind the way a policy file does."""
        if self.kind in ("duration", "window"):
            for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
                if number >= size and number % size == 0:
                    return f"{number / size:.12g}{unit}"
            return f"{number * 1000:.12g}ms" if 0 < number < 1 else f"{number:.12g}s"
        if self.kind == "rate":
            spans = (("s", 1), ("m", 60), ("h", 3600))
            unit, size = next((one for one in spans if abs(number * one[1] - round(number * one[1])) < 1e-9), spans[0])
            return f"{number * size:.12g}/{unit}"
        return f"{number * 100:.12g}%" if self.kind == "ratio" else f"{number:.12g}"


def shown(value: Any) -> str:
    """Show a value in a message, shortened."""
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def one_of(options: tuple[Any, ...], value: Any, said: str = "") -> Any:
    """Return the option that a value is; 1 is not True. `said` is shown in place of a value that must be hidden.

    Raises:
        ValueError: it is none of them.
    """
    for option in options:
        if value == option and isinstance(value, bool) == isinstance(option, bool):
            return option
    raise ValueError(f"{said or shown(value)} is not one of {listed(options)}")


def listed(options: Iterable[Any]) -> str:
    """List the options as a policy file writes them."""
    return ", ".join(map(in_yaml, options))


def in_yaml(value: Any) -> str:
    """Write a word or a switch as a policy file does."""
    return str(value).lower() if isinstance(value, bool) else str(value)
