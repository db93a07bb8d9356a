"""From a call to a stored job: binds, encodes, inserts on our connection or the caller's, and wakes workers here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID

from sidework.connect import Database
from sidework.core.codec import Codec, encode_call
from sidework.core.job import Job, JobRow, NewJob
from sidework.core.ops import Op
from sidework.core.options import check_task_name
from sidework.core.reading import read_new_job
from sidework.core.registry import Registry, TaskSpec
from sidework.core.retry import max_attempts_of
from sidework.errors import ConfigurationError, OutcomeUnknown
from sidework.events import Events, JobEnqueued
from sidework.ids import IdMaker
from sidework.task import SendOptions
from sidework.worker.wakes import Wakes


class Outbox:
    """Makes and stores jobs for one App."""

    def __init__(self, database: Database, registry: Registry, codec: Codec, events: Events, wakes: Wakes) -> None:
        self._database = database
        self._registry = registry
        self._codec = codec
        self._events = events
        self._wakes = wakes
        self._make_id = IdMaker()

    def new_job(self, spec: TaskSpec, options: SendOptions, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NewJob:
        """A job of a known task, its arguments bound and encoded."""
        spec.bind(args, kwargs)
        return NewJob(
            id=options.id or self._make_id(),
            task=spec.name,
            queue=options.queue or spec.queue,
            payload=encode_call(self._codec, args, _in_order(kwargs), spec.hints, spec.positional),
            args=args,
            kwargs=kwargs,
            priority=spec.priority if options.priority is None else options.priority,
            run_at=options.run_at,
            delay=options.delay,
            max_attempts=max_attempts_of(spec.retry),
            max_crashes=spec.max_crashes,
            tags=options.tags,
            given=options.id is not None,
        )

    def named_job(self, name: str, options: SendOptions, args: tuple[Any, ...], kwargs: dict[str, Any]) -> NewJob:
        """A job by the name of its task, which may be known only to the workers."""
        spec = self._registry.find(check_task_name(name))
        if spec is not None:
            return self.new_job(spec, options, args, kwargs)
        return NewJob(
            id=options.id or self._make_id(),
            task=name,
            queue=options.queue or "default",
            payload=encode_call(self._codec, args, _in_order(kwargs)),
            args=args,
            kwargs=kwargs,
            priority=options.priority or 0,
            run_at=options.run_at,
            delay=options.delay,
            tags=options.tags,
            given=options.id is not None,
        )

    def send(self, job: NewJob, connection: object) -> Job:
        """Store one job."""
        return self.send_many((job,), connection)[0]

    async def asend(self, job: NewJob, connection: object) -> Job:
        """The same from a coroutine."""
        return (await self.asend_many((job,), connection))[0]

    def send_many(self, jobs: Iterable[NewJob], connection: object) -> list[Job]:
        """Store jobs in order, all or none."""
        batch = _Batch(jobs)
        try:
            if connection is None:
                rows = self._database.run(self._insertion(batch))
                self._wakes.wake()
            else:
                borrowed = self._database.borrow(connection)
                rows = borrowed.run(self._insertion(batch))
                self._wake_after(borrowed.on_commit)
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"{error}; {_ADVICE}", ids=batch.ids) from error
        return self._announce(batch, rows)

    async def asend_many(self, jobs: Iterable[NewJob], connection: object) -> list[Job]:
        """The same from a coroutine."""
        batch = _Batch(jobs)
        try:
            if connection is None:
                rows = await self._database.arun(self._insertion(batch))
                self._wakes.wake()
            else:
                borrowed = await self._database.aborrow(connection)
                rows = await borrowed.run(self._insertion(batch))
                self._wake_after(borrowed.on_commit)
        except OutcomeUnknown as error:
            raise OutcomeUnknown(f"{error}; {_ADVICE}", ids=batch.ids) from error
        return self._announce(batch, rows)

    def _insertion(self, batch: _Batch) -> Callable[[], Op[list[JobRow]]]:
        return lambda: self._database.store.insert_jobs(batch.again(), self._database.now())

    def _wake_after(self, on_commit: Callable[[Callable[[], None]], bool]) -> None:
        if not on_commit(self._wakes.wake):
            self._wakes.wake_soon()

    def _announce(self, batch: _Batch, rows: list[JobRow]) -> list[Job]:
        jobs = [read_new_job(new, row) for new, row in zip(batch.taken, rows, strict=True)]
        for job in jobs:
            self._events.emit(JobEnqueued(job))
        return jobs


def _in_order(kwargs: dict[str, Any]) -> dict[str, Any]:
    """In one order, because an id given twice with the same arguments is the same job, however a caller ordered them."""
    return {name: kwargs[name] for name in sorted(kwargs)}


_ADVICE = "enqueue again with using(id=...) and the ids in error.ids, which is safe"


class _Batch:
    """Jobs that are read lazily, and remembered so that a conflict can be tried again and the answer put together."""

    def __init__(self, jobs: Iterable[NewJob]) -> None:
        self._rest = iter(jobs)
        self.taken: list[NewJob] = []
        self._made: set[UUID] = set()

    @property
    def ids(self) -> tuple[Any, ...]:
        return tuple(job.id for job in self.taken)

    def again(self) -> Iterator[NewJob]:
        yield from tuple(self.taken)
        for job in self._rest:
            if not isinstance(job, NewJob):
                raise TypeError(f"enqueue_many takes what task.job(...) returns; element {len(self.taken)} is {job!r}")
            if job.id in self._made:
                raise ConfigurationError(
                    f"element {len(self.taken)} is a job of task {job.task} that came before (id {job.id}): call job(...)"
                    " for each, or give it an id, which is stored once"
                )
            if not job.given:
                self._made.add(job.id)
            self.taken.append(job)
            yield job
