"""Air-quality stations: all the gases and dusts of the indoor-air act at one place, each with its own sensor.

What people and air do comes from the zone (temperature, moisture, CO2, PM2.5); the other gases follow traffic and sun
outside, and furniture and cleaning inside. Levels of an ordinary Taipei office (assumed), well below the act's limits.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.air import relative_humidity
from simulators.plant.device import Device, State
from simulators.plant.layout import place_of
from simulators.plant.quantity import Model
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["AirStations"]

_TAGS = (
    "temperature", "humidity", "co2", "co", "o3", "no2", "hcho", "tvoc", "pm1", "pm25", "pm10", "pressure", "noise",
    "illuminance", "sensor_faults", "days_since_calibration",
)  # fmt: skip
_DAY_S = 86_400.0


class AirStations:
    """All stations as arrays (N,); `table` (Q, N) holds what they measure."""

    models: ClassVar[Mapping[str, Model]] = {"site-standard-iaq-station": Model("iaq_station", history=_TAGS[:13])}
    rows: ClassVar[Mapping[str, int]] = {tag: row for row, tag in enumerate(_TAGS)}
    remembered = True

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:
        """One station a device, in the zone that the site's files name."""
        self.names = tuple(row.id for row in rows)
        count = len(rows)
        self._zone = np.array([place_of(site, row.equipment) for row in rows], np.int64)
        self._bend = np.array(
            [stream(seed, "station", zlib.crc32(name.encode())).uniform(-1.0, 1.0, 6) for name in self.names]
        ).T.reshape(6, count)
        self._noise = stream(seed, "station noise")
        self._drift = np.zeros((4, count))
        self._calibrated_s = (60.0 + 50.0 * self._bend[5]) * _DAY_S
        self._seen: list[Scene] = []
        """The scene of the last step; empty until there was one."""
        self.table = np.zeros((len(_TAGS), count))

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance drift and calibration age by `dt_s`."""
        keep = math.exp(-dt_s / 900.0)
        draw = self._noise.standard_normal(self._drift.shape)
        self._drift = keep * self._drift + math.sqrt(1.0 - keep * keep) * draw
        self._calibrated_s = self._calibrated_s + dt_s
        self._seen = [scene]

    def show(self) -> None:
        """Bring the table up to date with the last step."""
        if not self._seen:
            return
        scene = self._seen[0]
        table, bend, drift, zone = self.table, self._bend, self._drift, self._zone
        outdoor, zones, hour = scene.outdoor, scene.zones, scene.moment.hour
        rush = sum(max(0.0, 1.0 - abs(hour - at) / 1.5) for at in (8.3, 18.0))
        table[0] = zones.air[zone] + 0.4 * bend[0] + 0.1 * drift[0]
        table[1] = np.clip(relative_humidity(table[0], zones.ratio[zone]), 1.0, 100.0)
        table[2] = zones.co2[zone] + 15.0 * bend[1] + 8.0 * drift[1]
        table[3] = np.maximum(0.45 + 0.5 * rush + 0.15 * bend[2] + 0.08 * drift[2], 0.0)
        # Of the ozone outside, which follows the sun, surfaces leave a quarter (assumed).
        table[4] = np.maximum(0.25 * (18.0 + 0.045 * outdoor.sun) * (1.0 + 0.2 * bend[3]) + drift[3], 0.0)
        table[5] = np.maximum(9.0 + 8.0 * rush + 2.0 * bend[2] + drift[2], 0.0)
        table[6] = np.maximum(20.0 + 8.0 * bend[4] + 0.9 * (table[0] - 25.0) + 1.5 * drift[0], 0.0)
        table[7] = np.maximum(120.0 + 140.0 * scene.crowd + 40.0 * bend[4] + 12.0 * drift[1], 0.0)
        dust = zones.pm25[zone] * np.exp(0.15 * bend[3] + 0.1 * drift[3])
        table[8], table[9], table[10] = 0.7 * dust, dust, 1.4 * dust + 3.0 * scene.crowd
        table[11] = outdoor.pressure
        table[12] = 38.0 + 16.0 * scene.crowd + 2.0 * bend[1] + 1.2 * drift[1]
        table[13] = np.maximum(20.0 + 430.0 * scene.lamps * (1.0 + 0.2 * bend[2]) + 0.3 * outdoor.sun, 0.0)
        table[15] = np.floor(self._calibrated_s / _DAY_S)

    def device(self, row: SimulatedDevice) -> Device:
        """Return the station of one device."""
        return Device(row, State(self.rows, self.table, self.names.index(row.id)))

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing: a station draws less than a lamp."""
        return {}
