"""Generates regular expressions for the ranges of durations, rates and ratios, for the JSON schema.

They accept the same strings as `Spec.read`, except that the range of a rate over several units (`10/5s`) cannot be
expressed. They use only syntax that Python and JavaScript share.
"""

from __future__ import annotations

from fractions import Fraction

from ..._core.policy.units import MAX_WINDOW_CALLS, Spec

__all__ = ["VARIABLE", "pattern"]

VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
"""Matches an environment variable in a string."""
_SPANS = {"ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600), "d": Fraction(86400)}
_WHOLE, _PLACES = 12, 9  # the digits before and after the point that `Spec` reads
_ANY = rf"[0-9]{{1,{_WHOLE}}}(?:\.[0-9]{{1,{_PLACES}}})?"


def pattern(spec: Spec) -> str:
    """Return the expression for strings of this kind and range; empty for kinds that are only numbers."""
    high = Fraction(str(spec.high))
    if spec.kind in ("duration", "window"):
        ways = [rf"{_number(high / span, spec.above)}\s*{unit}" for unit, span in _SPANS.items()]
        if spec.kind == "window":
            ways.append(rf"(?=[0-9]{{1,{_WHOLE}}}\s*c)0*(?:[1-9][0-9]{{0,4}}|{MAX_WINDOW_CALLS})\s*calls?")
    elif spec.kind == "rate":
        ways = [rf"{_number(high * span, spec.above)}\s*/\s*{unit}" for unit, span in _SPANS.items()]
        several = r"(?=[0-9]{1,6}[a-z])[0-9]*[1-9][0-9]*(?:ms|s|m|h|d)"
        ways.append(rf"{_nonzero(spec.above)}{_ANY}\s*/\s*{several}")
    elif spec.kind == "ratio":
        ways = [rf"{_number(high * 100, spec.above)}\s*%"]
    else:
        return ""
    return rf"^\s*(?:{'|'.join(ways)})\s*$"


def _nonzero(above: bool) -> str:
    return r"(?=[0-9.]*[1-9])" if above else ""


def _number(high: Fraction, above: bool) -> str:
    """Return the expression for numbers up to `high`; 0 is excluded if `above`."""
    if high >= 10**_WHOLE:
        return _nonzero(above) + _ANY
    # Alternatives: a smaller whole number with any decimals, or the same one with decimals up to the limit's.
    whole, rest = divmod(high, 1)
    places = f"{int(rest * 10**_PLACES):0{_PLACES}d}"
    ways = [rf"{lower}(?:\.[0-9]{{1,{_PLACES}}})?" for lower in _below(str(int(whole)))]
    ways.append(rf"{int(whole)}(?:\.{_up_to(places)})?")
    few = rf"(?=[0-9]{{1,{_WHOLE}}}(?![0-9]))"  # leading zeros count as digits
    return rf"{_nonzero(above)}{few}0*(?:{'|'.join(ways)})"


def _below(limit: str) -> list[str]:
    """Return expressions for the whole numbers below a limit, without leading zeros."""
    ways = [_digits(1, len(limit) - 1)] if len(limit) > 1 else []
    for index, digit in enumerate(limit):
        if digit > "0":
            rest = len(limit) - index - 1
            ways.append(limit[:index] + _less(digit) + _digits(rest, rest))
    return ways


def _up_to(places: str) -> str:
    """Return the expression for decimal places whose value is at most that of `places`."""
    if not places.strip("0"):
        return rf"0{{1,{_PLACES}}}"
    ways, exact = [], ""
    for index, digit in enumerate(places):
        if digit > "0":
            ways.append(places[:index] + _less(digit) + _digits(0, _PLACES - index - 1))
    for digit in reversed(places):
        exact = digit + (f"(?:{exact})?" if exact else "")
    return rf"(?:{'|'.join([*ways, exact])})"


def _less(digit: str) -> str:
    return "0" if digit == "1" else f"[0-{int(digit) - 1}]"


def _digits(least: int, most: int) -> str:
    if most == 0:
        return ""
    return f"[0-9]{{{least},{most}}}" if least != most else f"[0-9]{{{most}}}"
