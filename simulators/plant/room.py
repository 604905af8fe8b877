"""Room sensors: each in a zone, a little off from its mean, with its own people, dust and lamp."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.air import relative_humidity
from simulators.plant.quantity import ENVIRONMENT, WALL
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from simulators.plant.weather import Outdoor
    from simulators.plant.zone import ZoneBank

__all__ = ["RoomBank"]


class RoomBank:
    """All room sensors as arrays (N,); `table` (Q, N) holds what they measure."""

    rows = {tag: row for row, tag in enumerate(ENVIRONMENT)}  # noqa: RUF012
    wall_rows = {**{tag: row for row, tag in enumerate(ENVIRONMENT) if tag in WALL}, "tvoc": 11, "voc_level": 12}  # noqa: RUF012
    """A wall sensor gives its volatiles as ppb and in % of its range, where a radio sensor gives a rating."""

    def __init__(
        self,
        seed: int,
        names: Sequence[str],
        zone: Sequence[int],
        height_m: Sequence[float],
        fancoil: Sequence[int | None],
    ) -> None:
        """Sensor `names[k]` hangs in zone `zone[k]`, `height_m[k]` above the street.

        `fancoil[k]` names the room with a fan coil inside the zone, whose temperature the sensor feels.
        """
        self.names = tuple(names)
        count = len(names)
        self._zone = np.array(zone, np.int64)
        self._own = np.array([place is not None for place in fancoil], np.bool_)
        self._fancoil = np.array([place or 0 for place in fancoil], np.int64)
        self._height = np.array(height_m, np.float64)
        bend = np.empty((8, count))
        for k, name in enumerate(names):
            bend[:, k] = stream(seed, "room", zlib.crc32(name.encode())).uniform(-1.0, 1.0, 8)
        self._bend = bend
        self._noise = stream(seed, "room noise")
        self._drift = np.zeros((4, count))
        self._battery = 85.0 + 14.0 * bend[7]
        self.table = np.zeros((len(ENVIRONMENT) + 2, count))

    def step(self, dt_s: float) -> None:
        """Advance drift and batteries by `dt_s`."""
        keep = float(np.exp(-dt_s / 1500.0))
        draw = self._noise.standard_normal(self._drift.shape)
        self._drift = keep * self._drift + float(np.sqrt(1.0 - keep * keep)) * draw
        self._battery = np.maximum(self._battery - dt_s * 100.0 / (3.0 * 365.0 * 86_400.0), 1.0)

    def show(
        self,
        outdoor: Outdoor,
        zones: ZoneBank,
        rooms_c: NDArray[np.float64],
        crowd: NDArray[np.float64],
        lamps: float,
    ) -> None:
        """Bring the table up to date.

        `rooms_c` are the temperatures of the fan-coil rooms, `crowd` is each zone's part of its full head count,
        `lamps` what burns of 1.
        """
        drift, bend, zone, table = self._drift, self._bend, self._zone, self.table
        here = np.clip(crowd[zone] * (1.0 + 0.5 * bend[1] + 0.25 * drift[1]), 0.0, 1.5)
        air = np.where(self._own, rooms_c[self._fancoil], zones.air[zone])
        celsius = air + 0.7 * bend[0] + 0.15 * drift[0]
        table[0] = celsius
        ratio = zones.ratio[zone] * (1.0 + 0.03 * bend[2])
        table[1] = np.clip(relative_humidity(celsius, ratio), 1.0, 100.0)
        excess = np.maximum(zones.co2[zone] - outdoor.co2, 0.0)
        table[2] = outdoor.co2 + excess * np.clip(1.0 + 0.35 * bend[1] + 0.12 * drift[1], 0.2, 2.0) + 6.0 * bend[3]
        dust = zones.pm25[zone] * np.exp(0.2 * bend[4] + 0.15 * drift[2])
        table[3] = dust
        table[4] = dust * (1.35 + 0.15 * bend[5]) + 2.0 * here
        table[5] = np.maximum(0.12 + 0.25 * here + 0.08 * bend[6] + 0.03 * drift[3], 0.02)
        table[6] = np.maximum(0.012 + 0.008 * bend[5] + 0.0006 * (celsius - 25.0) + 0.001 * drift[3], 0.0)
        table[7] = outdoor.pressure - 0.118 * self._height
        table[8] = np.clip(np.round(4.0 * lamps * (0.8 + 0.2 * bend[2]) + outdoor.sun / 400.0), 0.0, 5.0)
        table[9] = here > 0.12 + 0.08 * drift[3]
        table[10] = self._battery
        # Milesight's rating 1 stands for about 0.3 mg/m³, 75 ppb of isobutylene; the wall sensor's 100 % are 1000 ppb.
        table[11] = 75.0 * table[5] + 40.0
        table[12] = np.clip(table[11] / 10.0, 0.0, 100.0)
