"""Heavy work in a process of its own, so that the loop never waits for a CPU: reports, optimisation.

One child process, started when it is needed, at low priority, with a time limit for each piece of work, and ended when
nothing was asked of it for a while. Threads would not do: the work is Python, and would hold the loop's lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from controller.errors import ShifuError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

__all__ = ["InlineJobs", "JobError", "JobProcess", "Jobs"]

A = TypeVar("A")
R = TypeVar("R")

_WAITING = 8
_IDLE_S = 300.0
_NICE = 10


class JobError(ShifuError):
    """A piece of work died, took longer than its limit, or raised; the message says which."""


class Jobs(Protocol):
    """Where heavy work is done."""

    async def run(self, work: Callable[[A], R], argument: A, *, limit_s: float) -> R:
        """Do `work(argument)` and return its result; `work` is a function of a module, and both values can be pickled.

        Raises:
            JobError: it died, took longer than `limit_s` of real time, or raised.
            UnavailableError: too much work waits already.
        """


class InlineJobs:
    """Does the work in place: for tests, and for virtual time, in which nothing takes any."""

    async def run(self, work: Callable[[A], R], argument: A, *, limit_s: float) -> R:  # noqa: ARG002 - one shape
        """Do it now.

        Raises:
            JobError: it raised.
        """
        try:
            return work(argument)
        except Exception as error:
            raise JobError(_said(error)) from error


class JobProcess:
    """One child; work waits for its turn, at most `waiting` pieces of it."""

    def __init__(self, *, waiting: int = _WAITING, idle_s: float = _IDLE_S) -> None:
        """Prepare; nothing is started."""
        self._most = waiting
        self._idle_s = idle_s
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._retire: asyncio.TimerHandle | None = None
        self.counts = {"done": 0, "failed": 0, "refused": 0, "killed": 0}

    @property
    def pid(self) -> int | None:
        """Of the child; None while there is none."""
        return None if self._process is None else self._process.pid

    async def run(self, work: Callable[[A], R], argument: A, *, limit_s: float) -> R:
        """Do `work(argument)` in the child; when this is cancelled the child is killed.

        Raises:
            JobError: it died, took longer than `limit_s`, or raised.
            UnavailableError: too much work waits already.
        """
        if self._waiting >= self._most:
            self.counts["refused"] += 1
            raise UnavailableError(f"{self._waiting} pieces of heavy work wait already; try again in a minute")
        self._waiting += 1
        try:
            async with self._turn:
                if self._retire is not None:
                    self._retire.cancel()
                try:
                    done, result = await asyncio.to_thread(self._do, work, argument, limit_s)
                except asyncio.CancelledError:
                    self._kill()
                    raise
                finally:
                    self._retire = asyncio.get_running_loop().call_later(self._idle_s, self._kill)
        finally:
            self._waiting -= 1
        self.counts["done" if done else "failed"] += 1
        if not done:
            raise JobError(str(result))
        found: R = result
        return found

    async def close(self) -> None:
        """End the child; work that it does is lost, and said so to who waits for it."""
        if self._retire is not None:
            self._retire.cancel()
        process = self._process
        self._kill()
        if process is not None:
            await asyncio.to_thread(process.join, 5.0)

    def _do(self, work: Callable[[A], R], argument: A, limit_s: float) -> tuple[bool, Any]:
        """Have it done (on a thread, which only waits)."""
        name = getattr(work, "__name__", str(work))
        try:
            connection = self._child()
            connection.send((work, argument))
            if not connection.poll(limit_s):
                self.counts["killed"] += 1
                self._kill()
                return False, f"{name} took longer than {limit_s:g} s and was stopped"
            done, result = connection.recv()
        except (EOFError, OSError) as error:
            self._kill()
            return False, f"{name}: the process of heavy work ended: {_said(error)}"
        except Exception as error:  # noqa: BLE001 - what cannot be pickled, in either direction
            self._kill()
            return False, f"{name}: {_said(error)}"
        return bool(done), result

    def _child(self) -> Connection:
        if self._process is None or not self._process.is_alive() or self._connection is None:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), name="shifu-job", daemon=True)
            process.start()
            theirs.close()
            self._process, self._connection = process, ours
        return self._connection

    def _kill(self) -> None:
        process, self._process = self._process, None
        # Not closed here: a thread may wait on it, and is told by the end of the child.
        self._connection = None
        if process is not None:
            process.kill()


def _work(connection: Connection) -> None:
    """Do what comes, one after the other, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the controller decides when this ends
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    while True:
        try:
            work, argument = connection.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # noqa: BLE001 - told to who asked
            connection.send((False, _said(error)))
            continue
        try:
            answer = (True, work(argument))
        except Exception as error:  # noqa: BLE001 - told to who asked
            answer = (False, _said(error))
        try:
            connection.send(answer)
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:  # noqa: BLE001 - the result cannot be pickled
            connection.send((False, _said(error)))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
