"""Which jobs a call means: ids in any form, or filters, as one JobFilter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypedDict
from uuid import UUID

from sidework.core.job import FINISHED, Job, JobState
from sidework.core.options import check_count, check_queue
from sidework.core.store import JobFilter
from sidework.errors import ConfigurationError
from sidework.task import Task

Id = UUID | str
Ids = UUID | str | Job | Iterable[UUID | str | Job]
States = JobState | str | Iterable[JobState | str]


class Filters(TypedDict, total=False):
    """The filters that select jobs; all that are given must hold."""

    state: States | None
    queue: str | None
    task: str | Task[..., ..., Any] | None
    tag: str | None


def by_id(id: Id | Job) -> JobFilter:
    """The one job of that id."""
    return JobFilter(ids=(one_id(id),), limit=1)


def choose(ids: Ids | None, filters: Filters, *, limit: int | None = None, after: Id | Job | None = None) -> JobFilter:
    """The filter that ids and filters come to; unknown ones are refused with TypeError."""
    known: Mapping[str, Any] = filters
    if unknown := set(known) - _NAMES:
        raise TypeError(f"there is no filter {min(unknown)!r}; there are ids, {', '.join(sorted(_NAMES))}")
    state, queue, task = known.get("state"), known.get("queue"), known.get("task")
    return JobFilter(
        ids=None if ids is None else id_list(ids),
        states=None if state is None else state_list(state),
        queue=None if queue is None else check_queue(queue),
        task=None if task is None else task.name if isinstance(task, Task) else task,
        tag=known.get("tag"),
        after=None if after is None else one_id(after),
        limit=None if limit is None else check_count("limit", limit, most=10_000),
    )


def choose_some(ids: Ids | None, filters: Filters, verb: str) -> JobFilter:
    """The same, refused where nothing restricts it: no call changes every job by an oversight."""
    where = choose(ids, filters)
    if where == JobFilter(limit=None):
        raise ConfigurationError(f"say which jobs to {verb}: ids, or state=, queue=, task= or tag=")
    return where


def one_id(id: Id | Job) -> UUID:
    """The id that a UUID, its text, or a Job stands for."""
    if isinstance(id, Job):
        return id.id
    if isinstance(id, UUID):
        return id
    try:
        return UUID(id)
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(f"expected a job's id as a UUID, got {id!r}") from None


def id_list(ids: Ids) -> tuple[UUID, ...]:
    """The ids of one or many."""
    if isinstance(ids, (UUID, str, Job)):
        return (one_id(ids),)
    return tuple(one_id(id) for id in ids)


def state_list(states: States) -> tuple[JobState, ...]:
    """The states of one or many, each checked."""
    listed = [states] if isinstance(states, str) else list(states)
    try:
        return tuple(dict.fromkeys(JobState(state) for state in listed))
    except ValueError:
        names = ", ".join(repr(state.value) for state in JobState)
        raise ConfigurationError(f"expected state to be one of {names}, got {states!r}") from None


def finished_states(states: States | None) -> tuple[JobState, ...]:
    """The finished states meant; waiting and running ones are refused, because purging never touches them."""
    chosen = tuple(sorted(FINISHED)) if states is None else state_list(states)
    if unfinished := [state.value for state in chosen if state not in FINISHED]:
        raise ConfigurationError(
            f"purge removes finished jobs only, got state={unfinished[0]!r}; see delete() and cancel()"
        )
    return chosen


_NAMES = frozenset(Filters.__annotations__)
