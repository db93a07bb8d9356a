"""After a settlement is written, or refused: telling subscribers, and the application's on_failure."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from sidework.core.failure import message_of
from sidework.core.job import Job
from sidework.core.lifecycle import Step
from sidework.core.registry import OnFailure, Registry
from sidework.errors import SideworkError
from sidework.events import (
    Event,
    Events,
    HookFailed,
    JobCancelled,
    JobDone,
    JobFailed,
    JobGivenBack,
    JobRetried,
    JobSnoozed,
    SettlementRefused,
)
from sidework.worker.attempt import Ended
from sidework.worker.setup import Hooks


class Outcomes:
    """Announces how attempts ended, once that is certain."""

    def __init__(
        self, events: Events, registry: Registry, hooks: Hooks, wait_for: Callable[[Awaitable[Any]], Any]
    ) -> None:
        self._events = events
        self._registry = registry
        self._hooks = hooks
        self._wait_for = wait_for

    def written(self, ended: Ended) -> None:
        """The settlement holds; where the job has failed for good, `failed` is to be called besides."""
        self._events.emit(event_of(ended))

    def refused(self, ended: Ended) -> None:
        """The job had been taken away, so nothing was written."""
        self._events.emit(SettlementRefused(ended.job))

    def failed(self, job: Job, exception: BaseException) -> None:
        """Call the task's on_failure, then the App's; they take as long as they like."""
        spec = self._registry.find(job.task)
        own, general = spec.on_failure if spec else None, self._hooks.on_failure
        for hook in (own, None if general is own else general):
            if hook is not None:
                self._call(hook, job, exception)

    def _call(self, hook: OnFailure, job: Job, exception: BaseException) -> None:
        try:
            answer = hook(job, exception)
            if inspect.isawaitable(answer):
                self._wait_for(answer)
        except BaseException as error:  # a hook that exits must not end the worker
            self._events.emit(HookFailed("on_failure", error))


def event_of(ended: Ended) -> Event:
    """The event of a settlement that was written."""
    job, verdict, exception = ended.job, ended.verdict, ended.exception
    if verdict is None:
        return SettlementRefused(job)
    cause = exception or SideworkError("no exception")
    match verdict.step:
        case Step.FINISH:
            return JobDone(job, ended.seconds)
        case Step.RETRY:
            return JobRetried(job, cause, verdict.delay or 0.0)
        case Step.SNOOZE:
            return JobSnoozed(job, verdict.delay or 0.0)
        case Step.CANCEL:
            return JobCancelled(job, message_of(cause))
        case Step.FAIL:
            return JobFailed(job, cause)
        case Step.RESCUE:
            return JobRetried(job, cause, verdict.delay or 0.0)
        case _:
            return JobGivenBack(job)
