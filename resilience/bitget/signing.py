"""How a Bitget request is signed: HMAC-SHA256 over stamp, method, path, query and body, in base64."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from hashlib import sha256

from ..telemetry.redaction import register_secret

__all__ = ["SECRET_HEADERS", "Signer", "prehash", "query_of", "sign", "sign_login"]


_PUBLIC = ("/api/v2/public/", "/api/v2/spot/market/", "/api/v2/spot/public/", "/api/v2/mix/market/", "/api/v3/market/")

SECRET_HEADERS = ("ACCESS-KEY", "ACCESS-SIGN", "ACCESS-PASSPHRASE")
"""The headers of a signed request that nobody else may see."""


class Signer:
    """Makes the headers of a request; the credentials stay in here. Safe across threads.

    Attributes:
        can: whether there are credentials to sign with.
        account: a name of the account that gives nothing away.
    """

    def __init__(self, key: str, secret: str, passphrase: str, *, demo: bool = False, locale: str = "en-US") -> None:
        """Take the credentials, all or none.

        Raises:
            ValueError: only some of them are given.
        """
        given = [one for one in (key, secret, passphrase) if one]
        if given and len(given) < 3:
            raise ValueError("key, secret and passphrase are all needed, or none of them")
        self.can = bool(given)
        self.account = sha256(key.encode()).hexdigest()[:8]
        self._key, self._secret, self._passphrase = key, secret, passphrase
        self._common = {"Content-Type": "application/json", "locale": locale, **({"paptrading": "1"} if demo else {})}
        for one in given:
            register_secret(one)

    def headers(self, method: str, path: str, query: str, body: str, stamp: str) -> dict[str, str]:
        """Return the headers of one request, signed where there are credentials; the stamp is in milliseconds.

        Raises:
            ValueError: the endpoint is private and there is nothing to sign with.
        """
        if not self.can:
            if not path.startswith(_PUBLIC):
                raise ValueError(f"{path} is private: the client needs key, secret and passphrase")
            return dict(self._common)
        signature = sign(self._secret, prehash(stamp, method, path, query, body))
        register_secret(signature, passing=True)
        return {
            **self._common,
            "ACCESS-KEY": self._key,
            "ACCESS-SIGN": signature,
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-PASSPHRASE": self._passphrase,
        }


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
