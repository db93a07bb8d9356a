"""Handlers in processes of their own: each runs `python -m sidework.child`, and is killed when its time is over.

Requests and answers are lines of our own JSON over a pipe; nothing is pickled. The child decides what the end of an
attempt comes to, because exceptions do not cross.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar
from uuid import UUID

from sidework.core.failure import message_of, type_name
from sidework.core.job import JobState
from sidework.core.lifecycle import Settlement, Step, Verdict, judge_loss
from sidework.errors import ConfigurationError, HandlerFailed, JobInterrupted, JobTimeout, WorkerLost
from sidework.threads import call_on
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.executors.base import STOP_GRACE
from sidework.worker.setup import Setup

T = TypeVar("T")

MAX_LINE = 64 * 1024 * 1024


class ProcessExecutor:
    """Runs attempts in child processes that are kept for the next."""

    def __init__(self, setup: Setup, stop_grace: float = STOP_GRACE) -> None:
        self._setup = setup
        self._stop_grace = stop_grace
        self._idle: list[_Child] = []

    async def run(self, attempt: Attempt) -> Ended:
        """The end of the attempt; the death of its process counts as a crash."""
        child: _Child | None = None
        try:
            child = self._idle.pop() if self._idle else await _Child.start(self._setup)
            answer = await self._ask(child, attempt)
        except (OSError, ConfigurationError) as error:
            if child is not None:
                await child.kill()
            return attempt.fail(error)
        if answer is not None:
            self._idle.append(child)
            return _read_answer(attempt, answer)
        code = await child.kill()
        if attempt.stop is Stop.TIMEOUT:
            return attempt.fail(
                JobTimeout(f"its process was killed after the {attempt.spec.timeout:g} s that it may run")
            )
        if attempt.stop is not None:
            return attempt.fail(
                JobInterrupted("the handler's process did not answer when it was asked to stop: killed")
            )
        return attempt.end(judge_loss(attempt.row), WorkerLost(f"the handler's process died (exit code {code})"))

    async def close(self) -> None:
        """End the idle processes."""
        while self._idle:
            await self._idle.pop().kill()

    async def _ask(self, child: _Child, attempt: Attempt) -> dict[str, Any] | None:
        """The child's answer; None when it died, or was killed because it had to stop."""
        loop = asyncio.get_running_loop()

        def stop(reason: Stop) -> None:
            if attempt.can_be_interrupted:  # else it has ended, and the child may run another one's
                child.stop(reason, 0.0 if reason is Stop.TIMEOUT else self._stop_grace)

        attempt.on_interrupt(lambda reason: call_on(loop, stop, reason))
        timeout = attempt.spec.timeout
        timer = None if timeout is None else loop.call_later(timeout, attempt.request_stop, Stop.TIMEOUT)
        try:
            child.send({"run": asdict(attempt.row)})
            while (message := await child.receive()) is not None:
                if "ended" in message:
                    return dict(message["ended"])
                if "refused" in message:
                    raise ConfigurationError(message["refused"])
                attempt.report(message["progress"]["fraction"], message["progress"]["message"])
            return None
        finally:
            attempt.on_interrupt(None)
            child.settle_down()
            if timer is not None:
                timer.cancel()


class _Child:
    """One child process and its pipe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._killer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, setup: Setup) -> _Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "sidework.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE,
        )
        child = cls(process)
        child.send({"path": sys.path, "home": setup.home, "imports": setup.imports})
        hello = await child.receive()
        if hello is None or "ready" not in hello:
            code = await child.kill()
            reason = (hello or {}).get("error", f"it ended with exit code {code}")
            raise ConfigurationError(f"a process for handlers could not start: {reason}")
        return child

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one message."""
        self._pipe(self._process.stdin).write(json.dumps(message, default=str).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message, None when the child is gone."""
        line = await self._pipe(self._process.stdout).readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def stop(self, reason: Stop, grace: float) -> None:
        """Ask for an end, and kill after the grace."""
        if grace:
            self.send({"stop": reason.value})
        self._killer = asyncio.get_running_loop().call_later(grace, self._kill)

    def settle_down(self) -> None:
        """The attempt is over: do not kill."""
        if self._killer is not None:
            self._killer.cancel()

    async def kill(self) -> int:
        """End the process; its exit code."""
        self._kill()
        return await self._process.wait()

    def _pipe(self, pipe: T | None) -> T:
        if pipe is None:
            raise OSError("the process was started without a pipe")
        return pipe

    def _kill(self) -> None:
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:  # it ended by itself meanwhile
                return


def write_answer(ended: Ended) -> dict[str, Any]:
    """The end of an attempt as the child sends it."""
    exception = ended.exception
    return {
        "verdict": None if ended.verdict is None else asdict(ended.verdict),
        "settlement": None if ended.settlement is None else asdict(ended.settlement),
        "exception": None if exception is None else f"{type_name(exception)}: {message_of(exception)}",
    }


def _read_answer(attempt: Attempt, answer: dict[str, Any]) -> Ended:
    verdict, settlement = answer["verdict"], answer["settlement"]
    exception = None if answer["exception"] is None else HandlerFailed(answer["exception"])
    if verdict is None or settlement is None:
        return attempt.fail(exception or HandlerFailed("its process gave the job up"))
    settled = Settlement(**{**settlement, "id": UUID(settlement["id"]), "state": JobState(settlement["state"])})
    return attempt.adopt(Verdict(**{**verdict, "step": Step(verdict["step"])}), settled, exception)
