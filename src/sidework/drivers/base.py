"""The two loops that run storage operations, and what a client library's file must offer them.

`Handle` and `AsyncHandle` wrap one connection of one library, ours or the caller's; `sidework.drivers.borrowed`,
`owned` and `transaction` decide who begins and commits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from sidework.core.ops import Op, Rows, Statement, T


class Handle(Protocol):
    """One sync connection. `raw` is the library's own object, as a handler or the caller knows it."""

    raw: Any

    def execute(self, statement: Statement) -> Rows:
        """Run one statement on a cursor of our own kind and return its rows as tuples, [] where it has none.

        Driver errors pass through unchanged; `translate` names them.
        """
        ...

    def check(self) -> None:
        """Raise UnusableConnection where the handle is closed, aborted, or belongs to another thread."""
        ...

    def in_transaction(self) -> bool:
        """Is a transaction open on the connection?"""
        ...

    def is_autocommit(self) -> bool:
        """Would a statement sent now commit by itself? False where the library begins implicitly."""
        ...

    def begin(self) -> None:
        """Begin a transaction (a write one on SQLite)."""
        ...

    def commit(self) -> None:
        """Commit, and raise unless the server says that it did: PostgreSQL answers ROLLBACK for an aborted one."""
        ...

    def rollback(self) -> None:
        """Roll back; harmless where nothing is open."""
        ...

    def close(self) -> None:
        """Close a connection of ours."""
        ...

    def is_closed(self) -> bool:
        """Is the connection known to be unusable?"""
        ...

    def on_commit(self, callback: Callable[[], None]) -> bool:
        """Call back once the caller's transaction has committed; False where the library cannot tell."""
        ...

    def translate(self, error: Exception) -> Exception:
        """Ours for the driver's error (a DatabaseError, SchemaError or UnusableConnection), or the error itself."""
        ...


class AsyncHandle(Protocol):
    """One async connection; the same as Handle with the waiting methods awaited."""

    raw: Any

    async def execute(self, statement: Statement) -> Rows: ...
    def check(self) -> None: ...
    def in_transaction(self) -> bool: ...
    def is_autocommit(self) -> bool: ...
    async def begin(self) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def close(self) -> None: ...
    def is_closed(self) -> bool: ...
    def on_commit(self, callback: Callable[[], None]) -> bool: ...
    def translate(self, error: Exception) -> Exception: ...


class OwnHandle(Handle, Protocol):
    """A connection that we opened."""

    def set_autocommit(self, value: bool) -> None:
        """Leave autocommit for a handler's transaction, so that nothing it does after a commit of its own is kept."""
        ...

    def renew(self) -> OwnHandle | None:
        """After a handler's use: a handle in autocommit with nothing of its session left; None where closing is as cheap.

        What the handler may have kept of the connection is closed.
        """
        ...


class AsyncOwnHandle(AsyncHandle, Protocol):
    """The same, async."""

    async def set_autocommit(self, value: bool) -> None: ...
    async def renew(self) -> AsyncOwnHandle | None: ...


Connect = Callable[[], OwnHandle]
"""Opens a connection of ours."""

AsyncConnect = Callable[[], Awaitable[AsyncOwnHandle]]


def drive(op: Op[T], execute: Callable[[Statement], Rows], first: Statement | None = None) -> T:
    """Run an operation to its end, executing each statement that it yields; `first` was taken from it already."""
    try:
        statement = first or next(op)
        while True:
            try:
                rows = execute(statement)
            except Exception as error:  # the operation may want to undo a savepoint; it raises the error again
                statement = op.throw(error)
            else:
                statement = op.send(rows)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        op.close()


async def adrive(op: Op[T], execute: Callable[[Statement], Awaitable[Rows]], first: Statement | None = None) -> T:
    """The same on an async connection."""
    try:
        statement = first or next(op)
        while True:
            try:
                rows = await execute(statement)
            except Exception as error:  # the operation may want to undo a savepoint; it raises the error again
                statement = op.throw(error)
            else:
                statement = op.send(rows)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        op.close()
