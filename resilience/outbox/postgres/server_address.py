"""Reads the URL of a PostgreSQL server as libpq does, and names the server without its credentials."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ...telemetry.concealment import SecretText
from ...telemetry.redaction import register_secret

__all__ = ["CONNECT_LIMIT", "ServerAddress", "read_url"]

CONNECT_LIMIT = 5.0  # seconds to connect, where the URL says nothing else
_SECRETS = frozenset({"password", "sslpassword"})


class ServerAddress(NamedTuple):
    """What to connect to: `conninfo` has the credentials, and `name` is for people."""

    conninfo: str
    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


def read_url(url: str) -> ServerAddress:
    """Return what a URL `postgresql://…` leads to. From now on its password is redacted from all that is written.

    Raises:
        ValueError: libpq cannot read it. The message does not repeat it.
    """
    parameters = _parameters(url)
    for name in _SECRETS & parameters.keys():
        register_secret(str(parameters[name]))
        parameters[name] = SecretText(parameters[name])
    name = _name(parameters)
    # Without it psycopg returns the texts of a database that has no encoding as bytes.
    parameters["client_encoding"] = "utf8"
    parameters.setdefault("connect_timeout", f"{CONNECT_LIMIT:g}")
    parameters.setdefault("fallback_application_name", "resilience-outbox")
    return ServerAddress(SecretText(make_conninfo(**parameters)), name)


def _parameters(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.Error:
        pass  # its text repeats the URL, and with it the password
    raise ValueError(
        "the URL of the outbox is none that PostgreSQL knows: postgresql://USER:PASSWORD@HOST:PORT/DATABASE; a special "
        "character in a part of it is written as %XX"
    )


def _name(parameters: dict[str, Any]) -> str:
    host = parameters.get("host") or parameters.get("hostaddr") or os.environ.get("PGHOST") or "the local socket"
    port = parameters.get("port") or os.environ.get("PGPORT") or "5432"
    database = parameters.get("dbname") or os.environ.get("PGDATABASE") or "of the user's name"
    return f"PostgreSQL at {host}:{port}, database {database}"
