"""One run of one claimed job: how it is asked to stop, and what its end comes to."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sidework.core.codec import Codec, encode_result
from sidework.core.context import Context
from sidework.core.failure import add_error, clean, read_errors
from sidework.core.job import Delivery, Job, JobRow, JobState, from_micros
from sidework.core.lifecycle import DONE, GIVEN_BACK, Settlement, Step, Verdict, judge_failure, settle
from sidework.core.reading import read_job, read_progress, show_job
from sidework.core.registry import TaskSpec
from sidework.core.store import ProgressNote
from sidework.errors import ConfigurationError, InvalidPayload, JobTimeout, LeaseLost, TransactionCommitted


class Stop(StrEnum):
    """Why an attempt was asked to stop."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: the job after it, and what is written.

    `settlement` is None where the attempt had lost its job, `is_written` where its own transaction settled it.
    """

    job: Job
    verdict: Verdict | None
    settlement: Settlement | None
    exception: BaseException | None
    seconds: float
    is_written: bool = False


class Attempt:
    """A claimed row on its way through an executor; every method is safe from any thread."""

    def __init__(self, row: JobRow, spec: TaskSpec, codec: Codec, report: Callable[[ProgressNote], None]) -> None:
        self.row = row
        self.spec = spec
        self.cancelled = threading.Event()
        self.stop: Stop | None = None
        self._codec = codec
        self._report_note = report
        self._progress: str | None = None
        self._refused: InvalidPayload | None = None
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._interrupt: Callable[[Stop], None] | None = None

    @property
    def key(self) -> tuple[Any, int | None]:
        """What nobody else has: the job's id and this attempt's token."""
        return self.row.id, self.row.token

    def read(self) -> Job:
        """The job with its arguments; InvalidPayload where they cannot be read."""
        with self._refusing():
            return read_job(self.row, self._codec, self.spec)

    def show(self) -> Job:
        """The same for looking: arguments that cannot be read are shown as their text."""
        return show_job(self.row, self._codec, self.spec)

    def context(self, job: Job, state: Any, connection: Callable[[], Any] | None) -> Context:
        """The handler's context."""
        return Context(
            job,
            state=state,
            cancelled=self.cancelled,
            connection=connection or self._no_connection,
            report=self.report,
        )

    def report(self, fraction: float, message: str | None) -> None:
        """Note progress; it is written in the background, and with the settlement."""
        note = {"fraction": fraction, "message": None if message is None else clean(str(message), 500)}
        self._progress = json.dumps(note, ensure_ascii=False)
        if self.row.token is not None:
            self._report_note(ProgressNote(self.row.id, self.row.token, self._progress))

    def on_interrupt(self, interrupt: Callable[[Stop], None] | None) -> None:
        """Say how a request to stop reaches the handler; one that came before is passed on at once."""
        with self._lock:
            self._interrupt = interrupt
            stop = self.stop
        if stop is not None and interrupt is not None:
            interrupt(stop)

    @property
    def can_be_interrupted(self) -> bool:
        """Does its handler still run?"""
        return self._interrupt is not None

    def request_stop(self, reason: Stop) -> None:
        """Ask the handler to stop; the first reason counts, except that a lost lease overrides it."""
        with self._lock:
            is_new = self.stop is None
            if is_new or reason is Stop.LOST:
                self.stop = reason
            interrupt = self._interrupt
        self.cancelled.set()
        if is_new and interrupt is not None:
            interrupt(reason)

    def succeed(self, value: Any) -> Settlement:
        """The settlement of a handler that returned; InvalidPayload where the value cannot be stored."""
        result = None
        if self.spec.store_result and value is not None:
            with self._refusing():
                result = encode_result(self._codec, value, self.spec.hints.get("return"))
        return self._settle(DONE, self.row.errors, result)

    def returned(self, settlement: Settlement, value: Any, *, is_written: bool) -> Ended:
        """The end of a handler that returned."""
        job = self._after(settlement, value if self.spec.store_result else None)
        return Ended(job, DONE, settlement, None, self.seconds, is_written)

    def fail(self, exception: BaseException) -> Ended:
        """The end of an attempt that raised, or was stopped."""
        if isinstance(exception, LeaseLost) or self.stop is Stop.LOST:
            return Ended(self.show(), None, None, exception, self.seconds)
        exception, verdict = self._judge(exception)
        return self.end(verdict, exception)

    def end(self, verdict: Verdict, exception: BaseException) -> Ended:
        """The end of an attempt under a verdict that was reached already."""
        errors = self.row.errors
        if verdict.step in _RECORDED:
            errors = add_error(errors, exception, attempt=self.row.attempt, at=self.now_micros())
        settlement = self._settle(verdict, errors, None)
        return Ended(self._after(settlement, None), verdict, settlement, exception, self.seconds)

    def adopt(self, verdict: Verdict, settlement: Settlement, exception: BaseException | None) -> Ended:
        """The end that another process came to."""
        return Ended(
            self._after(settlement, self._shown(settlement.result)), verdict, settlement, exception, self.seconds
        )

    @property
    def seconds(self) -> float:
        """How long the attempt has run."""
        return time.monotonic() - self._begun

    def now_micros(self) -> int:
        """The database's time, told by when it claimed the job and how long that is ago."""
        return (self.row.started_at or 0) + round(self.seconds * 1_000_000)

    def _judge(self, exception: BaseException) -> tuple[BaseException, Verdict]:
        if isinstance(exception, TransactionCommitted) or exception is self._refused:
            return exception, Verdict(Step.FAIL)
        if self.stop is Stop.SHUTDOWN:
            # What has begun may not run again where the task says at most once.
            return exception, Verdict(Step.FAIL) if self.spec.delivery is Delivery.AT_MOST_ONCE else GIVEN_BACK
        if self.stop is Stop.CANCEL:
            return exception, Verdict(Step.CANCEL)
        if self.stop is Stop.TIMEOUT:
            exception = _timeout(self.spec, exception)
        job = self.show()
        try:
            verdict = judge_failure(
                job, exception, policy=self.spec.retry, delivery=self.spec.delivery, chance=random.random()
            )
        except BaseException as error:
            if error is not exception:
                error.__context__ = exception
            error.add_note(f"raised by the retry policy of task {self.spec.name}, so the job failed for good")
            return error, Verdict(Step.FAIL)
        return exception, verdict

    def _shown(self, result: str | None) -> Any:
        if result is None:
            return None
        try:
            return self._codec.decode(result, self.spec.hints.get("return"))
        except Exception:  # the other process knows a class that this one does not
            return result

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Tell what the codec refuses here from an InvalidPayload of the handler's own, which is retried."""
        try:
            yield
        except InvalidPayload as error:
            self._refused = error
            raise

    def _settle(self, verdict: Verdict, errors: str | None, result: str | None) -> Settlement:
        return replace(settle(self.row, verdict, errors=errors, result=result), progress=self._progress)

    def _after(self, settlement: Settlement, result: Any) -> Job:
        is_finished = settlement.state is not JobState.WAITING
        return replace(
            self.show(),
            state=settlement.state,
            attempt=settlement.attempt,
            crashes=settlement.crashes,
            errors=read_errors(settlement.errors),
            result=result,
            progress=read_progress(settlement.progress),
            started_at=from_micros(self.row.started_at) if is_finished else None,
            finished_at=from_micros(self.now_micros()) if is_finished else None,
            worker=self.row.worker if is_finished else None,
        )

    def _no_connection(self) -> Any:
        raise ConfigurationError(
            f"task {self.spec.name} is {self.spec.delivery.value}, and only transactional tasks have ctx.connection;"
            " declare it with delivery='transactional', or open a connection of your own"
        )


_RECORDED = frozenset({Step.RETRY, Step.FAIL, Step.CANCEL, Step.RESCUE})


def _timeout(spec: TaskSpec, cause: BaseException) -> JobTimeout:
    error = JobTimeout(f"the attempt ran longer than the {spec.timeout:g} s that task {spec.name} allows")
    if isinstance(cause, JobTimeout):
        return error.with_traceback(cause.__traceback__)
    error.__cause__ = cause
    return error
