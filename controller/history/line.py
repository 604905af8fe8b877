"""Line protocol, built in columns: one lookup, one number formatter for the whole batch, one join.

A reading is `<system>,building=…,equipment=…,point=… value=<f>,quality=<q>i <ns>`; without a usable value (bad quality
or not finite) it is `… quality=<q>i <ns>` alone, for InfluxDB has no NaN.
Source of the escapes: InfluxDB 2 reference, "Line protocol", section "Special characters".
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import orjson

from drivers.reading import is_bad

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from drivers.reading import Readings

__all__ = ["LineBuilder", "tags_of"]


def tags_of(address: str) -> tuple[str, str, str, str]:
    """Return (system, building, equipment, point) of an address `building.system.equipment.point`."""
    building, _, rest = address.partition(".")
    system, _, rest = rest.partition(".")
    equipment, _, point = rest.partition(".")
    return system, building, equipment, point


class LineBuilder:
    """Knows the series of every point number; a new one is made when the configuration changes."""

    def __init__(self, addresses: Mapping[int, str]) -> None:
        """Prepare the series of each number."""
        size = max(addresses, default=-1) + 1
        self._known = np.zeros(size, np.bool_)
        self._series: list[bytes] = [b""] * size
        for number, address in addresses.items():
            system, building, equipment, point = tags_of(address)
            tags = "".join(
                f",{key}={_escape(tag)}"
                for key, tag in (("building", building), ("equipment", equipment), ("point", point))
                if tag
            )
            measurement = _escape(system or "unknown", equals=False)
            self._series[number] = f"{measurement}{tags} ".encode()
            self._known[number] = True
        self._with_value = [series + b"value=" for series in self._series]

    def build(self, readings: Readings) -> tuple[bytes, int]:
        """Return the lines of a batch, each ended by a newline, and how many readings have a number nobody knows."""
        point, value, time, quality = readings.point, readings.value, readings.time_ns, readings.quality
        size = len(self._known)
        known = (point >= 0) & (point < size)
        known[known] = self._known[point[known]]
        unknown = len(point) - int(known.sum())
        if unknown:
            point, value, time, quality = point[known], value[known], time[known], quality[known]
        if not len(point):
            return b"", unknown
        numbers = point.tolist()
        prefixes = list(map(self._with_value.__getitem__, numbers))
        # orjson writes the shortest text that reads back as the same float, and null for NaN and infinities.
        values = orjson.dumps(np.ascontiguousarray(value), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
        tails = _tails(time, quality)
        for index in np.flatnonzero(~np.isfinite(value) | is_bad(quality)).tolist():
            prefixes[index] = self._series[numbers[index]]
            values[index] = b""
            tails[index] = tails[index][1:]
        return b"".join(chain.from_iterable(zip(prefixes, values, tails, strict=True))), unknown


def _tails(time: NDArray[np.int64], quality: NDArray[np.uint8]) -> list[bytes]:
    """Return `,quality=<q>i <ns>` and a newline for each reading; neighbours of one poll share one object."""
    edges = np.flatnonzero((np.diff(time) != 0) | (np.diff(quality) != 0)) + 1
    starts = [0, *edges.tolist()]
    lengths = np.diff(np.append(starts, len(time))).tolist()
    tails: list[bytes] = []
    for at, qualities, length in zip(time[starts].tolist(), quality[starts].tolist(), lengths, strict=True):
        tails += [b",quality=%di %d\n" % (qualities, at)] * length
    return tails


def _escape(text: str, *, equals: bool = True) -> str:
    # A backslash stands for itself in tags; only before these characters it is an escape.
    text = text.replace(",", "\\,").replace(" ", "\\ ").replace("\n", "\\n")
    return text.replace("=", "\\=") if equals else text
