"""Arguments and results through a real run: what is accepted arrives equal, on every database."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntFlag
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest

from sidework import App, InvalidPayload
from tests.strategies import same


class Colour(Enum):
    RED = "r"


class Mode(IntFlag):
    A = 1
    B = 2


@dataclasses.dataclass
class Money:
    amount: Decimal
    currency: str = "EUR"


class Order(pydantic.BaseModel):
    id: int
    lines: list[str] = []
    when: datetime


class Packet(msgspec.Struct):
    body: bytes
    size: int = 0


VALUES: list[object] = [
    *(
        None,
        True,
        0,
        -1,
        2**63,
        -(10**200),
        0.0,
        -0.0,
        1e16,
        1e-300,
        0.1,
        "",
        "naïve \U0001f600 ' \" % \\ :x",
        b"\x00\xff",
    ),
    *([1, (2, [3])], {"a": {"b": []}}, {1: "x", (1, 2): None, None: b""}, {"$tuple": [1]}, {1, "a"}, frozenset({(1,)})),
    *(datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Oslo"), fold=1), datetime(1, 1, 1), date(9999, 12, 31)),  # noqa: DTZ001
    *(
        time(1, 2, 3, 4),
        timedelta(-1, 2, 3),
        Decimal("-0E+5"),
        UUID(int=5),
        Colour.RED,
        Mode.A | Mode.B,
        Money(Decimal(1)),
    ),
]


def test_every_type_arrives_equal_as_argument_and_as_result(app: App) -> None:
    arrived: list[tuple[object, dict[str, object]]] = []

    @app.task(name="echo")
    def echo(value: object, **named: object) -> object:
        arrived.append((value, named))
        return value

    jobs = app.enqueue_many(echo.job(value, named=value) for value in VALUES)
    app.drain()
    stored = {job.id: job for job in app.jobs.find(limit=1000)}
    for value, job, (argument, named) in zip(VALUES, jobs, arrived, strict=True):
        assert same(argument, value)
        assert same(named, {"named": value})
        assert same(stored[job.id].args[0], value)
        assert same(stored[job.id].result, value)


async def test_models_arrive_by_annotation(app: App) -> None:
    @app.task(name="order")
    async def take(order: Order, packets: list[Packet]) -> dict[str, Order]:
        assert type(order) is Order
        assert type(packets[0]) is Packet
        return {"taken": order.model_copy(update={"lines": ["seen"]})}

    order = Order(id=1, when=datetime(2026, 1, 2, tzinfo=UTC))
    job = await take.aenqueue(order, packets=[Packet(b"x", 3)])
    [ack] = await app.adrain()
    assert ack.exception is None
    stored = await app.jobs.aget(job.id)
    assert stored.args == (order,)
    assert stored.kwargs == {"packets": [Packet(b"x", 3)]}
    assert stored.result == {"taken": Order(id=1, lines=["seen"], when=order.when)}
    await app.aclose()


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), r"args\[0\]: builtins\.object"),
        ({"a": [1, float("nan")]}, r'args\[0\]\["a"\]\[1\]: NaN'),
        ("a\x00b", r"args\[0\]: the NUL"),
        ("\ud800", r"args\[0\]: the lone surrogate"),
        ([[]] * 3 + ["x" * 1_100_000], r"the limit is"),
        (Order(id=1, when=datetime(2026, 1, 1, tzinfo=UTC)), "annotate the parameter"),
    ],
    ids=["object", "nan", "nul", "surrogate", "large", "model"],
)
def test_what_cannot_be_stored_is_refused_at_enqueue_with_its_path(lite: App, value: object, path: str) -> None:
    echo = lite.task(name="echo")(print)
    with pytest.raises(InvalidPayload, match=path):
        echo.enqueue(value)
    assert lite.jobs.count() == 0


def test_arguments_that_cannot_be_read_are_shown_as_text_and_fail_the_job(lite: App) -> None:
    lite.task(name="pay")(print)
    job = lite.enqueue("pay", [Money(Decimal(2))])
    database = lite.setup.database
    handle = database.backend.owned.take()
    handle.raw.execute("update sidework_jobs set payload = replace(payload, ':Money', ':Gold')")
    database.backend.owned.give(handle)
    shown = lite.jobs.get(job.id)
    assert "Gold" in str(shown.args)
    [ack] = lite.drain()
    assert isinstance(ack.exception, InvalidPayload)
    assert (ack.job.state, ack.job.attempt) == ("failed", 1)
