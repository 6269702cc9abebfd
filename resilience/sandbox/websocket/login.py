"""Checks a login: key, environment, timestamp, signature and passphrase, in this order."""

from __future__ import annotations

import base64
import hmac
from typing import Any

from ..exchange.auth import Authenticator

__all__ = ["login_error"]


def login_error(authenticator: Authenticator, args: Any, now: float, *, demo: bool) -> int:
    """Return the code of the error that a login gets, or 0 for a valid login.

    Args:
        authenticator: has the credentials and the window.
        args: of the frame.
        now: the exchange's Unix time.
        demo: whether the connection was made to the demo environment.
    """
    if not (isinstance(args, list) and len(args) == 1 and isinstance(args[0], dict)):
        return 30016
    names = ("apiKey", "sign", "timestamp", "passphrase")
    key, sign, stamp, passphrase = (str(args[0].get(name) or "") for name in names)
    if not key or not sign:
        return 40003 if key else 40001
    if not _equal(key, authenticator.key):
        return 30011
    if demo != authenticator.demo:
        return 40099
    return _stamp_error(stamp, now, authenticator.window) or _signature_error(authenticator, stamp, sign, passphrase)


def _stamp_error(stamp: str, now: float, window: float) -> int:
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) in (10, 13)):
        return 30013
    return 30014 if _is_expired(stamp, now, window) else 0


def _signature_error(authenticator: Authenticator, stamp: str, sign: str, passphrase: str) -> int:
    # The signed text is fixed by the protocol: timestamp, method and path of a request that is never sent.
    digest = hmac.digest(authenticator.secret.encode(), f"{stamp}GET/user/verify".encode(), "sha256")
    if not _equal(sign, base64.b64encode(digest).decode()):
        return 30015
    return 0 if _equal(passphrase, authenticator.passphrase) else 30012


def _is_expired(stamp: str, now: float, window: float) -> bool:
    if len(stamp) == 13:
        return abs(now - int(stamp) / 1000) > window
    # A timestamp in whole seconds has lost up to a second by rounding, in either direction.
    return not -window - 1 <= now - int(stamp) <= window + 1


def _equal(text: str, other: str) -> bool:
    return hmac.compare_digest(text.encode(), other.encode())
