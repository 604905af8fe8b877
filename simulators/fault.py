"""What can be done to one simulated device: freeze, disconnect, delay, corrupt, bias, set and their like.

A `View` stands between the physics and a protocol server: the server sees the device as its faults let it through. The
`Board` keeps all views of a fleet and carries out the commands of the control socket and of tests.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import asdict, dataclass, field
from random import Random
from typing import TYPE_CHECKING

from simulators.plant.device import Occurrence
from simulators.wire.corruption import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulators.plant.device import Device

__all__ = ["COMMANDS", "Board", "Fault", "FaultError", "Record", "View"]

COMMANDS: Mapping[str, str] = {
    "freeze": "values and heartbeat stand still",
    "disconnect": "silent; connections are closed and refused where the device owns its endpoint",
    "delay": "SECONDS: every answer is late",
    "corrupt": f"[KIND]: answers are spoiled; kinds: {', '.join(KINDS)}",
    "exception": "CODE: every request is answered with this Modbus exception",
    "swap": "the registers of every 32-bit value change places",
    "ignore": "writes are confirmed and not carried out",
    "mute": "writes are carried out and not answered",
    "reboot": "[SECONDS]: silent for so long (60), then back with its own set-points; every command is forgotten",
    "restart": "QUANTITY [VALUE]: a counter goes on from VALUE (0), as after a replacement",
    "wrap": "QUANTITY MODULUS: a counter begins again at 0 where it reaches MODULUS",
    "clock": "SECONDS: the device's clock is ahead by so much (MQTT and OPC UA carry its time)",
    "repeat": "every report is sent twice (MQTT)",
    "disorder": "of two reports the second is sent first (MQTT)",
    "namespaces": "COUNT: the server starts anew with so many other namespaces before its own (OPC UA)",
    "bias": "QUANTITY VALUE: is added to what is measured",
    "set": "QUANTITY VALUE: is shown instead of what is measured (nan: a broken sensor)",
    "event": "TYPE [KEY=VALUE …]: the device reports that this happened (MQTT events)",
    "clear": "all faults of the device end",
}


_REBOOT_S = 60.0


class FaultError(Exception):
    """A fault command cannot be carried out; says what was got and wanted."""


@dataclass(slots=True)
class Fault:
    """The faults of one device; empty is healthy."""

    frozen: bool = False
    disconnected: bool = False
    delay_s: float = 0.0
    corrupt: str = ""
    exception: int = 0
    swapped: bool = False
    ignore_writes: bool = False
    mute_writes: bool = False
    clock_s: float = 0.0
    repeated: bool = False
    disordered: bool = False
    namespaces: int = 0
    wrap: dict[str, float] = field(default_factory=dict)
    bias: dict[str, float] = field(default_factory=dict)
    fixed: dict[str, float] = field(default_factory=dict)

    @property
    def disturbs(self) -> bool:
        """True when answers cannot be given at once and as they are."""
        return bool(self.disconnected or self.delay_s or self.corrupt or self.exception or self.mute_writes)


@dataclass(frozen=True, slots=True)
class Record:
    """Where a fleet writes down what it served and took."""

    served: Callable[[Device, Mapping[str, float]], None]
    """Device and the state that a client was given; once a device and tick."""
    written: Callable[[Device, str, float, float | None], None]
    """Device, quantity, value as it came, and the value in effect (None: refused or ignored)."""


class View:
    """One device as its protocol server sees it."""

    def __init__(self, device: Device, board: Board) -> None:
        """Start healthy; `board` counts the ticks."""
        self.device = device
        self.fault = Fault()
        self._board = board
        self._changes = 0
        self._still: Mapping[str, float] = {}
        self._kept: tuple[int, dict[str, float]] = (-1, {})
        self._back_at = -1
        """Tick at which a reboot is over."""

    @property
    def tick(self) -> int:
        """Changes with every step of the world and with every fault of this device."""
        return self._board.tick + self._changes

    @property
    def swapped(self) -> bool:
        """True while the word order of the device is turned round."""
        return self.fault.swapped

    def state(self) -> Mapping[str, float]:
        """Return what the device shows now."""
        tick = self.tick
        if self._kept[0] == tick:
            return self._kept[1]
        fault = self.fault
        state = dict(self._still) if fault.frozen else self.device.state.snapshot()
        for quantity, offset in fault.bias.items():
            state[quantity] = state.get(quantity, math.nan) + offset
        for quantity, modulus in fault.wrap.items():
            state[quantity] = state.get(quantity, math.nan) % modulus
        state.update(fault.fixed)
        self._kept = (tick, state)
        return state

    def write(self, quantity: str, value: float) -> float:
        """Write to the device, unless a fault keeps it from being carried out.

        Raises:
            NotWritableError, RefusedError: as `Device.write`.
        """
        record = self._board.record
        if self.fault.ignore_writes:
            if record:
                record.written(self.device, quantity, value, None)
            return value
        try:
            effect = self.device.write(quantity, value)
        except Exception:
            if record:
                record.written(self.device, quantity, value, None)
            raise
        self._changes += 1
        if record:
            record.written(self.device, quantity, value, effect)
        return effect

    def refused(self, address: int) -> None:
        """Write down that somebody tried to write to a device that takes no write, or none of that kind."""
        if self._board.record:
            self._board.record.written(self.device, f"register {address}", math.nan, None)

    def served(self) -> None:
        """Say that the present state was given to a client."""
        if self._board.record:
            self._board.record.served(self.device, self.state())

    def apply(self, command: str, arguments: Sequence[str]) -> None:
        """Carry out one fault command.

        Raises:
            FaultError: unknown command, wrong number or kind of arguments.
        """
        fault = self.fault
        match command, list(arguments):
            case "freeze", []:
                self._still = dict(self.state())
                fault.frozen = True
            case "disconnect", []:
                fault.disconnected = True
            case "delay", [seconds]:
                fault.delay_s = self._number(seconds, 0.0, 3600.0)
            case "corrupt", ([] | [_]) as rest:
                kind = rest[0] if rest else "random"
                if kind not in KINDS:
                    raise FaultError(f'corrupt {self.device.id}: got "{kind}", wanted one of {", ".join(KINDS)}')
                fault.corrupt = kind
            case "exception", [code]:
                fault.exception = int(self._number(code, 1, 255))
            case "swap", []:
                fault.swapped = True
            case "ignore", []:
                fault.ignore_writes = True
            case "mute", []:
                fault.mute_writes = True
            case "reboot", ([] | [_]) as rest:
                silent_s = self._number(rest[0], 1.0, 3600.0) if rest else _REBOOT_S
                fault.disconnected = True
                self._back_at = self._board.tick + math.ceil(silent_s)
                self.device.reboot()
            case "restart", ([_] | [_, _]) as rest:
                quantity = self._quantity(rest[0])
                value = self._number(rest[1]) if len(rest) > 1 else 0.0
                fault.bias[quantity] = value - self.device.state[quantity]
            case "wrap", [quantity, value]:
                fault.wrap[self._quantity(quantity)] = self._number(value, 1.0)
            case "clock", [seconds]:
                fault.clock_s = self._number(seconds, -1e9, 1e9)
            case "repeat", []:
                fault.repeated = True
            case "disorder", []:
                fault.disordered = True
            case "namespaces", [count]:
                fault.namespaces = int(self._number(count, 0, 100))
            case "bias", [quantity, value]:
                fault.bias[self._quantity(quantity)] = self._number(value)
            case "set", [quantity, value]:
                fault.fixed[self._quantity(quantity)] = self._number(value)
            case "event", [kind, *pairs] if all("=" in pair for pair in pairs):
                data = dict(pair.split("=", 1) for pair in pairs)
                self.device.occurrences.append(Occurrence(self._board.now_ns(), kind, data))
            case "clear", []:
                self.fault = Fault()
                self._back_at = -1
            case _ if command in COMMANDS:
                raise FaultError(f"{command} {' '.join(arguments)}: wanted {command} DEVICE, {COMMANDS[command]}")
            case _:
                raise FaultError(f'got the command "{command}", wanted one of {", ".join(COMMANDS)}, list')
        self.device.forced = dict(self.fault.fixed)
        self._changes += 1

    def back(self) -> bool:
        """End a reboot whose time has come; True when it did."""
        if not 0 <= self._back_at <= self._board.tick:
            return False
        self._back_at = -1
        self.fault.disconnected = False
        self._changes += 1
        return True

    def _quantity(self, name: str) -> str:
        if name not in self.device.quantities:
            raise FaultError(f'{self.device.id} has no "{name}"; it has {", ".join(self.device.quantities)}')
        return name

    def _number(self, text: str, low: float = -math.inf, high: float = math.inf) -> float:
        try:
            value = float(text)
        except ValueError:
            raise FaultError(f'{self.device.id}: got "{text}", wanted a number') from None
        if value < low or value > high:
            raise FaultError(f"{self.device.id}: got {value:g}, wanted {low:g} to {high:g}")
        return value


class Board:
    """All devices of a fleet with their faults."""

    def __init__(
        self,
        devices: Mapping[str, Device],
        seed: int = 0,
        record: Record | None = None,
        now_ns: Callable[[], int] = lambda: 0,
    ) -> None:
        """`seed` makes random corruption repeatable; `now_ns` is the world's time."""
        self.tick = 0
        self.now_ns = now_ns
        self.record = record
        self.random = Random(seed)
        self.views = {identifier: View(device, self) for identifier, device in devices.items()}
        self.changed: list[Callable[[View], None]] = []
        """Called after every command with the device that it was for."""

    def step(self) -> None:
        """Say that the world has moved by a second: what was encoded before is old, and some reboots are over."""
        self.tick += 1
        for view in [view for view in self.views.values() if view.back()]:
            self._tell(view)

    def apply(self, command: str, device: str, arguments: Sequence[str] = ()) -> None:
        """Carry out one command on one device.

        Raises:
            FaultError: the device or the command is unknown, or the arguments do not fit.
        """
        view = self.views.get(device)
        if view is None:
            near = difflib.get_close_matches(device, self.views, 5, 0.5)
            raise FaultError(f'got the device "{device}", not in this fleet; near it: {", ".join(near) or "none"}')
        view.apply(command, arguments)
        self._tell(view)

    def _tell(self, view: View) -> None:
        for call in self.changed:
            call(view)

    def faults(self) -> dict[str, dict[str, object]]:
        """Return the faults in force, by device: only those that are set."""
        healthy = asdict(Fault())
        found = {}
        for identifier, view in self.views.items():
            changed = {key: value for key, value in asdict(view.fault).items() if value != healthy[key]}
            if changed:
                found[identifier] = changed
        return found
