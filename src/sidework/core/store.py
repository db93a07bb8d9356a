"""The seam: what one database's SQL must be able to do, and the parameter objects it is asked with.

`sidework.stores` has one implementation a database; a fourth database is one more folder there, and the conformance
suite says when it is right. Times are microseconds since 1970 in UTC; `now` is None (the database's clock) except in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sidework.core.job import JobRow, JobState, NewJob
from sidework.core.lifecycle import Settlement
from sidework.core.ops import Op


@dataclass(frozen=True, slots=True)
class Claim:
    """A request for due jobs: at most `limit`, only of `tasks` (name to crash budget), for a worker with a live lease.

    `queues` is None for every queue (by priority, due time, order of enqueuing) or a strict order of names. `look_first`
    says that probably nothing is due, so that one look should come before anything that locks or begins.
    """

    worker: str
    tasks: Mapping[str, int]
    limit: int
    queues: tuple[str, ...] | None = None
    now: int | None = None
    look_first: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The claimed rows in the order in which they should start; when none, seconds until one may be due.

    `next_due` is None when nothing waits for a time, and 0 when due jobs were there but other claimers held them.
    """

    rows: tuple[JobRow, ...]
    next_due: float | None = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs an operation means: all conditions hold; None does not restrict. `after` is a page's last id."""

    ids: tuple[UUID, ...] | None = None
    states: tuple[JobState, ...] | None = None
    queue: str | None = None
    task: str | None = None
    tag: str | None = None
    after: UUID | None = None
    limit: int | None = 100


@dataclass(frozen=True, slots=True)
class JobCount:
    """How many jobs of a queue are in a state."""

    queue: str
    state: JobState
    count: int


@dataclass(frozen=True, slots=True)
class Change:
    """A new due time, queue or priority for a waiting job; None leaves it."""

    id: UUID
    run_at: int | None = None
    queue: str | None = None
    priority: int | None = None
    now: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process as it presents itself; times are filled by the database."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...] | None
    tasks: tuple[str, ...]
    concurrency: int
    lease: float
    started_at: int | None = None
    beat_at: int | None = None
    lease_until: int | None = None
    running: int = 0


@dataclass(frozen=True, slots=True)
class BeatReply:
    """What a heartbeat brings back: whether the worker had been given up, and the attempts asked to stop."""

    was_lost: bool
    cancelled: tuple[tuple[UUID, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Rescued:
    """A job taken from a lost worker, and what became of it."""

    row: JobRow
    settlement: Settlement


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A queue with its settings and its numbers of jobs."""

    name: str
    paused: bool
    waiting: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class ProgressNote:
    """Progress of a running attempt, fenced by its token; `text` is stored JSON."""

    id: UUID
    token: int
    text: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema: its statements up and down; `record` notes that it was done, for scripts."""

    version: int
    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    record: str


class Store(Protocol):
    """One database's SQL: every operation is a generator that any driver can run, ours or the caller's connection."""

    database: str
    migrations: tuple[Migration, ...]

    def insert_jobs(self, jobs: Iterable[NewJob], now: int | None = None) -> Op[list[JobRow]]:
        """Store the jobs in order, all or none, and return their rows; a given id that is kept returns the stored row.

        Raises IdConflict where the stored one has another task or payload. Reads `jobs` lazily, in chunks; more than
        one chunk is wrapped in a savepoint.
        """
        ...

    def claim_jobs(self, claim: Claim) -> Op[Claimed]:
        """Take due jobs for a worker: each becomes running, its attempt is counted, and it gets a token never used before."""
        ...

    def settle_jobs(self, settlements: Sequence[Settlement], now: int | None = None) -> Op[list[UUID]]:
        """Write a mixed batch of outcomes, each only where its token still holds; return the ids that were refused."""
        ...

    def save_progress(self, notes: Sequence[ProgressNote], now: int | None = None) -> Op[None]:
        """Store what running attempts report; a stale token changes nothing."""
        ...

    def find_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        """The matching jobs, waiting and finished alike, newest (highest) id first."""
        ...

    def count_jobs(self, where: JobFilter) -> Op[list[JobCount]]:
        """The numbers of matching jobs by queue and state."""
        ...

    def cancel_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        """Waiting ones become cancelled, running ones are asked to stop; returns both as they are then."""
        ...

    def retry_jobs(self, where: JobFilter, now: int | None = None) -> Op[list[JobRow]]:
        """Finished ones wait again from attempt 0 with their errors kept; waiting ones become due now."""
        ...

    def delete_jobs(self, where: JobFilter) -> Op[list[JobRow]]:
        """Remove matching jobs that are not running."""
        ...

    def change_job(self, change: Change) -> Op[bool]:
        """Reschedule a waiting job; False when it is not waiting."""
        ...

    def rescue_jobs(
        self, judge: Callable[[JobRow, int], Settlement], limit: int, now: int | None = None
    ) -> Op[list[Rescued]]:
        """Take up to `limit` jobs from workers whose lease has lapsed (or that are gone), as `judge(row, now)` says."""
        ...

    def prune_jobs(self, ages: Mapping[JobState, int], limit: int, now: int | None = None) -> Op[int]:
        """Remove up to `limit` finished jobs of each state whose finish is longer ago than that many microseconds."""
        ...

    def beat(self, worker: WorkerRow, first: bool, now: int | None = None) -> Op[BeatReply]:
        """Extend a worker's lease, or register it (`first`)."""
        ...

    def retire(self, worker: str) -> Op[None]:
        """Forget a worker that has stopped."""
        ...

    def list_workers(self) -> Op[list[WorkerRow]]:
        """The registered workers, by id, with how many jobs each runs."""
        ...

    def put_queue(self, name: str, paused: bool) -> Op[None]:
        """Store a queue's settings."""
        ...

    def list_queues(self) -> Op[list[QueueRow]]:
        """Every queue that has settings or unfinished jobs, by name."""
        ...

    def list_task_names(self) -> Op[list[str]]:
        """The distinct task names of waiting jobs, by name."""
        ...

    def schema_version(self) -> Op[int]:
        """The version of the tables that are there, 0 when none."""
        ...

    def migrate(self) -> Op[int]:
        """Bring the tables to the newest version under a lock; returns the version."""
        ...

    def rollback(self) -> Op[None]:
        """Remove every table, and the schema where it is empty then."""
        ...

    def open_sentinel(self, name: str, id: UUID, token: int) -> Op[str]:
        """Begin watching a transaction that a handler is about to use: a savepoint and a marker; returns the marker."""
        ...

    def close_sentinel(self, name: str, marker: str) -> Op[None]:
        """Release the savepoint (fails where the handler ended or broke the transaction) and remove the marker."""
        ...

    def read_sentinel(self, marker: str) -> Op[bool]:
        """Asked in another transaction after a failed release: was what stood before the savepoint committed?"""
        ...
