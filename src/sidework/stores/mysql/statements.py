"""The statements of `sql/` with their parameters, as the operations of this store yield them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidework.core.ops import Statement, Value
from sidework.core.store import JobFilter, Migration
from sidework.stores.filters import Conditions, compose
from sidework.stores.mysql.params import hexed
from sidework.stores.rows import as_json
from sidework.stores.sql import SqlFiles

NOW = "coalesce(CAST(:now AS signed), timestampdiff(microsecond, '1970-01-01 00:00:00', utc_timestamp(6)))"

PARTS = ("job", "finished", "ids", "attempts", "numbers", "workers")


class Statements:
    """The statements on the tables of one prefix: `statements("lock_waiting", {"ids": ids})`."""

    def __init__(self, prefix: str) -> None:
        macros = {"p": f"{prefix}_", "now": NOW}
        parts = SqlFiles(__package__, macros)
        self._files = SqlFiles(__package__, {**macros, **{name: parts(f"part_{name}") for name in PARTS}})
        self._probes: dict[tuple[str, int], str] = {}

    def __call__(self, name: str, params: Mapping[str, Value] | None = None) -> Statement:
        """A statement within a transaction."""
        return Statement(self._files(name), params or {})

    def peek(self, name: str, params: Mapping[str, Value] | None = None) -> Statement:
        """One that only reads, and need not see what the next one sees."""
        return Statement(self._files(name), params or {}, peek=True)

    def alone(self, name: str, params: Mapping[str, Value]) -> Statement:
        """One that is all its operation writes."""
        return Statement(self._files(name), params, alone=True)

    def filtered(self, name: str, conditions: Conditions, params: Mapping[str, Value] | None = None) -> Statement:
        """One that looks for jobs by the conditions of a filter."""
        text = (
            self._files(name).replace("[conditions]", conditions.unfinished).replace("[finished]", conditions.finished)
        )
        return Statement(text, {**conditions.params, **(params or {})}, peek=True)

    def probes(self, name: str, lanes: Sequence[Mapping[str, Value]], params: Mapping[str, Value]) -> Statement:
        """The same probe into several lanes: the text depends on their number only, the lanes are parameters."""
        text = self._probes.get((name, len(lanes)))
        if text is None:
            probe = self._files(name)
            text = "\nunion all\n".join(probe.replace("[n]", str(number)) for number in range(len(lanes)))
            self._probes[name, len(lanes)] = text
        numbered = {f"{key}{number}": value for number, lane in enumerate(lanes) for key, value in lane.items()}
        return Statement(text, {**numbered, **params})

    def migrations(self) -> tuple[Migration, ...]:
        """The numbered migrations, in order."""
        return self._files.migrations()


def conditions_of(where: JobFilter) -> Conditions:
    """The where clauses of a filter, with parameters in ASCII."""
    conditions = compose(
        where,
        id_list=f"j.id in (select s.id from {_IDS} as s)",  # noqa: S608 - constants
        id_after="j.id < :after",
        has_tag="json_contains(j.tags, convert(unhex(:tag) using utf8mb4))",
        text_list=lambda name: f"j.state in (select s.state from {_STATES.format(name)} as s)",  # noqa: S608 - the same
    )
    params = dict(conditions.params)
    unfinished, finished = conditions.unfinished, conditions.finished
    for name, value in (("queue_is", where.queue), ("task_is", where.task)):
        if value is not None:
            params[name] = hexed(value)
            unfinished, finished = (text.replace(f":{name}", f"unhex(:{name})") for text in (unfinished, finished))
    if where.tag is not None:
        params["tag"] = hexed(as_json(where.tag))
    return Conditions(unfinished, finished, params)


_IDS = "json_table(convert(:ids using utf8mb4), '$[*]' columns (id char(36) character set ascii path '$'))"
_STATES = "json_table(convert(:{} using utf8mb4), '$[*]' columns (state varchar(9) character set ascii path '$'))"
