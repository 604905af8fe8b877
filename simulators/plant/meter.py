"""Electricity meters: what each shows of its node, with the gain error and noise of its class; energy and demand.

A meter measures its own node. The main meter is computed from the physical power on the 22.8 kV side, never from
other meters' readings.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

import numpy as np

from simulators.plant.quantity import METER
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulators.plant.network import Network

__all__ = ["MeterBank"]

_ROW = {tag: row for row, tag in enumerate(METER)}
_HIGH_V, _LOW_V = 22_800.0, 380.0
_RING = 16
_MINUTE_S = 60.0


class MeterBank:
    """All meters as arrays (N,); `table` (Q, N) holds what they show."""

    rows = _ROW

    def __init__(
        self,
        seed: int,
        network: Network,
        names: Sequence[str],
        nodes: Sequence[int],
        accuracy: Sequence[float],
    ) -> None:
        """Meter `names[k]` sits at node `nodes[k]`; `accuracy` is its class in percent.

        The error of a meter depends on its name and the seed alone, so that it is the same in every part of a site.
        """
        self.names = tuple(names)
        self._node = np.array(nodes, np.int64)
        self._network = network
        count = len(names)
        limit = np.array(accuracy, float) / 100.0
        start = np.empty((2, count))
        bend = np.empty((7, count))
        for k, name in enumerate(names):
            draw = stream(seed, "meter", zlib.crc32(name.encode()))
            start[:, k] = draw.uniform(0.2, 1.0, 2)
            bend[:, k] = draw.uniform(-1.0, 1.0, 7)
        # A meter in good order stays within 0.6 of its class.
        self._gain = 1.0 + 0.6 * limit * bend[0]
        self._grain = 0.1 * limit
        self._phase_gain = 1.0 + 0.3 * limit * bend[1:4]
        self._unbalance = 1.0 + 0.003 * bend[4:7]
        self._high = self._node == network.MAIN
        small = self._node >= network.METER
        # Float32 registers of sub-meters resolve 0.01 kWh below 100,000.
        scale = np.where(small, 60_000.0, np.where(self._high, 2.0e7, 2.0e6))
        self.energy = start[0] * scale
        self.reactive_energy = start[1] * scale * 0.25
        self._noise = stream(seed, "meter noise")
        self._ring = np.tile(self.energy, (_RING, 1))
        self._place = 0
        self._since_s = 0.0
        self._primed = False
        board = network.node_board[self._node]
        self._board = board
        self.table = np.zeros((len(METER), count))

    def run(self, dt_s: float, time_ns: int) -> None:
        """Count the energy of `dt_s` that ends at `time_ns`."""
        power = self._network.power[self._node] * self._gain
        if not self._primed:
            # A meter that has no history of its own shows its present power as demand.
            self._since_s = (time_ns / 1e9 - dt_s) % _MINUTE_S
            back = self._since_s / 3600.0 + np.arange(_RING - 1, -1, -1)[:, None] / 60.0
            self._ring = self.energy - power * back
            self._place, self._primed = 0, True
        before = self.energy
        self.energy = before + power * (dt_s / 3600.0)
        self.reactive_energy = self.reactive_energy + np.maximum(self._network.reactive[self._node], 0.0) * (
            dt_s / 3600.0
        )
        passed = self._since_s + dt_s
        minute = _MINUTE_S - self._since_s
        while minute <= dt_s + 1e-9:
            # Clock minutes, so that the demand at a quarter hour is exactly that quarter's mean.
            self._ring[self._place] = before + power * (minute / 3600.0)
            self._place = (self._place + 1) % _RING
            minute += _MINUTE_S
        self._since_s = passed % _MINUTE_S

    def show(self) -> None:
        """Bring the table up to date."""
        network, node, table = self._network, self._node, self.table
        count = len(node)
        noise = self._noise.standard_normal((4, count))
        supply = np.where(self._high, network.supply_pu, network.transformers.voltage_pu[self._board])
        nominal = np.where(self._high, _HIGH_V, _LOW_V) / math.sqrt(3.0)
        volts = nominal * supply * self._unbalance * (1.0 + 0.0004 * noise[:3])
        table[0:3] = volts
        # Line to line from phasors 120° apart.
        other = volts[[1, 2, 0]]
        table[3:6] = np.sqrt(volts * volts + other * other + volts * other)
        shares = network.shares[:, node]
        true = network.power[node]
        gain = self._gain * (1.0 + self._grain * noise[3])
        phases = true * shares * self._phase_gain * gain
        power = true * gain
        phases *= power / np.maximum(phases.sum(axis=0), 1e-9)
        reactive = network.reactive[node] * gain
        apparent = np.hypot(power, reactive)
        factor = apparent / np.maximum(power, 1e-9)
        amps = phases * factor / volts * 1000.0
        table[6:9] = amps
        thd = network.distortion[node]
        unbalanced = np.sqrt(
            np.maximum(
                amps[0] ** 2 + amps[1] ** 2 + amps[2] ** 2
                - amps[0] * amps[1] - amps[1] * amps[2] - amps[2] * amps[0],
                0.0,
            )
        )  # fmt: skip
        # Triplen harmonics add in the neutral; about 0.3 of the distortion is third on four-wire boards.
        table[9] = np.where(self._high, 0.0, np.hypot(unbalanced, 0.009 * thd * amps.mean(axis=0)))
        table[10:13] = phases
        table[13] = power
        table[14] = reactive
        table[15] = apparent
        table[16] = power / np.maximum(apparent, 1e-9)
        table[17] = network.frequency
        table[18] = self.energy
        table[20] = self.reactive_energy
        table[21:24] = 0.9 + 0.08 * thd + 0.05 * noise[:3]
        table[24:27] = thd * (1.0 + 0.02 * noise[1:4])
        oldest = self._ring[self._place]
        # Sixteen whole minutes are kept: the oldest is 15 minutes before the newest.
        table[27] = (self.energy - oldest) * 3600.0 / (900.0 + self._since_s)
