"""Whether a login is good: key, environment, stamp, signature, passphrase, in this order."""

from __future__ import annotations

import base64
import hmac
from typing import Any

from ..exchange.auth import Gate

__all__ = ["refusal_of"]


def refusal_of(gate: Gate, args: Any, now: float, *, demo: bool) -> int:
    """Return the code that refuses a login, or 0.

    Args:
        gate: what the exchange knows.
        args: of the frame.
        now: the exchange's Unix time.
        demo: whether the connection came to the demo environment.
    """
    told = args[0] if isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict) else None
    if told is None:
        return 30016
    key, sign, stamp = str(told.get("apiKey") or ""), str(told.get("sign") or ""), str(told.get("timestamp") or "")
    if not key or not sign:
        return 40003 if key else 40001
    if not _same(key, gate.key):
        return 30011
    if demo != gate.demo:
        return 40099
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) in (10, 13)):
        return 30013
    if _is_old(stamp, now, gate.window):
        return 30014
    digest = hmac.digest(gate.secret.encode(), f"{stamp}GET/user/verify".encode(), "sha256")
    if not _same(sign, base64.b64encode(digest).decode()):
        return 30015
    return 0 if _same(str(told.get("passphrase") or ""), gate.passphrase) else 30012


def _is_old(stamp: str, now: float, window: float) -> bool:
    """Return whether a stamp is out of the window; one in whole seconds has lost up to a second by rounding."""
    if len(stamp) == 13:
        return abs(now - int(stamp) / 1000) > window
    return not -window - 1 <= now - int(stamp) <= window + 1


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
