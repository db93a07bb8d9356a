"""The caller's connection: we never commit, close or retry on it, and begin only around our own operation in autocommit."""

from __future__ import annotations

from collections.abc import Callable

from sidework.core.ops import Op, T
from sidework.drivers.base import AsyncHandle, Handle, adrive, drive
from sidework.errors import SchemaError, UnusableConnection


class Borrowed:
    """Runs operations in the caller's transaction."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def run(self, make: Callable[[], Op[T]]) -> T:
        """The operation's result; errors of the caller's connection pass through untouched."""
        handle = self._handle
        handle.check()
        try:
            if not handle.is_autocommit() or handle.in_transaction():
                return drive(make(), handle.execute)
            return self._run_alone(make())
        except Exception as error:
            _raise_ours(error, handle.translate(error))
            raise

    def on_commit(self, callback: Callable[[], None]) -> bool:
        """Call back once what was run here is committed, as it is already in autocommit; False where nothing tells."""
        handle = self._handle
        if not handle.is_autocommit() or handle.in_transaction():
            return handle.on_commit(callback)
        callback()
        return True

    def _run_alone(self, op: Op[T]) -> T:
        self._handle.begin()
        try:
            result = drive(op, self._handle.execute)
            self._handle.commit()
        except BaseException:
            self._handle.rollback()
            raise
        return result


class AsyncBorrowed:
    """The same on an async handle."""

    def __init__(self, handle: AsyncHandle) -> None:
        self._handle = handle

    async def run(self, make: Callable[[], Op[T]]) -> T:
        """The operation's result; errors of the caller's connection pass through untouched."""
        handle = self._handle
        handle.check()
        try:
            if not handle.is_autocommit() or handle.in_transaction():
                return await adrive(make(), handle.execute)
            return await self._run_alone(make())
        except Exception as error:
            _raise_ours(error, handle.translate(error))
            raise

    def on_commit(self, callback: Callable[[], None]) -> bool:
        """Call back once what was run here is committed, as it is already in autocommit; False where nothing tells."""
        handle = self._handle
        if not handle.is_autocommit() or handle.in_transaction():
            return handle.on_commit(callback)
        callback()
        return True

    async def _run_alone(self, op: Op[T]) -> T:
        await self._handle.begin()
        try:
            result = await adrive(op, self._handle.execute)
            await self._handle.commit()
        except BaseException:
            await self._handle.rollback()
            raise
        return result


def _raise_ours(error: Exception, translated: Exception) -> None:
    if isinstance(translated, (SchemaError, UnusableConnection)):
        raise translated from error
