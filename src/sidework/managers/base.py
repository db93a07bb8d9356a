"""What every manager needs of its App."""

from __future__ import annotations

from dataclasses import dataclass

from sidework.connect import Database
from sidework.core.codec import Codec
from sidework.core.job import Job, JobRow
from sidework.core.reading import show_job
from sidework.core.registry import Registry
from sidework.events import Events
from sidework.worker.wakes import Wakes


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of an App that its managers share."""

    database: Database
    registry: Registry
    codec: Codec
    events: Events
    wakes: Wakes

    def show(self, row: JobRow) -> Job:
        """A stored row as a Job."""
        return show_job(row, self.codec, self.registry.find(row.task))
