"""The FastAPI example: a job joins the request's session, and the worker lives in the application."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import httpx
import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The example's module on a new database, with the client library that its URL names."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    scheme = "sqlite+aiosqlite" if request.param == "sqlite" else "postgresql+asyncpg"
    monkeypatch.setenv("SHOP_URL", f"{scheme}://{url.partition('://')[2]}")
    yield importlib.import_module("examples.fastapi_shop")
    del sys.modules["examples.fastapi_shop"]


async def test_an_order_is_paid_by_its_job_and_a_refused_one_leaves_nothing(shop: ModuleType) -> None:
    transport = httpx.ASGITransport(app=shop.api)
    async with shop.lifespan(shop.api), httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        placed = await client.post("/orders", params={"item": "tea"})
        assert placed.status_code == 201, placed.text
        refused = await client.post("/orders", params={"item": ""})
        assert refused.status_code == 422
        [job] = await shop.app.jobs.ajoin(placed.json()["job"], timeout=60)
        assert job.state == "done"
        order = await client.get(f"/orders/{placed.json()['order']}")
        assert order.json() == {"order": 1, "item": "tea", "is_paid": True}
        assert await shop.app.jobs.acount() == 1
