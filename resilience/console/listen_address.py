"""Checks the address and the token with which a server is started, and writes its URL."""

from __future__ import annotations

import secrets

from ..telemetry.redaction import register_secret
from .browser_requests import is_loopback

__all__ = ["check_address", "new_token", "url_of"]


def check_address(host: str, port: int) -> None:
    """Check that nobody but this machine can connect.

    Raises:
        ValueError: the host is not a loopback address, or the port is none.
    """
    if not isinstance(host, str) or not is_loopback(host):
        raise ValueError(f"host: expected a loopback address such as 127.0.0.1, ::1 or localhost, got {host!r}")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueError(f"port: expected a port from 0 to 65535, got {port!r}")


def new_token(given: str | None) -> str:
    """Return the token that was given, or a random one. It is a secret from now on.

    Raises:
        ValueError: the token that was given cannot be sent in a header.
    """
    token = secrets.token_urlsafe(24) if given is None else _checked(given)
    register_secret(token)
    return token


def url_of(host: str, port: int) -> str:
    """Return the base URL of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _checked(token: str) -> str:
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token or " " in token:
        raise ValueError("token: expected printable ASCII characters without spaces")  # its value is a secret
    return token
