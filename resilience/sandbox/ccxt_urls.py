"""Points exchanges of ccxt at a sandbox: their URLs and their credentials. It does not import ccxt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .rest.rest_dialect import RestDialect

__all__ = ["point", "urls_of"]

_T = TypeVar("_T")


def urls_of(dialect: RestDialect, address: str) -> dict[str, str]:
    """Return what `urls["api"]` of ccxt's class must be."""
    return {key: address + path for key, path in dialect.ccxt_urls.items()}


def point(exchange: _T, venue: str, urls: Mapping[str, Any], credentials: tuple[str, str, str]) -> _T:
    """Set the URLs and the credentials of an exchange of ccxt, and return it.

    Raises:
        ValueError: it is an exchange of another venue, or no exchange of ccxt.
    """
    target: Any = exchange
    name = getattr(target, "id", None)
    # ccxt has classes of their own for parts of an exchange, such as `binanceusdm` and `myokx`.
    if venue not in str(name) or not isinstance(getattr(target, "urls", None), dict):
        raise ValueError(f"expected an exchange of ccxt with the id {venue!r}, got {name or exchange!r}")
    # Replaced as a whole: no key of ccxt may be left that leads to the real exchange.
    target.urls["api"] = dict(urls)
    target.apiKey, target.secret, target.password = credentials
    return exchange
