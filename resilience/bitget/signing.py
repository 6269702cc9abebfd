"""How a Bitget request is signed: HMAC-SHA256 over stamp, method, path, query and body, in base64."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from hashlib import sha256

__all__ = ["prehash", "query_of", "sign", "sign_login"]


def query_of(params: Mapping[str, object]) -> str:
    """Return the query with its keys sorted and its values raw, as it is signed."""
    return "&".join(f"{key}={params[key]}" for key in sorted(params))


def prehash(stamp: str, method: str, path: str, query: str = "", body: str = "") -> str:
    """Return the text that is signed; an empty query leaves no question mark."""
    return f"{stamp}{method.upper()}{path}{'?' + query if query else ''}{body}"


def sign(secret: str, text: str) -> str:
    """Return the signature of a text."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), sha256).digest()).decode()


def sign_login(secret: str, stamp: str) -> str:
    """Return the signature of a socket login; the stamp is in seconds."""
    return sign(secret, prehash(stamp, "GET", "/user/verify"))
