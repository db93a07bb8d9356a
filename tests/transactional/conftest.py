"""`till`: an App with transactional handlers on every database in turn; `kind` of handler, and `way` to run it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sidework import App
from tests.shared import lite_url, shared_databases, url
from tests.transactional.till import Till

__all__ = ["lite_url", "shared_databases", "url"]


@pytest.fixture(scope="session")
def tills() -> Iterator[dict[str, Till]]:
    """One App and its table of effects for each database."""
    tills: dict[str, Till] = {}
    yield tills
    for till in tills.values():
        till.app.close()


@pytest.fixture
def till(url: str, tills: dict[str, Till]) -> Till:
    return _empty(url, tills)


@pytest.fixture
def lite(lite_url: str, tills: dict[str, Till]) -> Till:
    return _empty(lite_url, tills)


def _empty(url: str, tills: dict[str, Till]) -> Till:
    if url not in tills:
        tills[url] = Till(App(url))
    till = tills[url]
    till.calls.clear()
    till.execute("delete from words")
    till.execute("drop table if exists more")
    return till


@pytest.fixture(params=["plain", "coroutine"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(params=["work_once", "awork_once", "worker"])
def way(request: pytest.FixtureRequest) -> str:
    way: str = request.param
    return way
