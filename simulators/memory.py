"""The plant's points as plain arrays, for virtual time: no sockets, no protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from simulators.world import World

__all__ = ["MemoryPlant"]


class MemoryPlant:
    """All quantities of some devices of a world, read at once; stepping the world is the owner's business."""

    def __init__(self, world: World, devices: Iterable[str] | None = None) -> None:
        """`devices` are device ids; None takes all.

        Raises:
            KeyError: a device id that the world has not got.
        """
        self._devices = {name: world.devices[name] for name in (world.devices if devices is None else devices)}
        self.names: list[tuple[str, str]] = []
        """(device id, quantity) of each place in `values`."""
        groups: dict[int, tuple[NDArray[np.float64], list[int], list[int], list[int]]] = {}
        for name, device in self._devices.items():
            for quantity in device.quantities:
                table, row, column = device.state.place(quantity)
                _, rows, columns, places = groups.setdefault(id(table), (table, [], [], []))
                rows.append(row)
                columns.append(column)
                places.append(len(self.names))
                self.names.append((name, quantity))
        self._groups = [
            (table, np.array(rows, np.intp), np.array(columns, np.intp), np.array(places, np.intp))
            for table, rows, columns, places in groups.values()
        ]

    def values(self) -> NDArray[np.float64]:
        """Return the present value of every place of `names`; counts as a poll of every device."""
        out = np.empty(len(self.names))
        for table, rows, columns, places in self._groups:
            out[places] = table[rows, columns]
        for device in self._devices.values():
            device.heard()
        return out

    def write(self, device: str, quantity: str, value: float) -> float:
        """Write a set-point or switch; returns the value in effect.

        Raises:
            KeyError: no such device.
            NotWritableError, RefusedError: see `simulators.plant.device.Device.write`.
        """
        return self._devices[device].write(quantity, value)
