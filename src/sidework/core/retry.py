"""When a failed attempt runs again: the policies that `task(retry=...)` takes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sidework.core.job import Job
from sidework.errors import MAX_DELAY, ConfigurationError, Seconds, delay_seconds

ExceptionTypes = type[BaseException] | tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True, init=False)
class Retry:
    """How often and after what delays a failed attempt is run again.

    `max_attempts` counts every attempt, the first included. `delays` are seconds (or timedeltas) before the second,
    third, ... attempt, and the last one repeats; without them the delay doubles from 15 s up to an hour, give or take a
    fifth. `on` limits retries to these exception types, `give_up_on` excludes some (and wins). Crashes of the worker
    are not seen here; they have `max_crashes`.

    >>> Retry(max_attempts=5, delays=[1, 5, 60]).delay(4, TimeoutError(), chance=0.5)
    60.0
    """

    max_attempts: int
    delays: tuple[float, ...]
    on: tuple[type[BaseException], ...]
    give_up_on: tuple[type[BaseException], ...]
    base: float
    cap: float
    jitter: float

    def __init__(
        self,
        max_attempts: int = 10,
        delays: Sequence[Seconds] = (),
        on: ExceptionTypes = BaseException,
        give_up_on: ExceptionTypes = (),
    ) -> None:
        self._set(max_attempts, delays, on, give_up_on)

    @classmethod
    def exponential(
        cls,
        max_attempts: int = 10,
        *,
        base: Seconds = 15.0,
        cap: Seconds = 3600.0,
        jitter: float = 0.2,
        on: ExceptionTypes = BaseException,
        give_up_on: ExceptionTypes = (),
    ) -> Retry:
        """Delays of `base * 2 ** (n - 1)` seconds after the nth failure, at most `cap`, give or take the fraction `jitter`.

        >>> [Retry.exponential(base=1, jitter=0).delay(n, None, chance=0.5) for n in (1, 2, 3)]
        [1.0, 2.0, 4.0]
        """
        policy = cls(max_attempts, (), on, give_up_on)
        if not 0 <= jitter <= 1:
            raise ConfigurationError(f"expected jitter to be a fraction from 0 to 1, got {jitter!r}")
        object.__setattr__(policy, "base", delay_seconds(base))
        object.__setattr__(policy, "cap", delay_seconds(cap))
        object.__setattr__(policy, "jitter", float(jitter))
        return policy

    def delay(self, failures: int, exception: BaseException | None, *, chance: float) -> float | None:
        """Seconds to wait after the `failures`-th failed attempt, or None to give up; `chance` in [0, 1) is the dice."""
        if failures >= self.max_attempts:
            return None
        if exception is not None and not (
            isinstance(exception, self.on) and not isinstance(exception, self.give_up_on)
        ):
            return None
        if self.delays:
            return self.delays[min(failures, len(self.delays)) - 1]
        doubled: float = self.base * 2 ** min(failures - 1, 60)
        return min(self.cap, doubled) * (1 + self.jitter * (2 * chance - 1))

    def _set(
        self, max_attempts: int, delays: Sequence[Seconds], on: ExceptionTypes, give_up_on: ExceptionTypes
    ) -> None:
        if type(max_attempts) is not int or not 1 <= max_attempts <= MAX_ATTEMPTS:
            raise ConfigurationError(f"expected max_attempts to be 1 to {MAX_ATTEMPTS}, got {max_attempts!r}")
        object.__setattr__(self, "max_attempts", max_attempts)
        object.__setattr__(self, "delays", tuple(delay_seconds(delay) for delay in delays))
        object.__setattr__(self, "on", _exception_types("on", on))
        object.__setattr__(self, "give_up_on", _exception_types("give_up_on", give_up_on))
        object.__setattr__(self, "base", 15.0)
        object.__setattr__(self, "cap", 3600.0)
        object.__setattr__(self, "jitter", 0.2)


MAX_ATTEMPTS = 1_000_000

RetryFunction = Callable[[Job, BaseException], Seconds | None]
RetryPolicy = Retry | RetryFunction | None
"""What `task(retry=...)` takes: None is one attempt; a function answers the delay, or None to give up."""


def max_attempts_of(policy: RetryPolicy) -> int | None:
    """The bound on attempts that a policy states, or None when only a function knows.

    >>> max_attempts_of(None), max_attempts_of(Retry(3))
    (1, 3)
    """
    if policy is None:
        return 1
    return policy.max_attempts if isinstance(policy, Retry) else None


def next_delay(policy: RetryPolicy, job: Job, exception: BaseException, chance: float) -> float | None:
    """Seconds until `job` runs again after failing with `exception`, or None when it has failed for good."""
    if policy is None:
        return None
    if isinstance(policy, Retry):
        return policy.delay(job.attempt - job.crashes, exception, chance=chance)
    answer = policy(job, exception)
    return None if answer is None else clamp_delay(answer)


def clamp_delay(delay: Seconds) -> float:
    """A handler's or policy's delay as seconds: negative becomes 0, more than a century becomes a century."""
    is_seconds = isinstance(delay, (int, float))
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay) if is_seconds else math.nan
    if math.isnan(seconds):  # NaN has no nearest bound
        raise ConfigurationError(f"a retry policy answered {delay!r}; return seconds, a timedelta or None")
    return min(max(seconds, 0.0), MAX_DELAY)


def _exception_types(name: str, types: ExceptionTypes) -> tuple[type[BaseException], ...]:
    listed: tuple[Any, ...] = types if isinstance(types, tuple) else (types,)
    for entry in listed:
        if not (inspect.isclass(entry) and issubclass(entry, BaseException)):
            raise TypeError(f"expected {name} to be exception types, got {entry!r}")
    return listed
