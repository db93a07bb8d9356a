"""Storing any number of jobs, all or none: one statement where they are few, chunks inside a savepoint where they are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from uuid import UUID

from sidework.core.job import JobRow, NewJob
from sidework.core.ops import Op, Statement
from sidework.stores.rows import BATCH_LENGTH

CHUNK = 1000
"""Jobs in one statement: beyond it a statement gains nothing."""


def insert_in_chunks(
    jobs: Iterable[NewJob],
    insert: Callable[[list[NewJob]], Op[list[JobRow]]],
    *,
    most_given: int = 1,
    opening: tuple[Statement, ...] = (),
) -> Op[list[JobRow]]:
    """The rows of the jobs, in order, stored chunk by chunk by `insert`.

    A single chunk with up to `most_given` ids of the caller's needs no savepoint: `insert` refuses it before it has
    stored anything. `opening` comes before the savepoint, where a database needs it.
    """
    chunks = chunked(jobs)
    first = next(chunks, None)
    if first is None:
        return []
    second = next(chunks, None)
    if second is None and sum(job.given for job in first) <= most_given:
        return (yield from insert(first))
    for statement in (*opening, Statement("savepoint sidework_jobs")):  # noqa: UP028 - a tuple takes no rows
        yield statement
    rows: list[JobRow] = []
    try:
        for chunk in chain([first], [second] if second else [], chunks):
            rows += yield from insert(chunk)
    except GeneratorExit:
        raise
    except BaseException:
        yield Statement("rollback to savepoint sidework_jobs")
        yield Statement("release savepoint sidework_jobs")
        raise
    yield Statement("release savepoint sidework_jobs")
    return rows


def chunked(jobs: Iterable[NewJob]) -> Iterator[list[NewJob]]:
    """The jobs in chunks bounded by number and size, read lazily; ids given twice never share a chunk."""
    chunk: list[NewJob] = []
    size = 0
    given: set[UUID] = set()
    for job in jobs:
        if chunk and (len(chunk) == CHUNK or size + len(job.payload) > BATCH_LENGTH or job.id in given):
            yield chunk
            chunk, size, given = [], 0, set()
        chunk.append(job)
        size += len(job.payload)
        if job.given:
            given.add(job.id)
    if chunk:
        yield chunk
