"""Addresses of MySQL and MariaDB servers, and the settings of our own sessions there."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sidework.errors import ConfigurationError

SCHEMES = ("mysql", "mariadb")

SQL_MODE = "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"


@dataclass(frozen=True, slots=True)
class SSLOptions:
    """How a connection is encrypted; with `verify` the server proves itself, with `check_name` also as this host."""

    verify: bool = False
    check_name: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """The context that both of our client libraries take; reads the files."""
        context = ssl.create_default_context(cafile=self.ca)
        context.check_hostname = self.check_name
        context.verify_mode = ssl.CERT_REQUIRED if self.verify or self.check_name else ssl.CERT_NONE
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


@dataclass(frozen=True, slots=True)
class MySQLAddress:
    """Where to connect, and how long to wait (seconds); `ssl` is None for what the library does by itself.

    Without `read_timeout` a statement may take as long as it likes, as a handler's may; a server that vanished is
    noticed by keepalives all the same.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    unix_socket: str | None = None
    ssl: SSLOptions | None = None
    connect_timeout: float = 10.0
    read_timeout: float | None = None
    write_timeout: float = 60.0

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments that PyMySQL's and asyncmy's `connect` share."""
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": self.connect_timeout,
            "read_timeout": self.read_timeout,
        }
        if self.unix_socket is not None:
            arguments["unix_socket"] = self.unix_socket
        if self.ssl is not None:
            arguments["ssl"] = self.ssl.context()
        return arguments


SESSION = (
    "set session transaction isolation level read committed",
    f"set session sql_mode = '{SQL_MODE}', time_zone = '+00:00', wait_timeout = 28800",
)
"""What our own sessions rely on, whatever the server's defaults are; handlers may compute for hours in between."""

_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}


def set_keepalive(sock: socket.socket | None) -> None:
    """Notice a machine that vanished in about half a minute instead of two hours, where the system can."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def parse_mysql_url(url: str) -> MySQLAddress:
    """The address in `mysql://user:password@host:port/database?option=value`.

    SQLAlchemy's forms (`mysql+pymysql://`) are understood. Options: `unix_socket`, `charset` (utf8mb4 only),
    `connect_timeout`, `read_timeout`, `write_timeout` (seconds), `ssl_mode` (disabled, required, verify_ca,
    verify_identity), `ssl_ca`, `ssl_cert`, `ssl_key`, `ssl_verify_cert`, `ssl_verify_identity`.

    >>> parse_mysql_url("mysql://shop:s%40fe@db.example/shop").password
    's@fe'
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError:
        # Its text may show a part of the password, so it is not passed on.
        raise ConfigurationError(
            "the host or port of the MySQL URL cannot be read: write mysql://user:password@host:3306/database, with"
            " special characters of the password percent-encoded"
        ) from None
    if parts.scheme.partition("+")[0] not in SCHEMES:
        raise ConfigurationError(f"expected a mysql:// or mariadb:// URL, got one that starts with {parts.scheme!r}")
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database:
        raise ConfigurationError(
            f"expected one database after the host of the MySQL URL, got {database!r}: write mysql://user@host/database"
        )
    address = MySQLAddress(
        host=parts.hostname or "localhost",
        port=port,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        database=database,
    )
    return _with_options(address, parts.query)


def _with_options(address: MySQLAddress, query: str) -> MySQLAddress:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            known = ", ".join(sorted(_OPTIONS))
            raise ConfigurationError(f"the MySQL URL has an unknown option {name!r}; known are {known}")
        if name in options:
            raise ConfigurationError(f"the MySQL URL gives the option {name!r} twice; give it once")
        _OPTIONS[name](name, value)
        options[name] = value
    changes: dict[str, Any] = {name: float(options[name]) for name in _TIMEOUTS if name in options}
    if "unix_socket" in options:
        changes["unix_socket"] = options["unix_socket"]
    return replace(address, ssl=_ssl_options(options), **changes)


def _ssl_options(options: dict[str, str]) -> SSLOptions | None:
    if options.get("ssl_mode", "").lower() == "disabled" or not any(name.startswith("ssl") for name in options):
        return None
    mode = options.get("ssl_mode", "required").lower()
    # A CA is given in order to be asked.
    asks = "false" if "ssl_mode" in options or "ssl_ca" not in options else "true"
    return SSLOptions(
        verify=mode == "verify_ca" or _is_true(options.get("ssl_verify_cert", asks)),
        check_name=mode == "verify_identity" or _is_true(options.get("ssl_verify_identity", "false")),
        ca=options.get("ssl_ca"),
        cert=options.get("ssl_cert"),
        key=options.get("ssl_key"),
    )


def _is_true(value: str) -> bool:
    return value.lower() in {"true", "1", "yes"}


def _text(name: str, value: str) -> None:
    if not value:
        raise ConfigurationError(f"the option {name!r} of the MySQL URL is empty; give it a value or leave it out")


def _seconds(name: str, value: str) -> None:
    try:
        is_valid = 0 < float(value) <= _LONGEST
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigurationError(f"expected {name} in the MySQL URL to be seconds from 0 to {_LONGEST}, got {value!r}")


def _one_of(*allowed: str) -> Callable[[str, str], None]:
    def check(name: str, value: str) -> None:
        if value.lower() not in allowed:
            raise ConfigurationError(f"expected {name} in the MySQL URL to be {' or '.join(allowed)}, got {value!r}")

    return check


_LONGEST = 86_400
_TIMEOUTS = ("connect_timeout", "read_timeout", "write_timeout")
_TRUTH = _one_of("true", "false", "1", "0", "yes", "no")
_OPTIONS: dict[str, Callable[[str, str], None]] = {
    **dict.fromkeys(_TIMEOUTS, _seconds),
    **dict.fromkeys(("unix_socket", "ssl_ca", "ssl_cert", "ssl_key"), _text),
    "charset": _one_of("utf8mb4"),
    "ssl_mode": _one_of("disabled", "required", "verify_ca", "verify_identity"),
    "ssl_verify_cert": _TRUTH,
    "ssl_verify_identity": _TRUTH,
}
