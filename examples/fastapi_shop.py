"""FastAPI with SQLAlchemy: a job joins the request's AsyncSession; the worker lives and ends with the application.

    pip install fastapi uvicorn sqlalchemy aiosqlite         (or asyncpg or psycopg, with a PostgreSQL URL)
    uvicorn --app-dir examples fastapi_shop:api
    SHOP_URL=postgresql+asyncpg://localhost/shop uvicorn --app-dir examples fastapi_shop:api

    curl -X POST 'localhost:8000/orders?item=tea'      201: the order and its job committed together
    curl -X POST 'localhost:8000/orders?item='         422: both were rolled back
    curl localhost:8000/orders/1                       "is_paid" turns true when the job has run

`charge` is a transactional task: it gets an AsyncSession of `Session` (`job_connection=`), and what it changes commits
together with the mark *done*, so an order is never charged twice.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import sidework

URL = os.environ.get("SHOP_URL", "sqlite+aiosqlite:///fastapi_shop.db")

engine = create_async_engine(URL)
Session = async_sessionmaker(engine, expire_on_commit=False)
app = sidework.App(URL, job_connection=Session)


class Base(DeclarativeBase):
    """The shop's own tables."""


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]
    is_paid: Mapped[bool] = mapped_column(default=False)


@app.task(delivery="transactional")
async def charge(ctx: sidework.Context, order_id: int) -> None:
    session: AsyncSession = ctx.connection
    order = await session.get_one(Order, order_id)
    order.is_paid = True  # flushed and committed with the job


async def open_session() -> AsyncIterator[AsyncSession]:
    """One session a request; the transaction is the handler's, so that it has committed before the answer is sent."""
    async with Session() as session:
        yield session


SessionOfRequest = Annotated[AsyncSession, Depends(open_session)]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await app.amigrate()
    worker = app.worker(concurrency=4)
    running = asyncio.create_task(worker.arun())  # on this loop, so that handlers may share its pools
    yield
    worker.stop()
    await running
    await app.aclose()
    await engine.dispose()


api = FastAPI(lifespan=lifespan)


@api.post("/orders", status_code=201)
async def place(item: str, session: SessionOfRequest) -> dict[str, object]:
    async with session.begin():
        order = Order(item=item)
        session.add(order)
        await session.flush()
        job = await charge.using(connection=session).aenqueue(order.id)
        if not item:
            raise HTTPException(422, "say what to order")  # rolls back, the job with it
    return {"order": order.id, "job": str(job.id)}


@api.get("/orders/{order_id}")
async def show(order_id: int, session: SessionOfRequest) -> dict[str, object]:
    order = await session.get(Order, order_id)
    if order is None:
        raise HTTPException(404)
    return {"order": order.id, "item": order.item, "is_paid": order.is_paid}
