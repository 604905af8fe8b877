"""Cold water: what people, kitchen and cooling towers draw, the tree of meters that counts it, and leaks.

A meter counts what flows through its pipe: its own taps and everything below it. Where a floor has taps that no
sub-meter sees, its meter counts more than the sum of those below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.device import Device, State
from simulators.plant.quantity import Model
from simulators.plant.weather import stream
from simulators.site import SiteError, point_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulators.plant.device import Occurrence
    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["CHANNELS", "COUNTER", "DELTAS", "WATER_METER", "WaterBank"]

CHANNELS = 4
COUNTER = tuple(
    f"ch_{n}_{what}" for n in range(1, CHANNELS + 1) for what in ("pulses", "input", "overflow", "battery_low", "pause")
)
DELTAS = 15
WATER_METER = ("volume", "status", "log_time", "log_volume", *(f"delta_{n}" for n in range(1, DELTAS + 1)))
_KINDS = ("toilet", "floor", "kitchen", "car_park", "makeup", "main")
_FLUSH_L, _TAP_L, _WASH_L, _HOSE_L = 6.0, 1.5, 9.0, 12.0
_DRAW_L = np.array([_FLUSH_L, _TAP_L, _WASH_L, _HOSE_L, 1.0, 0.0])
_FLUSHES_S, _TAPS_S = 0.055, 0.03
"""Of a toilet that 250 people share (each goes six to seven times in nine hours), and of a floor's pantries."""
_NIGHT_CROWD = 0.06
"""So few that nobody draws water for hours."""
_RESIDUE = 0.008
"""Of what the main meter counts and no other: hydrant tests, and slow flow that small meters do not see."""
_LOG_S = 1200
_LEAK_TOLD_S = 86_400.0
_OK, _LEAKAGE = 0.0, 48.0
_WRAP = 2.0**32
_LONGEST_PAUSE = 65_535.0


class WaterBank:
    """All water meters as arrays (N,); `counters` and `meters` hold what the two kinds of device show."""

    models: ClassVar[Mapping[str, Model]] = {
        "site-standard-pulse-counter": Model("pulse_counter", history=COUNTER[:: len(COUNTER) // CHANNELS]),
        "axioma-qalcosonic-w1": Model("water_meter", history=("volume",)),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:
        """Find the tree in the parameters of the meters: `fed_by`, `use`, `litres_per_pulse`.

        Raises:
            SiteError: a meter without a known use.
        """
        self._counters = tuple(row.id for row in rows if row.profile == "site-standard-pulse-counter")
        self._meters = tuple(row.id for row in rows if row.profile == "axioma-qalcosonic-w1")
        places = [
            point_address(row, f"ch_{n}_x").rsplit(".", 1)[0]
            for row in rows
            if row.id in self._counters
            for n in range(1, CHANNELS + 1)
        ]
        places += [row.equipment for row in rows if row.id in self._meters]
        count = len(places)
        parameters = [site.equipment[place].parameters if place in site.equipment else {} for place in places]
        self._kind = np.array([_kind(place, row) for place, row in zip(places, parameters, strict=True)], np.int64)
        below = np.eye(count)
        parents = [places.index(p) if (p := row.get("fed_by")) in places else -1 for row in parameters]
        for column in range(count):
            above, seen = parents[column], 0
            while above >= 0 and seen < count:
                below[above, column] = 1.0
                above, seen = parents[above], seen + 1
        self._below = below
        self._is_main = self._kind == _KINDS.index("main")
        self._litres = np.array([float(row.get("litres_per_pulse", 1.0)) for row in parameters])
        draw = stream(seed, "water")
        self._gain = 1.0 + draw.uniform(-0.008, 0.008, count)
        self._draw = stream(seed, "water draws")
        self.volume_m3 = (below @ draw.uniform(3000.0, 9000.0, count)) * (1.0 + _RESIDUE * self._is_main)
        self.leak_ls = np.zeros(count)
        self._leak_s = np.zeros(count)
        self._pause_s = np.zeros(count)
        self._battery_low = np.zeros(count)
        self._log = np.tile(self.volume_m3, (DELTAS + 1, 1))
        self._log_time = 0.0
        self._devices: dict[str, Device] = {}
        self.counters = np.zeros((len(COUNTER), max(len(self._counters), 1)))
        self.meters = np.zeros((len(WATER_METER), max(len(self._meters), 1)))

    def device(self, row: SimulatedDevice) -> Device:
        """Return what a device looks at."""
        if row.id in self._counters:
            rows = {tag: at for at, tag in enumerate(COUNTER)}
            device = Device(row, State(rows, self.counters, self._counters.index(row.id)))
        else:
            rows = {tag: at for at, tag in enumerate(WATER_METER)}
            device = Device(row, State(rows, self.meters, self._meters.index(row.id)))
        self._devices[row.id] = device
        return device

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing: the booster pumps are among the kitchen's feeders."""
        return {}

    def step(self, dt_s: float, scene: Scene) -> None:
        """Advance by `dt_s`."""
        for name, device in self._devices.items():
            while device.occurrences:
                self._happen(name, device.occurrences.popleft())
        own = self._drawn_l(dt_s, scene) + self.leak_ls * dt_s
        litres = (self._below @ own) * self._gain
        litres = litres * (1.0 + _RESIDUE * self._is_main)
        self.volume_m3 = self.volume_m3 + litres / 1000.0
        self._leak_s = np.where(self.leak_ls > 0.0, self._leak_s + dt_s, 0.0)
        flowed = np.floor(self.volume_m3 * 1000.0 / self._litres) > np.floor(
            (self.volume_m3 - litres / 1000.0) * 1000.0 / self._litres
        )
        self._pause_s = np.where(flowed, 0.0, np.minimum(self._pause_s + dt_s, _LONGEST_PAUSE))
        mark = float(scene.time_ns // 1_000_000_000 // _LOG_S * _LOG_S)
        if mark != self._log_time:
            self._log_time = mark
            self._log[1:] = self._log[:-1].copy()
            self._log[0] = self.volume_m3

    def _drawn_l(self, dt_s: float, scene: Scene) -> NDArray[np.float64]:
        """Return what the taps of each meter's own pipe draw, litres."""
        moment = scene.moment
        awake = max(scene.crowd - _NIGHT_CROWD, 0.0)
        meal = max(0.0, 1.0 - abs(moment.hour - 12.3) / 3.0) if moment.workday else 0.0
        hosing = float(moment.workday and 6.0 <= moment.hour < 7.0)
        often = np.array([_FLUSHES_S * awake, _TAPS_S * awake, 0.12 * meal, 0.05 * hosing, 0.0, 0.0])
        draws = self._draw.poisson(np.maximum(often[self._kind] * dt_s, 0.0)).astype(np.float64)
        litres = draws * _DRAW_L[self._kind]
        towers = self._kind == _KINDS.index("makeup")
        return np.asarray(litres + towers * scene.makeup_lmin / 60.0 * dt_s)

    def _happen(self, name: str, occurrence: Occurrence) -> None:
        """Let a pipe leak or be mended; other words are nothing to it."""
        data = occurrence.data
        if name in self._counters:
            column = self._counters.index(name) * CHANNELS + int(data.get("channel", 1)) - 1
        else:
            column = len(self._counters) * CHANNELS + self._meters.index(name)
        match occurrence.type:
            case "leak":
                self.leak_ls[column] = float(data.get("lps", 0.05))
            case "mend":
                self.leak_ls[column] = 0.0
            case "battery_low":
                self._battery_low[column] = float(data.get("value", 1))

    def show(self) -> None:
        """Bring the tables up to date."""
        split = len(self._counters) * CHANNELS
        if split:
            pulses = np.floor(self.volume_m3[:split] * 1000.0 / self._litres[:split]) % _WRAP
            shape = (len(self._counters), CHANNELS)
            table = self.counters.reshape(CHANNELS, -1, len(self._counters))
            table[:, 0] = pulses.reshape(shape).T
            table[:, 1] = (pulses % 2.0).reshape(shape).T
            table[:, 3] = self._battery_low[:split].reshape(shape).T
            table[:, 4] = np.floor(self._pause_s[:split]).reshape(shape).T
        if self._meters:
            self.meters[0] = self.volume_m3[split:]
            self.meters[1] = np.where(self._leak_s[split:] > _LEAK_TOLD_S, _LEAKAGE, _OK)
            self.meters[1] += np.where((self._battery_low[split:] > 0.5) & (self.meters[1] == _OK), 4.0, 0.0)
            self.meters[2] = self._log_time
            # The log begins with the oldest volume; each delta leads to the next 20 minutes.
            past = self._log[::-1, split:]
            self.meters[3] = past[0]
            self.meters[4:] = np.diff(past, axis=0)


def _kind(place: str, parameters: Mapping[str, float | str]) -> int:
    use = parameters.get("use")
    if use not in _KINDS:
        raise SiteError(f'equipment "{place}" parameters.use: got {use!r}, wanted one of {", ".join(_KINDS)}')
    return _KINDS.index(str(use))
