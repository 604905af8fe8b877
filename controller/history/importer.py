"""Takes a history file (`python -m simulators history`) into the embedded history, and through the log to InfluxDB.

The file is `.npz` with the arrays `address` (P, text), `time_ns` (T, int64, ns since 1970 UTC, increasing) and `value`
(P, T, float64, NaN = no reading). Values become blocks of a day, good in quality; live readings of the same time win
over them. Reading it twice changes nothing.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import InvalidError
from controller.history.block import Columns
from drivers.reading import Quality, Readings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from controller.history.embedded import EmbeddedHistory
    from controller.history.log import FrameLog

__all__ = ["Imported", "check_file", "import_history"]

_POINTS_AT_ONCE = 200
_FRAME_READINGS = 50_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    points: int
    readings: int
    unknown: tuple[str, ...]
    """Addresses that the site does not have; they were left out."""


def import_history(
    path: Path,
    numbers: Mapping[str, int],
    history: EmbeddedHistory,
    log: FrameLog | None = None,
    progress: Callable[[float], None] | None = None,
) -> Imported:
    """Import one file; blocks, so run it in a thread.

    `log` is given when InfluxDB is to have the readings too: they go there as late frames that the embedded history
    skips. `progress` is called with 0..1.

    Raises:
        InvalidError: not such a file; the message says what is wrong.
        UnavailableError: the history cannot be written now.
    """
    check_file(path)
    address, time, value = _load(path)
    known = np.array([numbers.get(name, -1) for name in address], np.int64)
    unknown = tuple(name for name, number in zip(address, known.tolist(), strict=True) if number < 0)
    rows = np.flatnonzero(known >= 0)
    count = 0
    for cut in range(0, len(rows), _POINTS_AT_ONCE):
        parts: list[tuple[int, int, int, Columns]] = []
        for row in rows[cut : cut + _POINTS_AT_ONCE].tolist():
            there = ~np.isnan(value[row])
            kept = int(there.sum())
            count += kept
            columns = Columns(time[there], value[row][there], np.full(kept, Quality.GOOD, np.uint8))
            parts += history.absorb(int(known[row]), columns)
        history.put(parts)
        if progress is not None:
            progress(min(1.0, (cut + _POINTS_AT_ONCE) / len(rows)))
    if log is not None and len(rows):
        _to_log(known[rows].astype(np.int32), time, value[rows], log)
    return Imported(len(rows), count, unknown)


def check_file(path: Path) -> None:
    """Look whether a file can be a history file at all, before anything is made for it.

    Raises:
        InvalidError: it is not there, or is no archive.
    """
    if not path.is_file():
        raise InvalidError(f"{path}: got no file, wanted .npz with address, time_ns, value")
    if not zipfile.is_zipfile(path):
        raise InvalidError(f"{path}: got no history file, wanted .npz with address, time_ns, value")


def _load(path: Path) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64]]:
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            address, time, value = file["address"], file["time_ns"], file["value"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidError(f"{path}: got no history file, wanted .npz with address, time_ns, value: {error}") from error
    if address.ndim != 1 or address.dtype.kind != "U":
        raise InvalidError(f"{path}: address: got {address.dtype} of shape {address.shape}, wanted text of shape (P,)")
    if time.ndim != 1 or time.dtype != np.int64 or (len(time) > 1 and not np.all(np.diff(time) > 0)):
        raise InvalidError(
            f"{path}: time_ns: got {time.dtype} of shape {time.shape}, wanted increasing int64, shape (T,)"
        )
    if value.shape != (len(address), len(time)) or value.dtype != np.float64:
        raise InvalidError(
            f"{path}: value: got {value.dtype} of shape {value.shape}, wanted float64 of {(len(address), len(time))}"
        )
    return address.tolist(), time, value


def _to_log(numbers: NDArray[np.int32], time: NDArray[np.int64], value: NDArray[np.float64], log: FrameLog) -> None:
    """Append the readings time by time, never more at once than the log takes from memory."""
    step = max(1, _FRAME_READINGS // len(numbers))
    for cut in range(0, len(time), step):
        part = value[:, cut : cut + step]
        there = ~np.isnan(part.T)
        times = np.broadcast_to(time[cut : cut + step, None], there.shape)[there]
        points = np.broadcast_to(numbers[None, :], there.shape)[there]
        quality = np.full(len(times), Quality.GOOD, np.uint8)
        log.wait_for_room(4 * _FRAME_READINGS, 60.0)
        log.append(Readings(points, part.T[there], times, quality, late=True), imported=True)
