"""What a MySQL or MariaDB URL means."""

from __future__ import annotations

import ssl

import pytest

from sidework.drivers.mysql_url import MySQLAddress, SSLOptions, parse_mysql_url
from sidework.errors import ConfigurationError


def test_every_part_of_a_url_is_read() -> None:
    assert parse_mysql_url("mysql://ann:secret@db.example:3307/shop") == MySQLAddress(
        host="db.example", port=3307, user="ann", password="secret", database="shop"
    )


def test_what_a_url_leaves_out_has_a_default() -> None:
    address = parse_mysql_url("mysql:///shop")
    assert (address.host, address.port, address.user, address.password) == ("localhost", 3306, "root", "")
    assert address.ssl is None


def test_special_characters_are_percent_encoded() -> None:
    address = parse_mysql_url("mysql://a%40n:p%3A%2F%25%20%C3%A9@db/my%20shop")
    assert (address.user, address.password, address.database) == ("a@n", "p:/% é", "my shop")


def test_an_ipv6_address_is_a_host() -> None:
    address = parse_mysql_url("mysql://[::1]:3307/shop")
    assert (address.host, address.port) == ("::1", 3307)


@pytest.mark.parametrize(
    "scheme", ["mysql", "mariadb", "mysql+pymysql", "mysql+asyncmy", "mysql+mysqldb", "mariadb+aiomysql", "MySQL"]
)
def test_the_forms_of_sqlalchemy_are_understood(scheme: str) -> None:
    assert parse_mysql_url(f"{scheme}://db/shop").host == "db"


def test_options_are_read_from_the_query() -> None:
    address = parse_mysql_url(
        "mysql://db/shop?charset=utf8mb4&connect_timeout=2.5&read_timeout=7&write_timeout=8&unix_socket=%2Frun%2Fdb.sock"
    )
    assert (address.connect_timeout, address.read_timeout, address.write_timeout) == (2.5, 7.0, 8.0)
    assert address.unix_socket == "/run/db.sock"
    assert address.arguments()["unix_socket"] == "/run/db.sock"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("ssl_mode=disabled", None),
        ("ssl_mode=required", SSLOptions()),
        ("ssl_mode=VERIFY_CA&ssl_ca=ca.pem", SSLOptions(verify=True, ca="ca.pem")),
        ("ssl_mode=verify_identity", SSLOptions(check_name=True)),
        ("ssl_ca=ca.pem", SSLOptions(verify=True, ca="ca.pem")),
        ("ssl_ca=ca.pem&ssl_verify_cert=false", SSLOptions(ca="ca.pem")),
        ("ssl_cert=c.pem&ssl_key=k.pem", SSLOptions(cert="c.pem", key="k.pem")),
        ("ssl_verify_identity=true", SSLOptions(check_name=True)),
    ],
)
def test_encryption_is_asked_for_by_options(query: str, expected: SSLOptions | None) -> None:
    assert parse_mysql_url(f"mysql://db/shop?{query}").ssl == expected


@pytest.mark.parametrize(
    ("options", "mode", "checks_name"),
    [
        (SSLOptions(), ssl.CERT_NONE, False),
        (SSLOptions(verify=True), ssl.CERT_REQUIRED, False),
        (SSLOptions(check_name=True), ssl.CERT_REQUIRED, True),
    ],
)
def test_a_server_is_verified_as_far_as_asked(options: SSLOptions, mode: ssl.VerifyMode, *, checks_name: bool) -> None:
    context = options.context()
    assert (context.verify_mode, context.check_hostname) == (mode, checks_name)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://db/shop", "'postgresql'"),
        ("mysql://db", "one database"),
        ("mysql://db/", "one database"),
        ("mysql://db/shop/more", "'shop/more'"),
        ("mysql://db/shop?colour=red", "'colour'"),
        ("mysql://db/shop?charset=latin1", "'latin1'"),
        ("mysql://db/shop?connect_timeout=soon", "'soon'"),
        ("mysql://db/shop?connect_timeout=0", "'0'"),
        ("mysql://db/shop?read_timeout=nan", "'nan'"),
        ("mysql://db/shop?ssl_mode=maybe", "'maybe'"),
        ("mysql://db/shop?ssl_ca=", "'ssl_ca'"),
        ("mysql://db/shop?ssl_ca=a&ssl_ca=b", "twice"),
        ("mysql://db:port/shop", "port"),
        ("mysql://db:99999/shop", "port"),
        ("mysql://[::1/shop", "host"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_mysql_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:geheim@db:port/shop",
        "mysql://ann:gehe/im@db/shop",
        "mysql://ann:gehe#im@db/shop",
        "mysql://ann:gehe[im@db/shop",
        "mysql://ann:geheim@db",
        "mysql://ann:geheim@db/shop?colour=red",
    ],
)
def test_an_error_never_shows_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_mysql_url(url)
    assert "gehe" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_address_never_shows_the_password() -> None:
    assert "geheim" not in repr(parse_mysql_url("mysql://ann:geheim@db/shop"))
