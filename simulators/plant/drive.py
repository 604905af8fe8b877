"""Frequency converters of pumps and tower fans: ramps, bus commands over local automatic, communication loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.device import NotWritableError
from simulators.plant.quantity import DRIVE
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["DriveBank", "LossAction"]

_RAMP_S = 30.0
_LOSS_S = 30.0
_SAFE_SPEED = 0.6


class LossAction:
    """What a drive does when its master falls silent."""

    HOLD = 0
    """Goes on with the last command: CP2000 with Pr.09-03 = 0, FC 102 with 8-04 = freeze output."""
    SAFE_SPEED = 1
    """Runs at the safe speed: ACH580 with 58.14 = speed ref safe."""


class DriveBank:
    """Drives as arrays (N,); `table` (Q, N) holds what they measure. Speeds inside are 0 to 1."""

    rows = {tag: row for row, tag in enumerate(DRIVE)}  # noqa: RUF012

    def __init__(self, seed: int, names: Sequence[str], rated_kw: NDArray[np.float64], loss: NDArray[np.int64]) -> None:
        """`rated_kw` is the shaft power of each motor, `loss` a `LossAction` each."""
        n = len(names)
        self._names = tuple(names)
        self._rated_kw = rated_kw
        self._loss = loss
        self._noise = stream(seed, "drive noise")
        self.run_cmd = np.full(n, np.nan)
        self.speed_cmd = np.full(n, np.nan)
        self.local_run = np.zeros(n)
        """What the plant's own automatic wants of drives that are not commanded over the bus."""
        self.local_speed = np.full(n, 0.8)
        self.silent = np.zeros(n, np.bool_)
        """True where the drive has not heard of a master that it once had for 30 s; set by the world."""
        self.fault = np.zeros(n)
        self.speed = np.zeros(n)
        self.power_kw = np.zeros(n)
        self.table = np.zeros((len(DRIVE), n))
        self._run, self._wanted, self._reference = np.zeros(n), np.zeros(n), np.zeros(n)

    @property
    def on_bus(self) -> NDArray[np.bool_]:
        """Tell which drives have a run command from the bus."""
        return np.asarray(~np.isnan(self.run_cmd))

    @property
    def loss_after_s(self) -> float:
        """Seconds of silence that count as a lost master."""
        return _LOSS_S

    def take(self, column: int, tag: str, value: float) -> float:
        """Accept a bus command: `run_cmd` 0 or 1, `speed_cmd` 0 to 100 %, clipped silently; `fault_reset` 1.

        Raises:
            NotWritableError: any other tag.
        """
        if tag == "run_cmd":
            self.run_cmd[column] = float(value >= 0.5)
            self.table[self.rows[tag], column] = self.run_cmd[column]
            return float(self.run_cmd[column])
        if tag == "speed_cmd":
            clipped = min(max(value, 0.0), 100.0)
            self.speed_cmd[column] = clipped / 100.0
            self.table[self.rows[tag], column] = clipped
            return clipped
        if tag == "fault_reset":
            if value >= 0.5:
                self.fault[column] = 0.0
            return 0.0
        raise NotWritableError(f"{self._names[column]}: {tag} is read only")

    def forget(self, column: int) -> None:
        """Follow the plant's own automatic again."""
        self.run_cmd[column] = self.speed_cmd[column] = np.nan

    def ramp(self, dt_s: float) -> None:
        """Move the speeds towards their references."""
        run = np.where(self.on_bus, self.run_cmd, self.local_run)
        reference = np.where(np.isnan(self.speed_cmd), self.local_speed, self.speed_cmd)
        safe = self.silent & (self._loss == LossAction.SAFE_SPEED) & self.on_bus
        reference = np.where(safe, _SAFE_SPEED, reference)
        wanted = np.where((run >= 0.5) & (self.fault < 0.5), np.clip(reference, 0.0, 1.0), 0.0)
        step = dt_s / _RAMP_S
        self.speed = self.speed + np.clip(wanted - self.speed, -step, step)
        self._run, self._reference, self._wanted = run, reference, wanted

    def show(self) -> None:
        """Bring the table up to date after the plant has set `power_kw`."""
        table, noise = self.table, self._noise.standard_normal((2, len(self.speed)))
        turning = self.speed > 0.005
        table[0] = turning
        table[1] = self.fault
        table[2] = 1.0
        table[3] = turning & (np.abs(self._wanted - self.speed) < 0.01)
        table[4] = 100.0 * self.speed
        table[5] = 60.0 * self.speed
        power = np.where(turning, self.power_kw * (1.0 + 0.004 * noise[0]), 0.0)
        # Magnetising current of about 0.3 of rated; 0.9 power factor of the motor.
        full = self._rated_kw / (math.sqrt(3.0) * 0.38 * 0.9)
        table[6] = np.where(
            turning, np.hypot(0.3 * full, power / (math.sqrt(3.0) * 0.38)) * (1 + 0.003 * noise[1]), 0.0
        )
        table[7] = power
        table[8] = self._run
        table[9] = 100.0 * self._reference
