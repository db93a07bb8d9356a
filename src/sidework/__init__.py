"""Durable background jobs in the database an application already has."""

from sidework import errors, events
from sidework.app import App
from sidework.core.codec import Codec, JsonCodec
from sidework.core.context import Context, current
from sidework.core.job import AttemptError, Job, JobState, NewJob, Progress
from sidework.core.options import Retention
from sidework.core.retry import Retry
from sidework.errors import (
    CancelJob,
    ConfigurationError,
    DatabaseError,
    IdConflict,
    InvalidPayload,
    JobNotFound,
    JobTimeout,
    MissingDriver,
    OutcomeUnknown,
    Reject,
    RetryJob,
    SchemaError,
    SideworkError,
    Snooze,
    UnknownTask,
    UnusableConnection,
    WorkerLost,
)
from sidework.task import Task, TaskSet
from sidework.worker.once import Ack
from sidework.worker.worker import Worker

__all__ = [
    "Ack",
    "App",
    "AttemptError",
    "CancelJob",
    "Codec",
    "ConfigurationError",
    "Context",
    "DatabaseError",
    "IdConflict",
    "InvalidPayload",
    "Job",
    "JobNotFound",
    "JobState",
    "JobTimeout",
    "JsonCodec",
    "MissingDriver",
    "NewJob",
    "OutcomeUnknown",
    "Progress",
    "Reject",
    "Retention",
    "Retry",
    "RetryJob",
    "SchemaError",
    "SideworkError",
    "Snooze",
    "Task",
    "TaskSet",
    "UnknownTask",
    "UnusableConnection",
    "Worker",
    "WorkerLost",
    "current",
    "errors",
    "events",
]
