"""Entering and leaving the application's lifespan, async or plain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from typing import Any

from sidework.errors import ConfigurationError
from sidework.worker.setup import Lifespan


@asynccontextmanager
async def entered(lifespan: Lifespan | None) -> AsyncIterator[Any]:
    """What the lifespan yields, for as long as the block runs; None where there is none."""
    if lifespan is None:
        yield None
        return
    is_manager = isinstance(lifespan, (AbstractContextManager, AbstractAsyncContextManager))
    manager: Any = lifespan if is_manager else lifespan()
    if isinstance(manager, AbstractAsyncContextManager):
        async with manager as state:
            yield state
    elif isinstance(manager, AbstractContextManager):
        with manager as state:
            yield state
    else:
        raise ConfigurationError(
            f"expected lifespan to make a context manager, got {manager!r}; decorate it with @contextlib.contextmanager"
            " or @contextlib.asynccontextmanager"
        )


class HeldLifespan:
    """The same between two separate calls, on one loop: the task that enters it is the one that leaves it.

    Task groups and cancel scopes in a lifespan insist on that.
    """

    def __init__(self, lifespan: Lifespan | None) -> None:
        self._lifespan = lifespan
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def enter(self) -> Any:
        """Enter it and return what it yields."""
        state: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold(state))
        await asyncio.wait({self._task, state}, return_when=asyncio.FIRST_COMPLETED)
        if not state.done():
            self._task.result()  # raises what entering it raised
        return state.result()

    async def leave(self) -> None:
        """Leave it."""
        self._over.set()
        if self._task is not None:
            await self._task

    async def _hold(self, state: asyncio.Future[Any]) -> None:
        async with entered(self._lifespan) as value:
            state.set_result(value)
            await self._over.wait()
