"""`app` on every database in turn, and `lite` on SQLite where the database makes no difference; their tables are empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sidework import App
from tests.shared import lite_url, shared_databases, url

__all__ = ["lite_url", "shared_databases", "url"]


@pytest.fixture
def app(url: str) -> Iterator[App]:
    with App(url) as app:
        yield app


@pytest.fixture
def lite(lite_url: str) -> Iterator[App]:
    with App(lite_url) as app:
        yield app
