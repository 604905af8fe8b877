"""A simulated meter on the wire that no file of the site knows, for whoever adds it on the screen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np

from simulators.fault import Board
from simulators.plant.device import Device, NotWritableError, State
from simulators.site import SimulatedDevice
from simulators.wire.modbus import Line, lines_of

METER = {
    "voltage_l1n": 230.2, "voltage_l2n": 230.9, "voltage_l3n": 229.8, "current_l1": 18.1, "current_l2": 17.2,
    "current_l3": 19.0, "power_l1": 4.1, "power_l2": 3.9, "power_l3": 4.3, "power": 12.3, "frequency": 60.01,
    "power_factor": 0.98, "energy_import": 4711.5,
}  # fmt: skip


class SpareMeter:
    """`with SpareMeter() as spare:` serves an SDM630 at `spare.endpoint`, unit 1, from a thread of its own."""

    def __init__(self, values: Mapping[str, float] = METER) -> None:
        row = SimulatedDevice("spare", "x", "eastron-sdm630", "tcp://10.20.3.99:502", 1)
        array = np.array([[value] for value in values.values()], dtype=np.float64)

        def refuse(quantity: str, value: float) -> float:
            raise NotWritableError(quantity)

        self._board = Board(
            {"spare": Device(row, State({name: at for at, name in enumerate(values)}, array, 0), refuse)}, 7
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._line: Line

    async def _open(self) -> Line:
        (line,) = lines_of(self._board)
        await line.open()
        return line

    async def _close(self) -> None:
        await self._line.settled()
        await self._line.close()

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self._line.port}"

    @property
    def requests(self) -> int:
        return self._line.requests

    def __enter__(self) -> Self:
        self._thread.start()
        self._line = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
