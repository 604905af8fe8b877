"""Register tables of air sensors: the wall sensor on a bus and the air-quality station.

Sources: S+S AERASGARD RFTM-LQ-PS-CO2, operating instructions, p. 24; site standard "air-quality station".
"""

from __future__ import annotations

import math

from simulators.wire.register import Bank, Cell, StateMap
from simulators.wire.unit import Table

__all__ = ["aerasgard_rftm", "site_standard_iaq_station"]

_STATION = (
    "temperature", "humidity", "co2", "co", "o3", "no2", "hcho", "tvoc", "pm1", "pm25", "pm10", "pressure", "noise",
    "illuminance",
)  # fmt: skip
_TENTHS = ("temperature", "humidity", "co", "pressure", "noise")


def aerasgard_rftm(_unit: int) -> Table:
    """RFTM: the manual counts from 1; each quantity through a filter of 4 s and one of 32 s; 9 to 11 unassigned."""
    pairs = (
        (1, "co2", "u16", 1.0),
        (3, "voc_level", "u16", 10.0),
        (5, "temperature", "i16", 10.0),
        (7, "humidity", "u16", 10.0),
        (12, "tvoc", "u16", 1.0),
        (14, "pm25", "u16", 1.0),
    )
    cells = [
        Cell(number - 1 + late, quantity, kind, factor) for number, quantity, kind, factor in pairs for late in (0, 1)
    ]
    return Table("aerasgard-rftm", {4: Bank(cells)})


def _failed(state: StateMap) -> float:
    """Bit n: the sensor of register n has no value, or the station says that it failed."""
    said = state.get("sensor_faults", 0.0)
    lost = sum(1 << n for n, name in enumerate(_STATION) if math.isnan(state.get(name, math.nan)))
    return float((int(said) if math.isfinite(said) else 0) | lost)


def site_standard_iaq_station(_unit: int) -> Table:
    """Station: sixteen signed words, FC04 alone, 0x8000 where there is no value."""
    cells = [Cell(n, name, "i16", 10.0 if name in _TENTHS else 1.0) for n, name in enumerate(_STATION)]
    cells += [Cell(14, _failed, "i16"), Cell(15, "days_since_calibration", "i16")]
    return Table("site-standard-iaq-station", {4: Bank(cells)})
