"""Register tables around the transformers: two temperature relays and the cubicle's contacts.

Sources: TECSYSTEM NT935 ETH manual, pp. 20-22; Diel MT-200 S manual, p. 46; site standard "cubicle and breaker I/O".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulators.wire.register import ILLEGAL_VALUE, Bank, BitBank, Cell, Refusal, Source, StateMap, WriteCell
from simulators.wire.unit import Table

if TYPE_CHECKING:
    from simulators.wire.unit import Port

__all__ = ["diel_mt200", "site_standard_cubicle", "tecsystem_nt935"]

_CHANNELS = ("winding_temp_a", "winding_temp_b", "winding_temp_c", "core_temp")
_ZERO = b"\0\0"


def _word(*bits: tuple[int, str]) -> Source:
    """Return a word whose bits are quantities."""
    return lambda state: float(sum(1 << bit for bit, name in bits if state.get(name, 0.0) >= 0.5))


class _Relay:
    """The memory of a temperature relay: settings, the rejected datum, and the highest temperature since reset."""

    _TRIP_BELOW_ALARM = (1, 4, 7, 10)

    def __init__(self, port: Port) -> None:
        self._port = port
        self._kept: dict[str, float] = {
            "fan_test_h": 0.0, "rate_limit": 0.0, "voting": 0.0, "cpu": 0.0, "output_channel": 0.0, "rejected": 0.0,
            "fan_1_on": 90.0, "fan_1_off": 80.0, "fan_2_on": 100.0, "fan_2_off": 90.0,
        }  # fmt: skip
        for channel in range(1, 5):
            self._kept[f"alarm_{channel}"] = 140.0
            self._kept[f"trip_{channel}"] = 150.0
            self._kept[f"maximum_{channel}"] = -math.inf

    def view(self, state: StateMap) -> StateMap:
        for channel, name in enumerate(_CHANNELS, 1):
            value = state.get(name, math.nan)
            self._kept[f"maximum_{channel}"] = max(self._kept[f"maximum_{channel}"], value)
        return {**state, **self._kept}

    def write(self, quantity: str, value: float) -> float:
        kept = self._kept
        if quantity == "command":
            if value == 1:  # reset of the maxima
                kept.update({f"maximum_{channel}": -math.inf for channel in range(1, 5)})
            return value
        before = kept[quantity]
        kept[quantity] = value
        kept["rejected"] = self._fault()
        if kept["rejected"]:
            # register 7 names the datum; the manual leaves open whether an exception follows: this unit keeps still
            kept[quantity] = before
        return kept[quantity]

    def _fault(self) -> float:
        kept = self._kept
        for channel, code in enumerate(self._TRIP_BELOW_ALARM, 1):
            if kept[f"trip_{channel}"] <= kept[f"alarm_{channel}"]:
                return float(code)
        for fan, code in ((1, 17), (2, 18)):
            if kept[f"fan_{fan}_on"] <= kept[f"fan_{fan}_off"]:
                return float(code)
        return 0.0


def tecsystem_nt935(unit: int) -> Table:
    """TECSYSTEM NT935: printed decimal addresses sent as they are; printed 17 reads the unit's own address."""
    cells = [
        Cell(1, 0.0, "text", text=b"N935"),
        Cell(3, 0.0, "text", text=b"0210"),
        Cell(5, 4.0, "u16"),
        Cell(6, 1.0, "u16"),
        Cell(7, "rejected", "u16"),
        Cell(10, "fan_test_h", "u16"),
        Cell(11, "rate_limit", "u16"),
        Cell(12, "voting", "u16"),
        Cell(13, "cpu", "u16"),
        Cell(14, 0.0, "u16"),
        Cell(15, _word((0, "temp_alarm"), (1, "temp_trip"), (2, "temp_fault"), (3, "fan_1"), (4, "fan_2")), "u16"),
        Cell(16, "output_channel", "u16"),
        Cell(17, float(unit), "u16"),
        Cell(18, 3.0, "u16"),
        Cell(19, 0.0, "u16"),
        Cell(21, "fan_1_on", "i16"),
        Cell(22, "fan_1_off", "i16"),
        Cell(23, "fan_2_on", "i16"),
        Cell(24, "fan_2_off", "i16"),
    ]
    writes = [
        WriteCell(9, "command"),
        WriteCell(10, "fan_test_h", low=0, high=200),
        WriteCell(11, "rate_limit", low=0, high=30),
        WriteCell(12, "voting", low=0, high=1),
        WriteCell(13, "cpu"),
        WriteCell(16, "output_channel", low=0, high=5),
        *(WriteCell(21 + at, f"fan_{at // 2 + 1}_{'off' if at % 2 else 'on'}", "i16", 1, 0, 240) for at in range(4)),
    ]
    for channel, name in enumerate(_CHANNELS):
        base = 25 + 4 * channel
        cells += [
            Cell(base, name, "i16", missing=b"\x7f\xff"),
            Cell(base + 1, f"maximum_{channel + 1}", "i16"),
            Cell(base + 2, f"alarm_{channel + 1}", "i16"),
            Cell(base + 3, f"trip_{channel + 1}", "i16"),
        ]
        writes += [
            WriteCell(base + 2, f"alarm_{channel + 1}", "i16", 1, 0, 240),
            WriteCell(base + 3, f"trip_{channel + 1}", "i16", 1, 0, 240),
        ]
    return Table(
        "tecsystem-nt935",
        {3: Bank(cells, fill=[(1, 40, _ZERO)])},
        Table.cells(*writes),
        frozenset({6, 16}),
        machine=_Relay,
    )


class _ReadOnlySetting:
    """MT200 limits: kept as delivered; a write is refused by this unit (front key locked)."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._maximum: dict[str, float] = {f"maximum_{channel}": -math.inf for channel in range(1, 5)}

    def view(self, state: StateMap) -> StateMap:
        for channel, name in enumerate(_CHANNELS, 1):
            value = state.get(name, math.nan)
            self._maximum[f"maximum_{channel}"] = max(self._maximum[f"maximum_{channel}"], value)
        return {**state, **self._maximum}

    def write(self, quantity: str, value: float) -> float:  # noqa: ARG002 - the shape of Machine
        raise Refusal(ILLEGAL_VALUE)


def diel_mt200(_unit: int) -> Table:
    """Diel MT-200 S: 0.01 °C; relays bit 0 alarm, 1 PRE-alarm, 2 fault, 3 fan (the Lite model has them swapped).

    The relay's pre-alarm is the building's alarm, its alarm is the trip.
    """
    cells = [
        *(Cell(1 + at, name, "i16", 100.0) for at, name in enumerate(_CHANNELS)),
        *(Cell(5 + at, f"maximum_{at + 1}", "i16", 100.0) for at in range(4)),
        Cell(9, _sensor_faults, "u16"),
        Cell(10, _word((0, "temp_trip"), (1, "temp_alarm"), (2, "temp_fault"), (3, "fan_1")), "u16"),
        Cell(21, 15.0, "u16"),
        Cell(22, _word((0, "fan_1"), (1, "fan_2")), "u16"),
        *(Cell(23 + at, limit, "i16", 100.0) for at, limit in enumerate((140.0, 150.0, 90.0, 80.0) * 4)),
    ]
    bank = Bank(cells, fill=[(1, 38, _ZERO)])
    return Table(
        "diel-mt200",
        {3: bank, 4: bank},
        Table.cells(*(WriteCell(at, "limit", "i16", 100.0) for at in range(23, 39))),
        frozenset({6, 16}),
        machine=_ReadOnlySetting,
    )


def _sensor_faults(state: StateMap) -> float:
    return float(sum(1 << at for at, name in enumerate(_CHANNELS) if math.isnan(state.get(name, math.nan))))


def _tap(position: int) -> Source:
    return lambda state: float(abs(state.get("tap_position", math.nan) - position) < 0.5)


def site_standard_cubicle(_unit: int) -> Table:
    """Cubicle I/O: discrete inputs 0-15 by FC02; no write path to breakers."""
    return Table(
        "site-standard-cubicle",
        {
            2: BitBank(
                [
                    "breaker_closed", "breaker_tripped", "racked_in", "earth_switch_closed",
                    "door_open", "arc_relay", "remote", "dc_supply_ok", *(_tap(position) for position in range(1, 6)),
                    "fan_1_runs", "fan_2_runs", 0.0,
                ]
            )
        },
    )  # fmt: skip
