"""Naming driver errors: SQLSTATEs, MySQL's numbers and SQLite's codes as a few exceptions of ours."""

from __future__ import annotations

from sidework.errors import DatabaseError, DataRefused, SchemaError, Transient, Unavailable, UnusableConnection

Fault = type[Exception]

_POSTGRES: dict[str, Fault] = {
    "40001": Transient,  # serialization_failure
    "40P01": Transient,  # deadlock_detected
    "55P03": Transient,  # lock_not_available
    "57014": Transient,  # query_canceled: a statement timeout of ours
    "25P02": UnusableConnection,  # in_failed_sql_transaction
    "25P03": Unavailable,  # idle_in_transaction_session_timeout
    "25P04": Unavailable,  # transaction_timeout
    "25006": Unavailable,  # read_only_sql_transaction: a standby
    "57P01": Unavailable,  # admin_shutdown
    "57P02": Unavailable,  # crash_shutdown
    "57P03": Unavailable,  # cannot_connect_now
    "57P05": Unavailable,  # idle_session_timeout
    "42P01": SchemaError,  # undefined_table
    "42703": SchemaError,  # undefined_column
    "3F000": SchemaError,  # invalid_schema_name
}
_POSTGRES_CLASSES: dict[str, Fault] = {"08": Unavailable, "53": Unavailable, "22": DataRefused, "23": DataRefused}

_MYSQL: dict[int, Fault] = {
    1020: Transient,  # record has changed since last read (innodb_snapshot_isolation)
    1205: Transient,  # lock wait timeout: only the statement was undone, so the transaction is rolled back by us
    1213: Transient,  # deadlock
    3572: Transient,  # nowait
    1317: Transient,  # query interrupted
    1969: Transient,  # max_statement_time (MariaDB)
    3024: Transient,  # max_execution_time (MySQL)
    1021: Unavailable,  # disk full
    1040: Unavailable,  # too many connections
    1053: Unavailable,  # server shutdown in progress
    1114: Unavailable,  # table is full
    1203: Unavailable,  # max_user_connections
    1290: Unavailable,  # read-only
    1792: Unavailable,  # read-only transaction
    1836: Unavailable,  # read-only mode
    1927: Unavailable,  # connection was killed
    2002: Unavailable,
    2003: Unavailable,
    2006: Unavailable,  # server has gone away
    2013: Unavailable,  # lost connection during query
    2055: Unavailable,
    1146: SchemaError,  # no such table
    1054: SchemaError,  # unknown column
    1264: DataRefused,
    1292: DataRefused,
    1366: DataRefused,
    1406: DataRefused,
    3140: DataRefused,
    4025: DataRefused,
}

_SQLITE: dict[int, Fault] = {
    5: Transient,  # BUSY, and BUSY_SNAPSHOT (517) with its extended code
    6: Transient,  # LOCKED
    8: Unavailable,  # READONLY
    10: Unavailable,  # IOERR
    13: Unavailable,  # FULL
    14: Unavailable,  # CANTOPEN
    18: DataRefused,  # TOOBIG
    19: DataRefused,  # CONSTRAINT
}

_SQLITE_SCHEMA = ("no such table", "no such column", "has no column named")

SCHEMA_HINT = "run `sidework migrate` (or app.migrate()) with a role that may create tables"


def name_postgres(error: Exception, sqlstate: str | None, *, is_lost: bool) -> Exception:
    """Ours for a PostgreSQL error; `is_lost` says that the connection is broken whatever the code."""
    if is_lost and sqlstate not in _POSTGRES:
        return _named(Unavailable, error)
    code = sqlstate or ""
    return _named(_POSTGRES.get(code) or _POSTGRES_CLASSES.get(code[:2]) or DatabaseError, error)


def name_mysql(error: Exception, number: int | None, *, is_lost: bool) -> Exception:
    """Ours for a MySQL or MariaDB error."""
    fault = _MYSQL.get(number or 0) or (Unavailable if is_lost else DatabaseError)
    return _named(fault, error)


def name_sqlite(error: Exception, code: int | None) -> Exception:
    """Ours for an SQLite error; extended codes count by their low byte."""
    if code is not None and code & 0xFF == 1 and any(sign in str(error) for sign in _SQLITE_SCHEMA):
        return _named(SchemaError, error)
    return _named(_SQLITE.get((code or 0) & 0xFF, DatabaseError), error)


def name_dbapi(database: str, error: Exception, *, is_lost: bool) -> Exception:
    """Ours for the error of whichever driver is beneath SQLAlchemy or Django."""
    if database == "postgresql":
        return name_postgres(error, getattr(error, "sqlstate", None) or getattr(error, "pgcode", None), is_lost=is_lost)
    if database == "mysql":
        number = error.args[0] if error.args else None
        return name_mysql(error, number if isinstance(number, int) else None, is_lost=is_lost)
    return name_sqlite(error, getattr(error, "sqlite_errorcode", None))


def _named(fault: Fault, error: Exception) -> Exception:
    text = " ".join(str(error).split()) or type(error).__name__
    if fault is SchemaError:
        return SchemaError(f"the Sidework tables are missing or of another version ({text}); {SCHEMA_HINT}")
    if fault is UnusableConnection:
        return UnusableConnection(f"nothing was enqueued ({text}); roll back, or roll back to a savepoint, first")
    return fault(f"{type(error).__name__}: {text}")
