"""Handlers in processes of their own: each runs `python -m sidework.child`, and is killed when its time is over.

Requests and answers are lines of our own JSON over a pipe; nothing is pickled. The child decides what the end of an
attempt comes to, because exceptions do not cross.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, TypeVar
from uuid import UUID

from sidework.core.failure import message_of, type_name
from sidework.core.job import JobState
from sidework.core.lifecycle import Settlement, Step, Verdict, judge_loss
from sidework.errors import ConfigurationError, HandlerFailed, JobInterrupted, JobTimeout, LeaseLost, WorkerLost
from sidework.threads import call_on
from sidework.worker.attempt import Attempt, Ended, Stop
from sidework.worker.executors.base import STOP_GRACE
from sidework.worker.setup import Setup

T = TypeVar("T")

DEATH_GRACE = 1.0
"""Seconds that a process which closed its pipe has to end."""

START_TIMEOUT = 60.0
"""Seconds that a process has to import the application."""

MAX_LINE = 64 * 1024 * 1024


class ProcessExecutor:
    """Runs attempts in child processes that are kept for the next."""

    def __init__(self, setup: Setup, stop_grace: float = STOP_GRACE) -> None:
        self._setup = setup
        self._stop_grace = stop_grace
        self._idle: list[_Child] = []
        self._can_isolate = True

    async def run(self, attempt: Attempt) -> Ended:
        """The end of the attempt; the death of its process counts as a crash."""
        try:
            return await self._run_in(await self._child(), attempt)
        except (OSError, ConfigurationError) as error:
            return attempt.fail(error)

    async def isolate(self, attempt: Attempt) -> Ended | None:
        """The same for a task of any kind; None where this App cannot be had in another process, and nothing has begun."""
        if not self._can_isolate:
            return None
        try:
            child = await self._child()
            if child.has_same_app:
                return await self._run_in(child, attempt)
            self._idle.append(child)
        except (OSError, ConfigurationError):
            pass  # said where a task asks for a process; here there is another way
        self._can_isolate = False
        return None

    async def _child(self) -> _Child:
        while self._idle:
            child = self._idle.pop()
            if child.is_alive():
                return child
            await child.kill()  # it died while it had nothing to do, which is no crash of the next attempt's
        return await _Child.start(self._setup)

    async def _run_in(self, child: _Child, attempt: Attempt) -> Ended:
        try:
            answer = await self._ask(child, attempt)
        except BaseException:
            await child.kill()
            raise
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
        self.has_same_app = False

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
        child.send({"path": sys.path, "home": setup.home, "imports": setup.imports, "url": setup.database.url})
        hello = await child.hello()
        child.has_same_app = bool(hello and hello.get("is_same"))
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

    async def hello(self) -> dict[str, Any] | None:
        """The first message; what imports for ever is ended."""
        try:
            async with asyncio.timeout(START_TIMEOUT):
                return await self.receive()
        except TimeoutError:
            return {"error": f"it was not ready after {START_TIMEOUT:g} s"}
        except BaseException:
            self._kill()
            raise

    def is_alive(self) -> bool:
        """Does the process run, as far as is known?"""
        return self._process.returncode is None and not self._pipe(self._process.stdout).at_eof()

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
        if self._process.stdout is not None and self._process.stdout.at_eof():
            # It dies by itself: to signal it now would hide its exit code from asyncio.
            with suppress(TimeoutError):
                return await asyncio.wait_for(self._process.wait(), DEATH_GRACE)
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
        "is_written": ended.is_written,
    }


def _read_answer(attempt: Attempt, answer: dict[str, Any]) -> Ended:
    verdict, settlement = answer["verdict"], answer["settlement"]
    exception = None if answer["exception"] is None else HandlerFailed(answer["exception"])
    if verdict is None or settlement is None:
        return attempt.fail(LeaseLost(answer["exception"] or "the attempt was taken away while its process ran it"))
    settled = Settlement(**{**settlement, "id": UUID(settlement["id"]), "state": JobState(settlement["state"])})
    ended = attempt.adopt(Verdict(**{**verdict, "step": Step(verdict["step"])}), settled, exception)
    return replace(ended, is_written=answer["is_written"])
