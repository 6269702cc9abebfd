"""Signs requests for Bitget: HMAC-SHA256 over stamp, method, path, query and body, in base64.

Source: https://www.bitget.com/api-doc/common/signature
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from hashlib import sha256

from ..telemetry.concealment import SecretText
from ..telemetry.redaction import register_secret

__all__ = ["SECRET_HEADERS", "Signer", "prehash", "sign", "sign_login", "sorted_query"]


_PUBLIC = ("/api/v2/public/", "/api/v2/spot/market/", "/api/v2/spot/public/", "/api/v2/mix/market/", "/api/v3/market/")

SECRET_HEADERS = ("ACCESS-KEY", "ACCESS-SIGN", "ACCESS-PASSPHRASE")
"""The headers of a signed request that must stay secret."""


class Signer:
    """Builds the headers of a request and keeps the credentials to itself. Safe across threads.

    Attributes:
        has_credentials: True if requests can be signed.
        account: a name of the account that reveals nothing: a part of the hash of the key.
    """

    def __init__(self, key: str, secret: str, passphrase: str, *, demo: bool = False, locale: str = "en-US") -> None:
        """Take all three credentials, or none.

        Raises:
            ValueError: only some of the credentials are given.
        """
        key, secret, passphrase = SecretText(key or ""), SecretText(secret or ""), SecretText(passphrase or "")
        credentials = [text for text in (key, secret, passphrase) if text]
        if 0 < len(credentials) < 3:
            raise ValueError("key, secret and passphrase are all needed, or none of them")
        self.has_credentials = bool(credentials)
        # Calls of one account share limits and lookups; the hash lets events and keys of breakers name it.
        self.account = sha256(key.encode()).hexdigest()[:8]
        self._key, self._secret, self._passphrase = key, secret, passphrase
        self._common = {"Content-Type": "application/json", "locale": locale, **({"paptrading": "1"} if demo else {})}
        for text in credentials:
            register_secret(text)

    def headers(self, method: str, path: str, query: str, body: str, stamp: str) -> dict[str, str]:
        """Return the headers of one request, signed if there are credentials; the stamp is Unix time in milliseconds.

        Raises:
            ValueError: the endpoint is private and there are no credentials.
        """
        # Bitget would reject a private request without a signature, so it is not sent.
        if not self.has_credentials:
            if not path.startswith(_PUBLIC):
                raise ValueError(f"{path} is private: the client needs key, secret and passphrase")
            return dict(self._common)
        signature = SecretText(sign(self._secret, prehash(stamp, method, path, query, body)))
        register_secret(signature, passing=True)
        return {
            **self._common,
            "ACCESS-KEY": self._key,
            "ACCESS-SIGN": signature,
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-PASSPHRASE": self._passphrase,
        }


def sorted_query(params: Mapping[str, object]) -> str:
    """Return the query with sorted keys and unescaped values, as it is signed."""
    return "&".join(f"{key}={params[key]}" for key in sorted(params))


def prehash(stamp: str, method: str, path: str, query: str = "", body: str = "") -> str:
    """Return the text to sign; without a query it has no question mark."""
    # The order of the parts is Bitget's; a question mark belongs to the text only in front of a query.
    return f"{stamp}{method.upper()}{path}{'?' + query if query else ''}{body}"


def sign(secret: str, text: str) -> str:
    """Return the signature of a text."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), sha256).digest()).decode()


def sign_login(secret: str, stamp: str) -> str:
    """Return the signature of a socket login; the stamp is Unix time in seconds, unlike in REST requests."""
    return sign(secret, prehash(stamp, "GET", "/user/verify"))
