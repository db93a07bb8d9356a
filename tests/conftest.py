"""What every test has: databases on real servers, and coroutine functions as tests."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Iterator

import hypothesis
import pytest

pytest_plugins = ["tests.servers.plugin"]


def pytest_configure() -> None:
    # A developer's own settings are not the tests'.
    for variable in ("DATABASE_URL", "SIDEWORK_APP", "SIDEWORK_URL"):
        os.environ.pop(variable, None)
    # A deadline measures the machine's load; and what runs before a change lands should not depend on luck.
    hypothesis.settings.register_profile("house", deadline=None, derandomize="CI" in os.environ)
    hypothesis.settings.load_profile("house")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of one test: a coroutine test runs on it, and a plain fixture can prepare things on it."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.fixturenames.append("runner")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test to its end, and fail it if it leaves a task behind."""
    if not inspect.iscoroutinefunction(pyfuncitem.function):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    runner = pyfuncitem.funcargs["runner"]
    assert isinstance(runner, asyncio.Runner)
    runner.run(_alone(pyfuncitem.function(**arguments), pyfuncitem.name))
    return True


async def _alone(test: Awaitable[object], name: str) -> None:
    before = asyncio.all_tasks()
    await test
    left = asyncio.all_tasks() - before
    assert not left, f"{name} left tasks running: {left}"
