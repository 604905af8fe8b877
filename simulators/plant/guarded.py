"""Intrusion zones, SOS buttons, intercom stations and cameras: the quiet half of security.

Zones are armed in the evening and disarmed in the morning, with an exit and an entry delay. Buttons wait. Now and then
somebody calls the control room and is answered. Cameras see motion when people are about.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulators.plant.device import Device, Occurrence, State
from simulators.plant.quantity import Model
from simulators.plant.weather import stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from simulators.plant.part import Scene
    from simulators.site import SimulatedDevice, SimulatedSite

__all__ = ["CameraPart", "HelpPart", "IntrusionPart"]

_TALK_S = 5.0
"""Steps longer than this are history: nobody is told."""


class _Bank:
    """Devices of one kind: a table with a row a quantity and a column a device."""

    remembered = True

    def __init__(self, rows: Sequence[SimulatedDevice], quantities: Sequence[str]) -> None:
        self.places = {row.id: place for place, row in enumerate(rows)}
        self.rows = {quantity: place for place, quantity in enumerate(quantities)}
        self.table = np.zeros((len(quantities), len(rows)))

    def row(self, quantity: str) -> NDArray[np.float64]:
        """Return a view of one quantity of all devices."""
        view: NDArray[np.float64] = self.table[self.rows[quantity]]
        return view

    def device(self, row: SimulatedDevice) -> Device:
        """Return one device; it only tells."""
        return Device(row, State(self.rows, self.table, self.places[row.id]))


DISARMED, ARMED, ENTRY, EXIT = 0.0, 1.0, 2.0, 3.0
_EXIT_S, _ENTRY_S = 45.0, 30.0


class IntrusionPart:
    """Zones by the clock."""

    models: ClassVar[Mapping[str, Model]] = {"site-standard-intrusion-zone": Model("intrusion_zone")}

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:  # noqa: ARG002 - every part is made so
        """Give each zone its hours."""
        self.bank = _Bank(rows, ("state", "battery_low"))
        draw = stream(seed, "intrusion")
        self._arm = draw.uniform(20.5, 22.5, len(rows)) * 3600.0
        self._disarm = draw.uniform(6.3, 7.0, len(rows)) * 3600.0

    def step(self, dt_s: float, scene: Scene) -> None:  # noqa: ARG002 - the clock alone decides
        """Set the states: a function of the time of day. At weekends they stay armed."""
        second = scene.moment.hour * 3600.0
        state = np.full(len(self._arm), ARMED)
        if scene.moment.workday:
            state[(second >= self._disarm) & (second < self._arm)] = DISARMED
            state[(second >= self._disarm - _ENTRY_S) & (second < self._disarm)] = ENTRY
            state[(second >= self._arm) & (second < self._arm + _EXIT_S)] = EXIT
        self.bank.row("state")[:] = state

    def show(self) -> None:
        """Do nothing: a step writes into the table."""

    def device(self, row: SimulatedDevice) -> Device:
        """Return one zone."""
        return self.bank.device(row)

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing."""
        return {}


_SLOT_S = 480
"""At most one call in so long."""
IDLE, RINGING, CONNECTED = 0.0, 1.0, 2.0


class HelpPart:
    """SOS buttons, which nobody presses without need, and intercom stations."""

    models: ClassVar[Mapping[str, Model]] = {
        "site-standard-sos": Model("sos_button"),
        "site-standard-intercom": Model("intercom"),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:  # noqa: ARG002 - every part is made so
        """Sort buttons and stations."""
        self.buttons = _Bank([row for row in rows if row.profile == "site-standard-sos"], ("pressed", "tamper"))
        self.stations = _Bank([row for row in rows if row.profile != "site-standard-sos"], ("call", "registered"))
        self.stations.row("registered")[:] = 1.0
        self._seed = seed
        self._call = lru_cache(maxsize=4)(self._make_call)

    def _make_call(self, slot: int) -> tuple[int, float, float, float]:
        """Return station, and the seconds of the slot at which it rings, is answered and ends."""
        draw = stream(self._seed, "call", slot)
        station = int(draw.integers(0, max(1, self.stations.table.shape[1])))
        ring = float(draw.uniform(0.0, _SLOT_S - 150.0))
        answer = ring + float(draw.uniform(4.0, 20.0))
        return station, ring, answer, answer + float(draw.uniform(15.0, 90.0))

    def step(self, dt_s: float, scene: Scene) -> None:  # noqa: ARG002 - a function of time
        """Have the one call of this slot rather by day than by night."""
        call = self.stations.row("call")
        if not len(call):
            return
        second = scene.time_ns // 1_000_000_000
        slot, at = second // _SLOT_S, float(second % _SLOT_S)
        station, ring, answer, end = self._call(int(slot))
        call[:] = IDLE
        if (scene.crowd > 0.1 or slot % 8 == 0) and ring <= at < end:
            call[station] = RINGING if at < answer else CONNECTED

    def show(self) -> None:
        """Do nothing: a step writes into the table."""

    def device(self, row: SimulatedDevice) -> Device:
        """Return one button or station."""
        return (self.buttons if row.profile == "site-standard-sos" else self.stations).device(row)

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing."""
        return {}


_BEGIN_S, _END_S = 100.0, 25.0
"""Mean time between two spells of motion in a full house, and the length of one."""
_QUIET = 0.03
"""Share of that at night: the guards' rounds."""
_SEEN = 0.3
"""Share of the spells in which a recorder's detector finds a person."""


class CameraPart:
    """Cameras and their recorder."""

    models: ClassVar[Mapping[str, Model]] = {
        "onvif-bridge": Model("camera"),
        "frigate": Model("camera"),
        "frigate-nvr": Model("recorder"),
    }

    def __init__(self, seed: int, site: SimulatedSite, rows: Sequence[SimulatedDevice]) -> None:  # noqa: ARG002 - every part is made so
        """Sort the cameras by what stands behind them."""
        self._frigate = [row for row in rows if row.profile == "frigate"]
        self.onvif = _Bank(
            [row for row in rows if row.profile == "onvif-bridge"],
            ("motion", "signal_loss", "scene_change", "storage_failure"),
        )
        self.frigate = _Bank(self._frigate, ("online", "motion"))
        self.recorders = _Bank([row for row in rows if row.profile == "frigate-nvr"], ("online",))
        self.frigate.row("online")[:] = 1.0
        self.recorders.row("online")[:] = 1.0
        self._random = stream(seed, "camera")
        self._seen = np.zeros(len(self._frigate))
        """When the person that is in the picture came, s since 1970; 0 where there is none."""
        self._recorder: Device | None = None

    def step(self, dt_s: float, scene: Scene) -> None:
        """Begin and end spells of motion."""
        begin = 1.0 - np.exp(-dt_s * max(scene.crowd, _QUIET) / _BEGIN_S)
        end = 1.0 - np.exp(-dt_s / _END_S)
        before = self.frigate.row("motion").copy()
        for bank in (self.onvif, self.frigate):
            motion = bank.row("motion")
            draw = self._random.random(len(motion))
            motion[:] = np.where(motion > 0, draw >= end, draw < begin)
        luck = self._random.random(len(before))
        if dt_s <= _TALK_S:
            self._tell(before, luck, scene.time_ns)

    def _tell(self, before: NDArray[np.float64], luck: NDArray[np.float64], time_ns: int) -> None:
        """Have the recorder say whom it sees come and go."""
        motion = self.frigate.row("motion")
        came = np.flatnonzero((motion > before) & (luck < _SEEN))
        went = np.flatnonzero((motion < before) & (self._seen > 0))
        if self._recorder is None:
            return
        for place in went.tolist():
            self._report("end", place, time_ns)
            self._seen[place] = 0.0
        for place in came.tolist():
            self._seen[place] = time_ns / 1e9
            self._report("new", place, time_ns)

    def _report(self, kind: str, place: int, time_ns: int) -> None:
        assert self._recorder is not None
        row = self._frigate[place]
        start = float(self._seen[place])
        data: dict[str, str | int | float | bool] = {
            "camera": str(row.options.get("camera", row.id)),
            "start": start,
            "end": time_ns / 1e9 if kind == "end" else 0.0,
            "score": round(0.7 + 0.29 * ((place * 37) % 100) / 100.0, 2),
        }
        self._recorder.occurrences.append(Occurrence(time_ns, kind, data))

    def show(self) -> None:
        """Do nothing: a step writes into the tables."""

    def device(self, row: SimulatedDevice) -> Device:
        """Return one camera or the recorder."""
        if row.profile == "frigate-nvr":
            self._recorder = self.recorders.device(row)
            return self._recorder
        return (self.frigate if row.profile == "frigate" else self.onvif).device(row)

    def loads_kw(self) -> Mapping[str, float]:
        """Return nothing: cameras are part of the sockets' base."""
        return {}
