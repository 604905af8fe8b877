"""The world's end of the connection to a DDC server process: values go out when they change, writes come back."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
import os
import signal
from typing import TYPE_CHECKING, Any

from simulators.plant.device import NotWritableError, RefusedError
from simulators.wire.address_space import KINDS
from simulators.wire.port import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulators.fault import Board, View
    from simulators.wire.credential import Credentials
    from simulators.wire.nursery import Nursery

__all__ = ["DdcLink"]

_START_S = 60.0
_ATTEMPTS = 5
_STOP_S = 1.5
_SPOILT = ("BadSensorFailure", "BadOutOfService", "UncertainSubNormal", "nan")
_FIRE_MODE = 3.0


class DdcLink:
    """One OPC UA server of air handlers, doors or lifts."""

    def __init__(
        self,
        endpoint: str,
        views: Sequence[View],
        board: Board,
        now_ns: Callable[[], int],
        credentials: Credentials,
        nursery: Nursery,
    ) -> None:
        """`endpoint` is the configured one; `credentials` are made anew for each start."""
        self.endpoint = endpoint
        self.port = 0
        self.pid = 0
        self.restarts = 0
        self._views = list(views)
        self._board = board
        self._now_ns = now_ns
        self._credentials = credentials
        self._nursery = nursery
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._shown: dict[int, tuple[float | None, str]] = {}
        self._last: list[tuple[float, ...]] = [()] * len(self._views)
        """What each object showed at the last push; most of a building stands still most of the time."""
        self._nodes = [KINDS[view.device.profile].nodes for view in self._views]
        self._first = [0, *itertools.accumulate(len(nodes) for nodes in self._nodes)]
        self._up = False
        self._namespaces = 0
        board.changed.append(self.changed)

    @property
    def actual(self) -> str:
        """Where it listens, as an endpoint string."""
        return f"opc.tcp://127.0.0.1:{self.port}"

    @property
    def listening(self) -> bool:
        """True while the server process takes connections."""
        return self._up

    async def start(self) -> None:
        """Start the process and wait until it listens; should it end by itself, it is started again at its port.

        Raises:
            RuntimeError: it ended, or did not listen within a minute.
        """
        await self._listen()
        self._reading = asyncio.get_running_loop().create_task(self._follow())

    async def _listen(self) -> None:
        for _ in range(_ATTEMPTS):
            port = self.port or free_port()
            if await self._spawn(port):
                self.port = port
                self._shown.clear()
                self._last = [()] * len(self._views)
                self._up = True
                self.push()
                return
        raise RuntimeError(f"{self.endpoint}: the OPC UA server process did not start; its message stands above")

    async def _follow(self) -> None:
        while True:
            await self._read()
            self._up = False
            await self._end()
            self.restarts += 1
            await self._listen()

    def check(self) -> None:
        """Say that the server could not be started again.

        Raises:
            RuntimeError: it ended by itself, and five attempts to start it failed.
        """
        if self._reading is not None and self._reading.done():
            self._reading.result()

    async def _spawn(self, port: int) -> bool:
        self._reader, self._writer = await self._nursery.connect()
        setup = {
            "port": port,
            "folder": str(self._credentials.folder),
            "user": self._credentials.user,
            "password": self._credentials.password,
            "namespaces": self._namespaces,
            "objects": [
                (view.device.profile, str(view.device.options.get("node_prefix", view.device.id)))
                for view in self._views
            ],
        }
        self._say(setup)
        try:
            line = await asyncio.wait_for(self._reader.readline(), _START_S)
        except (TimeoutError, OSError):
            line = b""
        if not line:
            await self._end()
            return False
        self.pid = int(json.loads(line)["pid"])
        return True

    async def stop(self) -> None:
        """Close the connection, which ends the process; after 1.5 s kill it."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        await self._end()

    async def _end(self) -> None:
        reader, writer, pid = self._reader, self._writer, self.pid
        self._reader, self._writer, self.pid = None, None, 0
        if reader is None or writer is None:
            return
        try:
            if not writer.is_closing():
                writer.write_eof()
            await asyncio.wait_for(reader.read(), _STOP_S)
        except TimeoutError:
            _kill(pid)
        except OSError:
            pass  # it ended by itself
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def push(self) -> None:
        """Send what changed since the last call; called once a step of the world."""
        if not self._up:
            return
        for number, view in enumerate(self._views):
            self._push(number, view)

    def changed(self, view: View) -> None:
        """Show a fault at once (a call-back of the board)."""
        wanted = max(mine.fault.namespaces for mine in self._views)
        if wanted != self._namespaces:
            self._namespaces = wanted
            _kill(self.pid)  # `_follow` starts it again, at the same port
        if not self._up:
            return
        for number, mine in enumerate(self._views):
            if mine is view:
                self._push(number, view)

    def _push(self, number: int, view: View) -> None:
        fault = view.fault
        state = view.state()
        now = tuple(state.values())
        if now == self._last[number] and not fault.corrupt and not fault.disconnected:
            return
        self._last[number] = () if fault.disconnected else now
        entries: list[tuple[int, float | None, str]] = []
        for at, node in enumerate(self._nodes[number]):
            if fault.disconnected:
                value: float | None = None
                status = "BadNoCommunication"
            else:
                value = state.get(node.quantity, math.nan)
                status = "" if math.isfinite(value) else "BadSensorFailure"
                value = None if status else round(value / node.step) * node.step if node.step else value
                if fault.corrupt and self._board.random.random() < 0.2:
                    status = self._board.random.choice(_SPOILT)
                    value, status = (None, "") if status == "nan" else (value, status)
            index = self._first[number] + at
            if self._shown.get(index) != (value, status):
                self._shown[index] = (value, status)
                entries.append((index, value, status))
        if entries:
            message = {"time": self._now_ns() + round(fault.clock_s * 1e9), "values": entries}
            if fault.delay_s > 0:
                asyncio.get_running_loop().call_later(fault.delay_s, self._say, message)
            else:
                self._say(message)
            view.served()

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> None:
        while line := await self._line():
            message = json.loads(line)
            view = self._views[message["object"]]
            answer = {"answer": message["write"], "time": self._now_ns()} | self._write(
                view, message["quantity"], message["value"]
            )
            if view.fault.mute_writes:
                continue
            if view.fault.delay_s > 0:
                asyncio.get_running_loop().call_later(view.fault.delay_s, self._say, answer)
            else:
                self._say(answer)
            self._push(message["object"], view)

    async def _line(self) -> bytes:
        """Return what the server says next; nothing when it has ended."""
        assert self._reader is not None
        try:
            return await self._reader.readline()
        except OSError:
            return b""

    @staticmethod
    def _write(view: View, quantity: str, value: float) -> dict[str, Any]:
        if view.fault.disconnected:
            return {"refused": "BadNoCommunication"}
        view.device.heard()
        in_fire = view.state().get("mode", 0.0) == _FIRE_MODE
        try:
            effect = view.write(quantity, value)
        except NotWritableError:
            return {"refused": "BadNotWritable"}
        except RefusedError:
            return {"refused": "BadUserAccessDenied" if in_fire else "BadOutOfRange"}
        return {"value": None if view.fault.ignore_writes or not math.isfinite(effect) else effect}


def _kill(pid: int) -> None:
    """End a server process at once; 0 is none."""
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
