"""The conditions of `find_jobs`, composed from a fixed list of columns: the only SQL that is put together from parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sidework.core.job import FINISHED, JobState
from sidework.core.ops import Value
from sidework.core.store import JobFilter
from sidework.stores.rows import as_json


@dataclass(frozen=True, slots=True)
class Conditions:
    """The where clauses for unfinished and finished jobs (alias `j`), and the parameters that they share."""

    unfinished: str
    finished: str
    params: dict[str, Value]


def compose(
    where: JobFilter, *, id_list: str, id_after: str, has_tag: str, text_list: Callable[[str], str]
) -> Conditions:
    """The conditions of a filter; the arguments are one database's texts for the parts that differ."""
    shared: list[str] = []
    params: dict[str, Value] = {}
    if where.ids is not None:
        shared.append(id_list)
        params["ids"] = as_json([str(id) for id in where.ids])
    if where.after is not None:
        shared.append(id_after)
        params["after"] = str(where.after)
    for column in ("queue", "task"):
        value = getattr(where, column)
        if value is not None:
            shared.append(f"j.{column} = :{column}_is")
            params[f"{column}_is"] = value
    if where.tag is not None:
        shared.append(has_tag)
        params["tag"] = where.tag
    stages, states = _states(where.states)
    if states is not None:
        params["states"] = as_json(states)
    unfinished = [*shared, stages]
    finished = [*shared, *([text_list("states")] if states is not None else [])]
    return Conditions(" and ".join(unfinished), " and ".join(finished) or "1 = 1", params)


def _states(states: tuple[JobState, ...] | None) -> tuple[str, list[str] | None]:
    if states is None:
        return "1 = 1", None
    stages = [text for state, text in _STAGES.items() if state in states]
    return f"j.stage in ({', '.join(stages) or 'null'})", [state.value for state in states if state in FINISHED]


_STAGES = {JobState.WAITING: "0, 1", JobState.RUNNING: "2"}
