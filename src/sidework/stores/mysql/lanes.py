"""Which lanes a claim takes from, and how many jobs of each.

Decided here and not by the server, because a locking read that has to sort locks every candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sidework.core.ops import Row, Rows
from sidework.core.store import Claim
from sidework.stores.rows import as_optional_int, as_text

PROBES = 16
"""Lanes in one statement."""

Order = tuple[int, int, int]
"""Where a job stands in its lane: minus its priority, due time, sequence."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue and a task with due jobs, the place of its queue in the claim, and where its first job stands."""

    queue: str
    task: str
    place: int
    head: Order


@dataclass(frozen=True, slots=True)
class Outlook:
    """What `look_for_lanes.sql` saw: the lanes that a claim may take from, the clock, when a later job is due."""

    lanes: tuple[Lane, ...]
    now: int
    next_run_at: int | None

    @property
    def has_come_due(self) -> bool:
        """Are there later jobs whose time has come?"""
        return self.next_run_at is not None and self.next_run_at <= self.now

    @property
    def wait(self) -> float | None:
        """Seconds until the next later job, None when there is none."""
        return None if self.next_run_at is None else max(self.next_run_at - self.now, 0) / 1_000_000


def read_outlook(claim: Claim, rows: Rows) -> Outlook:
    """The lanes of the claim's tasks and queues, best head first; none where the worker's lease has lapsed."""
    *found, (_, _, _, now, next_run_at, is_alive) = sorted(rows, key=lambda row: row[3] is not None)
    places = None if claim.queues is None else {queue: place for place, queue in enumerate(claim.queues)}
    lanes = [_read_lane(row, places) for row in found if row[2] is not None] if int(is_alive) else []
    wanted = [lane for lane in lanes if lane.task in claim.tasks and (places is None or lane.queue in places)]
    wanted.sort(key=lambda lane: (lane.place, lane.head))
    return Outlook(tuple(wanted), int(now), as_optional_int(next_run_at))


def quotas(lanes: Sequence[Lane], peeked: Rows, limit: int) -> list[tuple[Lane, int]]:
    """How many jobs each lane gives to the best `limit`; `peeked` are their first: lane number, where they stand."""
    order = sorted(
        (lanes[int(lane)].place, int(rank), int(run_at), int(seq), int(lane)) for lane, rank, run_at, seq in peeked
    )
    counts = Counter(entry[-1] for entry in order[:limit])
    return [(lanes[number], count) for number, count in sorted(counts.items())]


def _read_lane(row: Row, places: dict[str, int] | None) -> Lane:
    queue, task = as_text(row[0]), as_text(row[1])
    rank, run_at, seq = as_text(row[2]).split(",")
    return Lane(queue, task, 0 if places is None else places.get(queue, 0), (int(rank), int(run_at), int(seq)))
