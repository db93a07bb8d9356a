"""The life of a job, as a table: every change of state is decided here, and the documentation's diagram is drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from sidework.core.job import Delivery, Job, JobRow, JobState
from sidework.core.retry import RetryPolicy, next_delay
from sidework.errors import CancelJob, Reject, RetryJob, Snooze, TransactionCommitted


class Step(StrEnum):
    """What moves a job from one state to another."""

    CLAIM = "claim"
    FINISH = "finish"
    RETRY = "retry"
    SNOOZE = "snooze"
    GIVE_BACK = "give back"
    RESCUE = "rescue"
    FAIL = "fail"
    CANCEL = "cancel"
    REQUEUE = "requeue"


_WAITING, _RUNNING = JobState.WAITING, JobState.RUNNING

TRANSITIONS: Mapping[tuple[JobState, Step], JobState] = MappingProxyType(
    {
        (_WAITING, Step.CLAIM): _RUNNING,
        (_WAITING, Step.CANCEL): JobState.CANCELLED,
        (_RUNNING, Step.FINISH): JobState.DONE,
        (_RUNNING, Step.RETRY): _WAITING,
        (_RUNNING, Step.SNOOZE): _WAITING,
        (_RUNNING, Step.GIVE_BACK): _WAITING,
        (_RUNNING, Step.RESCUE): _WAITING,
        (_RUNNING, Step.FAIL): JobState.FAILED,
        (_RUNNING, Step.CANCEL): JobState.CANCELLED,
        (JobState.DONE, Step.REQUEUE): _WAITING,
        (JobState.FAILED, Step.REQUEUE): _WAITING,
        (JobState.CANCELLED, Step.REQUEUE): _WAITING,
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a running job: the step, when it may run again, and what is charged to it.

    `delay` is seconds from the database's now, None keeps the due time it had. `charged` says that the attempt counts.
    """

    step: Step
    delay: float | None = None
    charged: bool = True
    crashed: bool = False

    @property
    def state(self) -> JobState:
        """The state that the step leads to from *running*."""
        return TRANSITIONS[_RUNNING, self.step]


DONE = Verdict(Step.FINISH)
GIVEN_BACK = Verdict(Step.GIVE_BACK, charged=False)


def judge_failure(
    job: Job, exception: BaseException, *, policy: RetryPolicy, delivery: Delivery, chance: float
) -> Verdict:
    """What an attempt that raised `exception` comes to; `chance` in [0, 1) is the dice for jitter."""
    match exception:
        case Snooze():
            return Verdict(Step.SNOOZE, delay=exception.delay, charged=False)
        case CancelJob():
            return Verdict(Step.CANCEL)
        case Reject() | TransactionCommitted():
            return Verdict(Step.FAIL)
    if delivery is Delivery.AT_MOST_ONCE:
        return Verdict(Step.FAIL)
    if isinstance(exception, RetryJob):
        return Verdict(Step.RETRY, delay=exception.delay)
    delay = next_delay(policy, job, exception, chance)
    return Verdict(Step.FAIL) if delay is None else Verdict(Step.RETRY, delay=delay)


def judge_loss(row: JobRow) -> Verdict:
    """What becomes of a job whose worker was lost: its own budget of crashes decides, as stored on the row.

    An at-most-once task is claimed with a budget of one.
    """
    budget = DEFAULT_MAX_CRASHES if row.max_crashes is None else row.max_crashes
    if row.crashes + 1 >= budget:
        return Verdict(Step.FAIL, crashed=True)
    return Verdict(Step.RESCUE, crashed=True)


DEFAULT_MAX_CRASHES = 3


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is written because of an attempt, fenced by its token; `errors`, `result` and `progress` are stored text."""

    id: UUID
    token: int
    state: JobState
    attempt: int
    crashes: int
    delay: float | None = None
    errors: str | None = None
    result: str | None = None
    progress: str | None = None


def settle(row: JobRow, verdict: Verdict, *, errors: str | None, result: str | None = None) -> Settlement:
    """The settlement of a claimed row under a verdict."""
    if row.token is None:
        raise ValueError(f"job {row.id} is {row.state}, not running: there is no attempt to settle")
    return Settlement(
        id=row.id,
        token=row.token,
        state=verdict.state,
        attempt=row.attempt if verdict.charged else row.attempt - 1,
        crashes=row.crashes + verdict.crashed,
        delay=verdict.delay,
        errors=errors,
        result=result,
    )
