"""Entering and leaving the application's lifespan, async or plain."""

from __future__ import annotations

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
    manager = lifespan()
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
