"""Parameters as MySQL and MariaDB get them: ASCII only, because a caller's connection may speak latin1 or utf8mb3.

What may hold other characters travels as JSON with escapes, or as the hexadecimal form of its UTF-8 bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from uuid import UUID

from sidework.core.job import NewJob, to_micros
from sidework.core.lifecycle import Settlement
from sidework.stores.rows import as_json, job_documents, micros, settlement_documents

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def escape_json(text: str) -> str:
    """The same JSON in ASCII.

    >>> escape_json('["5 €"]').isascii()
    True
    """
    return text if text.isascii() else _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)


def ascii_json(value: object) -> str:
    """One batch parameter as JSON in ASCII."""
    return escape_json(as_json(value))


def hexed(text: str | None) -> str | None:
    """The UTF-8 bytes of a text for `unhex(:name)`."""
    return None if text is None else text.encode().hex()


def id_list(ids: Iterable[UUID]) -> str:
    """The ids in ascending order: everybody locks rows in the same order, so nobody deadlocks."""
    return as_json(sorted(str(id) for id in ids))


def attempt_list(attempts: Iterable[tuple[UUID | str, int]]) -> str:
    """Ids with their tokens, in ascending order."""
    return as_json([{"id": id, "token": token} for id, token in sorted((str(id), token) for id, token in attempts)])


def settlement_list(settlements: Sequence[Settlement]) -> str:
    """Settlements for `finish_jobs.sql` and `release_jobs.sql`."""
    return escape_json(settlement_documents(sorted(settlements, key=lambda settlement: settlement.id)))


def due_time(job: NewJob, now: int | None) -> int | None:
    """When a new job is due, as far as it is known here: an insert does not answer with the server's time."""
    if job.run_at is not None:
        return to_micros(job.run_at)
    return None if now is None else now + (micros(job.delay) or 0)


def job_list(jobs: Sequence[NewJob]) -> str:
    """New jobs for `insert_jobs.sql`, which expects them in order."""
    return escape_json(job_documents(jobs))
