"""A device with chosen values, behind the same faults and tables as in the fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from simulators.fault import Board
from simulators.plant.device import Device, NotWritableError, RefusedError, State
from simulators.site import SimulatedDevice
from simulators.wire.table import TABLES
from simulators.wire.unit import Unit

Make = Callable[..., Unit]


def device_of(
    profile: str, values: Mapping[str, float], *, unit: int = 1, writable: tuple[str, ...] = (), locked: bool = False
) -> Device:
    table = np.array([[value] for value in values.values()], dtype=np.float64).reshape(len(values), 1)
    rows = {name: row for row, name in enumerate(values)}

    def take(quantity: str, value: float) -> float:
        if quantity not in writable:
            raise NotWritableError(quantity)
        if locked:
            raise RefusedError(quantity)
        table[rows[quantity], 0] = value
        return value

    row = SimulatedDevice("dut", "here.it.is", profile, "tcp://10.0.0.1:502", unit)
    return Device(row, State(rows, table, 0), take)


@pytest.fixture
def unit() -> Make:
    """Build a unit: `unit("eastron-sdm630", power=1.0, …, writable=(…))`."""

    def make(profile: str, *, address: int = 1, writable: tuple[str, ...] = (), locked: bool = False,
             **values: float) -> Unit:  # fmt: skip
        device = device_of(profile, values, unit=address, writable=writable, locked=locked)
        board = Board({"dut": device})
        return Unit(board.views["dut"], TABLES[profile](address))

    return make
