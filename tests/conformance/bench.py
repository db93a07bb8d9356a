"""A migrated store on one driver, with the verbs that the tests speak in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sidework.core.job import JobRow, JobState, NewJob
from sidework.core.lifecycle import Settlement
from sidework.core.ops import Op, Rows, Value
from sidework.core.store import BeatReply, Claimed, JobFilter, Rescued, Store
from tests.conformance.builders import T0, claim, lost, worker
from tests.conformance.lines import Channel, Line

T = TypeVar("T")


class Runs(Protocol):
    def run(self, make: Callable[[], Op[T]]) -> T: ...


class Actor:
    """Somebody who works with the store: a producer, a worker, or another one of them on connections of its own."""

    def __init__(self, store: Store, runs: Runs) -> None:
        self.store = store
        self._runs = runs

    def run(self, make: Callable[[], Op[T]]) -> T:
        return self._runs.run(make)

    def insert(self, *jobs: NewJob, now: int | None = T0) -> list[JobRow]:
        return self.insert_all(jobs, now=now)

    def insert_all(self, jobs: Iterable[NewJob], now: int | None = T0) -> list[JobRow]:
        return self.run(lambda: self.store.insert_jobs(jobs, now))

    def ask(self, limit: int = 10, **more: Any) -> Claimed:
        """The whole answer of a claim."""
        return self.run(lambda: self.store.claim_jobs(claim(limit, **more)))

    def claim(self, limit: int = 10, **more: Any) -> list[JobRow]:
        return list(self.ask(limit, **more).rows)

    def claim_one(self, **more: Any) -> JobRow:
        (row,) = self.claim(1, **more)
        return row

    def settle(self, *settlements: Settlement, now: int | None = T0) -> list[UUID]:
        return self.run(lambda: self.store.settle_jobs(settlements, now))

    def find(self, **where: Any) -> list[JobRow]:
        return self.run(lambda: self.store.find_jobs(JobFilter(**where)))

    def get(self, id: UUID) -> JobRow:
        (row,) = self.find(ids=(id,))
        return row

    def states(self) -> dict[UUID, JobState]:
        """The state of every job that is kept."""
        return {row.id: row.state for row in self.find(limit=None)}

    def cancel(self, now: int | None = T0, **where: Any) -> list[JobRow]:
        return self.run(lambda: self.store.cancel_jobs(JobFilter(**where), now))

    def retry(self, now: int | None = T0, **where: Any) -> list[JobRow]:
        return self.run(lambda: self.store.retry_jobs(JobFilter(**where), now))

    def delete(self, **where: Any) -> list[JobRow]:
        return self.run(lambda: self.store.delete_jobs(JobFilter(**where)))

    def rescue(self, limit: int = 100, now: int | None = T0) -> list[Rescued]:
        return self.run(lambda: self.store.rescue_jobs(lost, limit, now))

    def beat(self, id: str = "w", *, first: bool = False, now: int | None = T0, **more: Any) -> BeatReply:
        return self.run(lambda: self.store.beat(worker(id, **more), first, now))

    def register(self, id: str = "w", *, now: int | None = T0, **more: Any) -> None:
        self.beat(id, first=True, now=now, **more)

    def pause(self, queue: str, *, paused: bool = True) -> None:
        self.run(lambda: self.store.put_queue(queue, paused))


class Session(Actor):
    """The same in one open transaction on a connection of the caller's, which the caller ends."""

    def __init__(self, store: Store, channel: Channel) -> None:
        super().__init__(store, channel)
        self._channel = channel

    @property
    def raw(self) -> Any:
        return self._channel.raw

    def drive(self, make: Callable[[], Op[T]]) -> T:
        """Run an operation without looking at the connection first."""
        return self._channel.drive(make)

    def execute(self, sql: str, **params: Value) -> Rows:
        return self._channel.execute(sql, **params)

    def begin(self) -> None:
        self._channel.begin()

    def commit(self) -> None:
        self._channel.commit()

    def rollback(self) -> None:
        self._channel.rollback()


class Bench(Actor):
    """An actor of a test, and the means to have more of them on the same tables."""

    def __init__(self, store: Store, open_line: Callable[[], Line]) -> None:
        self._open_line = open_line
        self._line = open_line()
        super().__init__(store, self._line)

    def other(self) -> Bench:
        """Another one, on connections of its own, for a thread of its own."""
        return Bench(self.store, self._open_line)

    def others(self, number: int) -> list[Bench]:
        return [self.other() for _ in range(number)]

    def open(self) -> Session:
        """A connection with an open transaction."""
        return Session(self.store, self._line.open())

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """The same, committed at the end unless the test has ended it."""
        session = self.open()
        try:
            yield session
        except BaseException:
            session.rollback()
            raise
        session.commit()
