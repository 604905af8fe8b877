"""The seam between the physics and the wire: one simulated device as its protocol server sees it.

The physics keeps one table a class of devices: a row a quantity, a column a device. `State` is the view of one column,
so that a step costs a few array operations and a request reads a handful of numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simulators.site import SimulatedDevice

__all__ = ["Device", "NotWritableError", "Occurrence", "RefusedError", "State"]

_OCCURRENCES = 1000


class NotWritableError(Exception):
    """The machine has no such set-point or switch."""


class RefusedError(Exception):
    """The machine says no: out of its range, or locked by its own fire mode."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened at a device and that its wire reports as an event."""

    time_ns: int
    type: str
    """The device's own word, such as `door_forced`."""
    data: Mapping[str, str | int | float | bool] = field(default_factory=dict)


class State(Mapping[str, float]):
    """What one device measures now: quantity -> value in the unit of the contract (kW, °C, %, kWh …)."""

    __slots__ = ("_column", "_rows", "_table")

    def __init__(self, rows: Mapping[str, int], table: NDArray[np.float64], column: int) -> None:
        """`rows` gives the row of each quantity in `table` (Q, N); `column` is the device's place in it."""
        self._rows = rows
        self._table = table
        self._column = column

    def __getitem__(self, quantity: str) -> float:
        return float(self._table[self._rows[quantity], self._column])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def snapshot(self) -> dict[str, float]:
        """Return all quantities at once."""
        return dict(zip(self._rows, self._table[list(self._rows.values()), self._column].tolist(), strict=True))

    def place(self, quantity: str) -> tuple[NDArray[np.float64], int, int]:
        """Return (table, row, column) of one quantity, for readers that gather many at once."""
        return self._table, self._rows[quantity], self._column


class Device:
    """One simulated device as its wire sees it.

    `state` holds what the device measures, with the noise and gain error of its accuracy class, before the
    quantisation of its registers. A switch or set-point written is seen in the physics at the next step.
    """

    __slots__ = ("_forget", "_take", "commanded", "endpoint", "equipment", "forced", "id", "listening", "occurrences",
                 "options", "profile", "quantities", "silent_s", "state", "unit")  # fmt: skip

    def __init__(
        self,
        row: SimulatedDevice,
        state: State,
        take: Callable[[str, float], float] | None = None,
        forget: Callable[[], None] | None = None,
    ) -> None:
        """`row` is the device in the site's files; `take` the machine's answer to a write, None where there is none.

        `forget` puts back what the machine has without any command.
        """
        self.id = row.id
        self.equipment = row.equipment
        """Address of the equipment (`cityhall.plant.ch1`)."""
        self.profile = row.profile
        self.endpoint = row.endpoint
        self.unit = row.unit
        self.options: dict[str, Any] = dict(row.options)
        self.state = state
        self.quantities: tuple[str, ...] = tuple(state)
        """Tags that this device measures or shows, in the order of its class."""
        self.commanded: dict[str, float] = {}
        """Last value written to each quantity, as it came."""
        self.forced: dict[str, float] = {}
        """What a fault makes it show in place of what it measures; an automatic beside it sees the same."""
        self.occurrences: deque[Occurrence] = deque(maxlen=_OCCURRENCES)
        """What happened and was not told yet; the wire takes it away, the oldest is lost when nobody does."""
        self.silent_s = 0.0
        """Simulated seconds since the device last heard of its master; advanced by the world."""
        self.listening = False
        """True once `heard` was called: only then does silence trip a drive's communication-loss function."""
        self._take = take
        self._forget = forget

    def heard(self) -> None:
        """Tell the device that a valid request for it arrived (its communication watchdog starts again)."""
        self.listening = True
        self.silent_s = 0.0

    def reboot(self) -> None:
        """Lose every command, as at the end of a power failure: set-points are those of the machine again."""
        self.commanded.clear()
        self.listening = False
        self.silent_s = 0.0
        if self._forget is not None:
            self._forget()

    def write(self, quantity: str, value: float) -> float:
        """Take a set-point, switch or heartbeat; returns the value in effect (clipped where the machine clips).

        Raises:
            NotWritableError: the machine has no such set-point.
            RefusedError: the machine refuses it (out of range where it checks; every write in fire mode).
        """
        if self._take is None:
            raise NotWritableError(f"{self.id}: {quantity} cannot be written; the device only measures")
        effect = self._take(quantity, float(value))
        self.commanded[quantity] = float(value)
        self.silent_s = 0.0
        return effect
